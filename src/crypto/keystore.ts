import { createCipheriv, createDecipheriv, createHash, scrypt } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { OperatingError } from '../ports/lifecycle.ts';
import { systemRandom } from './random.ts';

const FORMAT = 'phaseline-keystore';
const VERSION = 1;
const FILE_BYTES_MAX = 64 * 1024;
const RETIRED_MAX = 256;
const KEY_BYTES = 32;
const SALT_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** log2 of scrypt's N with r = 8, p = 1: 15 is 32 MiB and about 0.1 s; the largest that is accepted is 1 GiB. */
const COST_DEFAULT = 15;
const COST_MAX = 20;

/** The private keys of one node or member, 32 bytes each; null where it has none of the kind. */
export interface KeyBundle {
  /** P-256, signs transactions. */
  readonly signing: Uint8Array | null;
  /** P-256, opens envelopes. */
  readonly sealing: Uint8Array | null;
  /** Sealing keys from before rotations: older envelopes are still sealed to them. */
  readonly retiredSealing: readonly Uint8Array[];
  /** Ed25519 seed of the libp2p identity. */
  readonly transport: Uint8Array | null;
  /** P-256, signs votes. */
  readonly consensus: Uint8Array | null;
  /** The consensus key that follows at the set change which names it. */
  readonly nextConsensus: Uint8Array | null;
}

interface KeystoreFile {
  readonly format: string;
  readonly version: number;
  readonly kdf: { readonly name: string; readonly cost: number; readonly salt: string };
  readonly cipher: { readonly name: string; readonly nonce: string };
  readonly sealed: string;
  readonly checksum: string;
}

const SINGLE_KEYS = ['signing', 'sealing', 'transport', 'consensus', 'nextConsensus'] as const;

