import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'smol-toml';
import { z } from 'zod';
import { isMemberId } from '../core/base/ids.ts';
import { parseLinkAddress } from '../core/base/link-address.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import { filesConfigSchema } from './files-config.ts';

/** The places of a data directory (DESIGN.md section 8). */
export function dataPaths(dir: string) {
  return {
    dir,
    config: join(dir, 'config.toml'),
    genesis: join(dir, 'genesis.json'),
    keystore: join(dir, 'keys', 'keystore.json'),
    passphrase: join(dir, 'keys', 'passphrase'),
    firstStart: join(dir, 'keys', 'first-start'),
    hostedKeys: join(dir, 'keys', 'hosted'),
    users: join(dir, 'keys', 'users'),
    s3Credentials: join(dir, 'keys', 's3.json'),
    database: join(dir, 'db'),
    wal: join(dir, 'db', 'consensus.wal'),
    state: join(dir, 'db', 'state'),
    files: join(dir, 'files'),
    evidence: join(dir, 'evidence'),
    token: join(dir, 'rpc-token'),
    endpoint: join(dir, 'endpoint.json'),
  };
}

export type DataPaths = ReturnType<typeof dataPaths>;

const name = z.string().refine(isMemberId, 'a-z, 0-9 and -, starting with a letter, at most 32 characters');

const ADDRESS_FORM = 'an address looks like /ip4/10.0.0.1/tcp/7801 or /dns4/HOST/tcp/7801';

const address = z.string().refine(text => parseLinkAddress(text) !== null, ADDRESS_FORM);

/** Port 0 takes any free one. */
const listenAddress = z
  .string()
  .refine(text => parseLinkAddress(text.replace(/\/tcp\/0$/, '/tcp/1')) !== null, ADDRESS_FORM);

/** Blocks that a pruning consensus node keeps whole where its configuration does not say. */
export const KEEP_BLOCKS_DEFAULT = 16_384;

const nodeConfigSchema = z.strictObject({
  role: z.enum(['consensus', 'participant', 'manager']),
  /** Validator name of a consensus node, member id of the others. */
  name,
  /** What people read on a member's card; the member id where there is none. */
  displayName: z.string().min(1).max(128).optional(),
  /** Consensus nodes: whether the transactions of old blocks stay; `archive` when left out. */
  history: z.enum(['archive', 'pruned']).optional(),
  /** With `pruned`: newest blocks that keep their transactions. */
  keepBlocks: z.number().int().min(1).max(1_000_000_000).optional(),
  network: z.strictObject({
    listen: z.array(listenAddress).min(1).max(8),
    /** Consensus nodes and where they listen. */
    peers: z
      .array(z.strictObject({ peerId: z.string().min(1), addresses: z.array(address).min(1) }))
      .max(128),
  }),
  rpc: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      port: z.number().int().min(0).max(65_535).default(0),
      /** How many ports above `port` may be tried when it is taken. */
      portTries: z.number().int().min(0).max(1_000).default(0),
      allowedHosts: z.array(z.string()).max(64).default([]),
      allowedOrigins: z.array(z.string()).max(64).default([]),
      /** Mounts the `admin_` methods, by which `doctor` asks other nodes for what they should refuse. */
      admin: z.boolean().default(false),
    })
    .prefault({}),
  /** Of members' nodes; `filesConfigOf` gives the defaults. */
  files: filesConfigSchema.optional(),
  /** Of members' nodes: whether they open the key epochs by themselves that frozen phases wait for. */
  steward: z.strictObject({ automatic: z.boolean().default(true) }).optional(),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }).prefault({}),
});

export type NodeConfig = z.infer<typeof nodeConfigSchema>;

export function parseNodeConfig(text: string, source: string): NodeConfig {
  const fail = (detail: string): never => {
    throw new OperatingError('bad_config', `${source}: ${detail}`, 'Correct the file and start again.');
  };
  let document: unknown;
  try {
    document = parse(text);
  } catch (cause) {
    return fail(`not TOML (${(cause as Error).message.split('\n')[0]})`);
  }
  const parsed = nodeConfigSchema.safeParse(document);
  if (parsed.success) return Object.freeze(parsed.data);
  const issue = parsed.error.issues[0]!;
  return fail(`${issue.path.join('.') || 'file'}: ${issue.message}`);
}

export async function readNodeConfig(dir: string): Promise<NodeConfig> {
  const path = dataPaths(dir).config;
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new OperatingError(
      'no_config',
      `${dir} is not a Phaseline data directory: cannot read ${path} (${cause.code})`,
      'Create one with: phaseline init --dir DIR',
      cause,
    );
  });
  return parseNodeConfig(text, path);
}

export function formatNodeConfig(config: NodeConfig): string {
  return `${stringify(config)}\n`;
}
