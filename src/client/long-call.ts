import { cannotConnect, type Target } from './connect.ts';
import { openSocket } from './subscribe.ts';

/**
 * Sends one call over a WebSocket of its own, which the node's pings keep open for as long as the answer takes.
 *
 * @returns the text of the answer; null when there is no WebSocket to be had, and nothing was sent
 * @throws OperatingError `cannot_connect` when the connection is lost; the reason of an aborted signal
 */
export async function callOnSocket(
  target: Target,
  request: string,
  signal: AbortSignal | null,
): Promise<string | null> {
  signal?.throwIfAborted();
  const socket = await openSocket(target);
  let sent = false;
  let onAbort = () => {};
  try {
    return await new Promise<string | null>((resolve, reject) => {
      onAbort = () => reject(signal?.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      socket.addEventListener('open', () => {
        sent = true;
        socket.send(request);
      });
      socket.addEventListener('message', ({ data }) => resolve(String(data)));
      const onEnd = () => (sent ? reject(cannotConnect(target.url, null)) : resolve(null));
      socket.addEventListener('error', onEnd);
      socket.addEventListener('close', onEnd);
    });
  } finally {
    signal?.removeEventListener('abort', onAbort);
    socket.close();
  }
}
