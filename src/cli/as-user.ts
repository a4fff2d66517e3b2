import { CommandFailure, EXIT } from './failure.ts';
import type { Io } from './io.ts';

export const AS_USER = [
  '--as-user <name>',
  'sign with the key of this user, which PHASELINE_USER_PASSPHRASE opens, not with that of the member',
] as const;

const VARIABLE = 'PHASELINE_USER_PASSPHRASE';

/** From the environment: what is typed on a command line can be read by others of the machine. */
export function userPassphrase(io: Io): string {
  const passphrase = io.environment[VARIABLE]?.trim();
  if (passphrase) return passphrase;
  throw new CommandFailure(EXIT.usage, 'no passphrase of the user', `Set ${VARIABLE} and try again.`);
}

/** Null where the member itself signs. */
export function credentialsOf(io: Io, name: string | undefined) {
  return name === undefined ? null : { name, passphrase: userPassphrase(io) };
}
