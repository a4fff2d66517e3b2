import { readFile } from 'node:fs/promises';
import { OperatingError } from '../ports/lifecycle.ts';

/**
 * The keystore's passphrase: `PHASELINE_PASSPHRASE`, or the file that `PHASELINE_PASSPHRASE_FILE` names, or a
 * `passphrase` file beside the keystore (what a devnet makes; for a machine that must start unattended). White space round it
 * does not count.
 */
export async function readPassphrase(
  environment: NodeJS.ProcessEnv,
  besideKeystore: string,
): Promise<string> {
  const given = environment.PHASELINE_PASSPHRASE?.trim();
  if (given) return given;
  const named = environment.PHASELINE_PASSPHRASE_FILE;
  const text = await readFile(named ?? besideKeystore, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new OperatingError(
      'no_passphrase',
      `no passphrase for the keystore: cannot read ${named ?? besideKeystore} (${cause.code})`,
      'Set PHASELINE_PASSPHRASE, or PHASELINE_PASSPHRASE_FILE to a file of mode 0600.',
      cause,
    );
  });
  return text.trim();
}
