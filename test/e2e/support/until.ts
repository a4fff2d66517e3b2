const POLL_MS = 50;

/**
 * Asks again until `read` answers something other than null; what fails counts as not there yet.
 * @throws with `what` and the last failure when the deadline passes
 */
export async function until<T>(
  what: string,
  read: () => T | null | Promise<T | null>,
  timeoutMs = 30_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let failure: unknown = null;
  while (Date.now() < deadline) {
    try {
      const found = await read();
      if (found !== null) return found;
      failure = null;
    } catch (error) {
      failure = error;
    }
    await new Promise(resolve => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`waited ${timeoutMs} ms in vain for ${what}`, { cause: failure });
}
