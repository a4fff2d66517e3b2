import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { OperatingError } from '../ports/lifecycle.ts';

const MIB = 1024 * 1024;
const bytes = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** `[files]` of config.toml: where a member's node keeps the blocks of files, and how much of them. */
export const filesConfigSchema = z.strictObject({
  store: z.enum(['filesystem', 'level', 's3']).default('filesystem'),
  /** Bytes of files that this node keeps at most; 0 for no quota. */
  quotaBytes: bytes.default(0),
  /** The same for each phase. */
  phaseQuotaBytes: bytes.default(0),
  /** New files are refused when the disk has less than this left, so that the ledger's own data has room. */
  reserveBytes: bytes.default(256 * MIB),
  /** How fast the scrubber reads what is kept; 0 turns it off. */
  scrubBytesPerSecond: bytes.default(8 * MIB),
  /** Seconds between two challenges to prove possession; 0 turns them off. */
  challengeSeconds: z.number().min(0).max(86_400).default(10),
  s3: z
    .strictObject({
      endpoint: z.url({ protocol: /^https?$/ }).optional(),
      region: z.string().min(1).default('us-east-1'),
      bucket: z.string().min(1),
      /** Begins every key; each node needs a prefix or a bucket of its own. */
      prefix: z
        .string()
        .regex(/^([\w.-]+\/)*$/, 'ends with / and has only letters, digits, . _ - between slashes')
        .default(''),
      pathStyle: z.boolean().default(true),
    })
    .optional(),
});

export type FilesConfig = z.infer<typeof filesConfigSchema>;

/** The section with its defaults. Throws OperatingError `bad_config` when `store = "s3"` comes without its place. */
export function filesConfigOf(config: { readonly files?: FilesConfig | undefined }): FilesConfig {
  const files = config.files ?? filesConfigSchema.parse({});
  if (files.store !== 's3' || files.s3 !== undefined) return files;
  throw new OperatingError(
    'bad_config',
    'config.toml: [files] store = "s3" needs a section [files.s3] with at least a bucket',
    'Add the section and start again.',
  );
}

const credentialsSchema = z.strictObject({
  accessKeyId: z.string().min(1),
  secretAccessKey: z.string().min(1),
  sessionToken: z.string().min(1).optional(),
});

export type FilesCredentials = z.infer<typeof credentialsSchema>;

const HINT =
  'Set PHASELINE_S3_ACCESS_KEY_ID and PHASELINE_S3_SECRET_ACCESS_KEY, or write keys/s3.json of mode 0600 with accessKeyId and secretAccessKey.';

function failed(detail: string, cause?: unknown): OperatingError {
  return new OperatingError('no_s3_credentials', `no credentials for S3: ${detail}`, HINT, cause);
}

/** Credentials for S3 from the environment or from `keys/s3.json`, which nobody else may read; never from config.toml. */
export async function readS3Credentials(
  environment: NodeJS.ProcessEnv,
  path: string,
): Promise<FilesCredentials> {
  const accessKeyId = environment.PHASELINE_S3_ACCESS_KEY_ID;
  const secretAccessKey = environment.PHASELINE_S3_SECRET_ACCESS_KEY;
  const sessionToken = environment.PHASELINE_S3_SESSION_TOKEN;
  if (accessKeyId && secretAccessKey) {
    return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
  }
  let text: string;
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) throw failed(`others may read ${path}: its mode must be 0600`);
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof OperatingError) throw cause;
    throw failed(`cannot read ${path} (${(cause as NodeJS.ErrnoException).code})`, cause);
  }
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw failed(`${path} is not JSON`);
  }
  const parsed = credentialsSchema.safeParse(document);
  if (!parsed.success) throw failed(`${path} needs accessKeyId and secretAccessKey, and no other fields`);
  return parsed.data;
}
