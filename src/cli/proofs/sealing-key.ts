import { lstat, readFile, stat } from 'node:fs/promises';
import { dataPaths } from '../../config/node-config.ts';
import { fromHex, toHex } from '../../core/base/bytes.ts';
import { generateSealingKey, p256Unsealer } from '../../crypto/hpke.ts';
import { isPrivateKeyForm } from '../../crypto/p256.ts';
import type { Unsealer } from '../../ports/sealing.ts';
import { CommandFailure, EXIT } from '../failure.ts';

/** Only what makes a node loads its libraries. */
const loadDataDirectory = () => import('../../roles/data-directory.ts');

const FORMAT = 'phaseline-sealing-key';

/** A key pair for somebody who is no member. @returns its public key, 66 hexadecimal characters */
export async function writeSealingKey(path: string): Promise<string> {
  if ((await lstat(path).catch(() => null)) !== null) {
    const hint = 'Choose another name: what was sealed to a key that is replaced opens for nobody.';
    throw new CommandFailure(EXIT.error, `${path} exists already`, hint);
  }
  const privateKey = generateSealingKey();
  const publicKey = toHex(p256Unsealer(privateKey).publicKey);
  const { writePrivateFile } = await loadDataDirectory();
  const document = { format: FORMAT, version: 1, publicKey, privateKey: toHex(privateKey) };
  await writePrivateFile(path, `${JSON.stringify(document, null, 2)}\n`);
  return publicKey;
}

function keyOf(text: string): Uint8Array | null {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return null;
  }
  const { format, version, privateKey } = (document ?? {}) as Record<string, unknown>;
  const key =
    format === FORMAT && version === 1 && typeof privateKey === 'string' ? fromHex(privateKey) : null;
  return key !== null && isPrivateKeyForm(key) ? key : null;
}

/** @param path a file of `dossier key`, or the data directory of a member's node */
export async function readUnsealers(path: string): Promise<readonly Unsealer[]> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new CommandFailure(EXIT.error, `cannot read ${path}: ${error.code}`);
  });
  if (found.isDirectory()) {
    const { openKeys } = await loadDataDirectory();
    const { sealing, retiredSealing } = await openKeys(dataPaths(path));
    return [sealing, ...retiredSealing].flatMap(key => (key === null ? [] : [p256Unsealer(key)]));
  }
  const key = keyOf(await readFile(path, 'utf8'));
  if (key !== null) return [p256Unsealer(key)];
  const hint = 'phaseline dossier key --out FILE makes one; a data directory of a node is taken too.';
  throw new CommandFailure(EXIT.error, `${path} is no sealing key`, hint);
}
