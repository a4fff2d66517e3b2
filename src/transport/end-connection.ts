import type { Connection } from '@libp2p/interface';

/**
 * Ends a connection at once. Yamux says good-bye first, and throws when the encrypted stream below it is closed already, as it
 * is after bytes that do not decrypt. The caller is often an event listener, where a throw would end the process, and the
 * socket would stay open until the peer notices the silence; the second time Yamux knows that it has ended (SCENARIOS 32).
 */
export function endConnection(connection: Connection, reason: string): void {
  const error = new Error(reason);
  try {
    connection.abort(error);
  } catch {
    connection.abort(error);
  }
}
