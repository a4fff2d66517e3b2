import { mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { type DataPaths, dataPaths, formatNodeConfig, type NodeConfig } from '../config/node-config.ts';
import { readPassphrase } from '../config/passphrase.ts';
import { assertDefined } from '../core/base/assert.ts';
import type { MemberId } from '../core/base/ids.ts';
import type { Validator } from '../core/types/chain.ts';
import type { MemberCard } from '../core/types/operation.ts';
import { generateSealingKey } from '../crypto/hpke.ts';
import { createKeystore, type KeyBundle, openKeystore } from '../crypto/keystore.ts';
import { systemRandom } from '../crypto/random.ts';
import { generateSigningKey, p256PublicKey } from '../crypto/signer.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import { FileFirstStart } from '../store/first-start.ts';
import { peerIdOf } from '../transport/identity.ts';

/** What others may know of a node: a genesis file is made of these. */
export type PublicIdentity =
  | { readonly role: 'consensus'; readonly validator: Validator }
  | { readonly role: 'participant' | 'manager'; readonly card: MemberCard };

export function newKeys(role: NodeConfig['role']): KeyBundle {
  const consensus = role === 'consensus';
  return {
    signing: consensus ? null : generateSigningKey(),
    sealing: consensus ? null : generateSealingKey(),
    retiredSealing: [],
    transport: systemRandom(32),
    consensus: consensus ? generateSigningKey() : null,
    nextConsensus: null,
  };
}

export async function openKeys(paths: DataPaths): Promise<KeyBundle> {
  return openKeystore(paths.keystore, await readPassphrase(process.env, paths.passphrase));
}

/** @param displayName what people read; the member id itself when there is none */
export async function publicIdentity(
  role: NodeConfig['role'],
  name: string,
  displayName: string,
  keys: KeyBundle,
): Promise<PublicIdentity> {
  const peerId = await peerIdOf(assertDefined(keys.transport, 'a node has a transport key'));
  if (role === 'consensus') {
    const key = assertDefined(keys.consensus, 'a consensus node has a consensus key');
    return { role, validator: { name, publicKey: p256PublicKey(key, 'compressed'), peerId } };
  }
  const signing = assertDefined(keys.signing, 'a member has a signing key');
  const sealing = assertDefined(keys.sealing, 'a member has a sealing key');
  const card: MemberCard = {
    id: name as MemberId,
    name: displayName,
    signingKey: p256PublicKey(signing, 'compressed'),
    sealingKey: p256PublicKey(sealing, 'compressed'),
    peerIds: [peerId],
  };
  return { role, card };
}

async function exists(path: string): Promise<boolean> {
  return readFile(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
}

/** Makes a data directory with fresh keys. Refuses one that is there; nothing of it is overwritten. */
export async function createDataDirectory(
  dir: string,
  config: NodeConfig,
  passphrase: string,
): Promise<PublicIdentity> {
  const paths = dataPaths(dir);
  if (await exists(paths.config)) {
    throw new OperatingError(
      'directory_exists',
      `${dir} is a data directory already`,
      'Choose another --dir.',
    );
  }
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const keys = newKeys(config.role);
  await createKeystore(paths.keystore, passphrase, keys);
  const identity = await publicIdentity(config.role, config.name, config.displayName ?? config.name, keys);
  if (identity.role === 'consensus') {
    await new FileFirstStart(paths.firstStart).mark(identity.validator.publicKey);
  }
  await writeConfig(dir, config);
  return identity;
}

export async function writeConfig(dir: string, config: NodeConfig): Promise<void> {
  await writeFile(dataPaths(dir).config, formatNodeConfig(config), { mode: 0o600 });
}

/** A file that only this user may read; it appears whole, and is on disk when the promise resolves. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.chmod(0o600);
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
}