function corrupt(path: string, detail: string, cause?: unknown): OperatingError {
  return new OperatingError(
    'keystore_corrupt',
    `the keystore ${path} is damaged: ${detail}`,
    'restore it from a backup',
    cause,
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function stretch(passphrase: string, salt: Uint8Array, cost: number): Promise<Buffer> {
  const N = 2 ** cost;
  const options = { N, r: 8, p: 1, maxmem: 128 * N * 8 + 32 * 1024 * 1024 };
  return new Promise((resolve, fail) => {
    const password = passphrase.normalize('NFKC');
    scrypt(password, salt, KEY_BYTES, options, (error, key) => (error === null ? resolve(key) : fail(error)));
  });
}

/** Everything but the secret: the cipher's associated data, so that no parameter can be exchanged. */
function headerBytes(file: Omit<KeystoreFile, 'sealed' | 'checksum'>): Buffer {
  const { format, version, kdf, cipher } = file;
  return Buffer.from(
    JSON.stringify([format, version, kdf.name, kdf.cost, kdf.salt, cipher.name, cipher.nonce]),
  );
}

/** Against bit rot only, so that a damaged file is not called a wrong passphrase. */
function checksumOf(file: Omit<KeystoreFile, 'checksum'>): string {
  return createHash('sha256').update(headerBytes(file)).update(file.sealed).digest('hex');
}

function encodeBundle(bundle: KeyBundle): Buffer {
  const text = (key: Uint8Array | null) => (key === null ? null : Buffer.from(key).toString('base64'));
  const single = Object.fromEntries(SINGLE_KEYS.map(name => [name, text(bundle[name])]));
  return Buffer.from(JSON.stringify({ ...single, retiredSealing: bundle.retiredSealing.map(text) }));
}

function decodeBundle(path: string, plaintext: Buffer): KeyBundle {
  const key = (value: unknown): Uint8Array => {
    const bytes = new Uint8Array(Buffer.from(String(value), 'base64'));
    if (bytes.length !== KEY_BYTES) throw corrupt(path, 'a key is not 32 bytes');
    return bytes;
  };
  const record = JSON.parse(plaintext.toString()) as Record<string, unknown>;
  const optional = (name: string) => (record[name] === null ? null : key(record[name]));
  const retired = Array.isArray(record.retiredSealing) ? record.retiredSealing.map(key) : [];
  return {
    signing: optional('signing'),
    sealing: optional('sealing'),
    transport: optional('transport'),
    consensus: optional('consensus'),
    nextConsensus: optional('nextConsensus'),
    retiredSealing: retired.slice(-RETIRED_MAX),
  };
}

async function seal(bundle: KeyBundle, passphrase: string, cost: number): Promise<string> {
  const salt = systemRandom(SALT_BYTES);
  const nonce = systemRandom(NONCE_BYTES);
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  const header = {
    format: FORMAT,
    version: VERSION,
    kdf: { name: 'scrypt', cost, salt: base64(salt) },
    cipher: { name: 'aes-256-gcm', nonce: base64(nonce) },
  };
  const cipher = createCipheriv('aes-256-gcm', await stretch(passphrase, salt, cost), nonce);
  cipher.setAAD(headerBytes(header));
  const sealed = base64(
    Buffer.concat([cipher.update(encodeBundle(bundle)), cipher.final(), cipher.getAuthTag()]),
  );
  const file = { ...header, sealed };
  return `${JSON.stringify({ ...file, checksum: checksumOf(file) }, null, 2)}\n`;
}

/** Makes a rename durable; systems that cannot open directories keep their own promises. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Store, fsync, rename: a crash leaves the old file or the new one. `link` refuses to replace, `rename` replaces. */
async function writeAtomic(path: string, text: string, replace: boolean): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${Buffer.from(systemRandom(6)).toString('hex')}`;
  const handle = await open(temporary, 'wx', 0o600);
  try {
    await handle.chmod(0o600);
    await handle.writeFile(text);
    await handle.sync();
    await handle.close();
    await (replace ? rename(temporary, path) : link(temporary, path));
    await syncDirectory(dirname(path));
  } finally {
    await handle.close();
    await rm(temporary, { force: true });
  }
}

/**
 * Writes a new keystore, mode 0600; refuses to replace one (OperatingError `keystore_exists`).
 * @param cost log2 of scrypt's N, 1 to 20
 */
export async function createKeystore(
  path: string,
  passphrase: string,
  bundle: KeyBundle,
  cost: number = COST_DEFAULT,
): Promise<void> {
  try {
    await writeAtomic(path, await seal(bundle, passphrase, cost), false);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    throw new OperatingError(
      'keystore_exists',
      `there is a keystore at ${path}`,
      'choose another path',
      error,
    );
  }
}

/** Replaces the keys of an existing keystore, which must open with the same passphrase. */
export async function replaceKeystore(path: string, passphrase: string, bundle: KeyBundle): Promise<void> {
  const { file } = await load(path, passphrase);
  await writeAtomic(path, await seal(bundle, passphrase, file.kdf.cost), true);
}

/**
 * Opens a keystore. OperatingError: `keystore_missing`, `keystore_permissions` (others may read it),
 * `keystore_corrupt`, `wrong_passphrase`.
 */
export async function openKeystore(path: string, passphrase: string): Promise<KeyBundle> {
  return (await load(path, passphrase)).bundle;
}

async function checkFile(path: string): Promise<void> {
  let info: Awaited<ReturnType<typeof stat>>;
  try {
    info = await stat(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    throw new OperatingError(
      'keystore_missing',
      `there is no keystore at ${path}`,
      'create the keys first',
      error,
    );
  }
  if (info.size > FILE_BYTES_MAX) throw corrupt(path, `${info.size} bytes`);
  if (process.platform === 'win32' || (info.mode & 0o077) === 0) return;
  const mode = (info.mode & 0o777).toString(8);
  throw new OperatingError(
    'keystore_permissions',
    `the keystore ${path} is open to others (mode ${mode})`,
    `chmod 600 ${path}`,
  );
}

function parse(path: string, text: string): KeystoreFile {
  try {
    const file = JSON.parse(text) as KeystoreFile;
    if (file.format !== FORMAT || file.version !== VERSION) throw corrupt(path, 'not a version 1 keystore');
    if (checksumOf(file) !== file.checksum) throw corrupt(path, 'its checksum does not match');
    const known = file.kdf.name === 'scrypt' && file.cipher.name === 'aes-256-gcm';
    if (!known || !(Number.isInteger(file.kdf.cost) && file.kdf.cost >= 1 && file.kdf.cost <= COST_MAX)) {
      throw corrupt(path, 'unknown or unbounded key derivation');
    }
    return file;
  } catch (error) {
    throw error instanceof OperatingError ? error : corrupt(path, 'it is not a keystore', error);
  }
}

async function load(path: string, passphrase: string): Promise<{ file: KeystoreFile; bundle: KeyBundle }> {
  await checkFile(path);
  const file = parse(path, await readFile(path, 'utf8'));
  const [salt, nonce, sealed] = [file.kdf.salt, file.cipher.nonce, file.sealed].map(text =>
    Buffer.from(text, 'base64'),
  ) as [Buffer, Buffer, Buffer];
  if (salt.length !== SALT_BYTES || nonce.length !== NONCE_BYTES || sealed.length < TAG_BYTES) {
    throw corrupt(path, 'a field has the wrong length');
  }
  const key = await stretch(passphrase, salt, file.kdf.cost);
  const end = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(headerBytes(file));
  decipher.setAuthTag(sealed.subarray(end));
  const plaintext = decipher.update(sealed.subarray(0, end));
  try {
    decipher.final();
  } catch (cause) {
    throw new OperatingError(
      'wrong_passphrase',
      `the passphrase does not open the keystore ${path}`,
      'try again, or restore the keystore that belongs to this passphrase',
      cause,
    );
  }
  return { file, bundle: decodeBundle(path, plaintext) };
}
