import { rename, stat } from 'node:fs/promises';
import { dataPaths, readNodeConfig } from '../config/node-config.ts';
import { createKeystore, type KeyBundle, openKeystore } from '../crypto/keystore.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import { lockDirectory } from '../store/directory-lock.ts';
import { newKeys, type PublicIdentity, publicIdentity } from './data-directory.ts';

const KEPT_MAX = 100;

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Nothing is deleted: a keystore whose passphrase was lost may still be of use one day. */
async function putAside(keystore: string): Promise<string | null> {
  if (!(await isThere(keystore))) return null;
  for (let number = 1; number <= KEPT_MAX; number += 1) {
    const aside = `${keystore}.lost-${number}`;
    if (await isThere(aside)) continue;
    await rename(keystore, aside);
    return aside;
  }
  const hint = 'Move the old ones elsewhere.';
  throw new OperatingError('too_many_keystores', `${KEPT_MAX} keystores stand beside ${keystore}`, hint);
}

/** What a keystore has that still opens: keys that were stolen are lost too, and yet of use to read by. */
async function openedKeys(path: string, passphrase: string): Promise<KeyBundle | null> {
  try {
    return await openKeystore(path, passphrase);
  } catch (error) {
    if (error instanceof OperatingError) return null;
    throw error;
  }
}

/**
 * Makes new keys in the data directory of a member that lost its own; its store stays. Where the old keystore still opens, its
 * sealing keys stay for reading, and the node keeps its peer id.
 *
 * @returns the new public identity, and where the old keystore stands now; null where there was none
 * @throws OperatingError `directory_locked` while the node runs, `wrong_role` for a consensus node
 */
export async function replaceLostKeys(
  dir: string,
  passphrase: string,
): Promise<{ readonly identity: PublicIdentity; readonly aside: string | null }> {
  const config = await readNodeConfig(dir);
  if (config.role === 'consensus') {
    const hint = 'A consensus node gets a new key by ballot: phaseline validator new-key.';
    throw new OperatingError('wrong_role', `${dir} is the directory of a consensus node`, hint);
  }
  const { keystore } = dataPaths(dir);
  const lock = await lockDirectory(dir);
  try {
    const old = await openedKeys(keystore, passphrase);
    const fresh = newKeys(config.role);
    const aside = await putAside(keystore);
    const kept =
      old === null
        ? {}
        : {
            transport: old.transport,
            retiredSealing: [...(old.sealing === null ? [] : [old.sealing]), ...old.retiredSealing],
          };
    const keys = { ...fresh, ...kept };
    await createKeystore(keystore, passphrase, keys);
    const identity = await publicIdentity(config.role, config.name, config.displayName ?? config.name, keys);
    return { identity, aside };
  } finally {
    await lock.release();
  }
}
