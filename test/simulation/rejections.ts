const owners = new WeakMap<object, (error: unknown) => void>();
let isOwned = false;

/** True once after an error got an owner: it may be about to reject a promise. */
export function hasOwnedError(): boolean {
  const was = isOwned;
  isOwned = false;
  return was;
}

/** Says whose process dies of this error when nobody handles it. */
export function ownError<T extends object>(error: T, owner: (error: unknown) => void): T {
  owners.set(error, owner);
  isOwned = true;
  return error;
}

function ownerOf(error: unknown): ((error: unknown) => void) | undefined {
  for (let at = error; typeof at === 'object' && at !== null; at = (at as { cause?: unknown }).cause) {
    const owner = owners.get(at);
    if (owner !== undefined) return owner;
  }
  return undefined;
}

/**
 * A rejected promise that nobody handles ends a process. Here it ends the simulated process whose disk it came from; any other
 * is given to `stranger`.
 *
 * @returns a function that puts everything back
 */
export function adoptRejections(stranger: (error: unknown) => void): () => void {
  const before = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  const adopt = (error: unknown) => (ownerOf(error) ?? stranger)(error);
  process.on('unhandledRejection', adopt);
  return () => {
    process.off('unhandledRejection', adopt);
    for (const listener of before) process.on('unhandledRejection', listener);
  };
}
