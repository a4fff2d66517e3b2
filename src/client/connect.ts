import { OperatingError } from '../ports/lifecycle.ts';

/** Where a node is and how it is reached. */
export interface Target {
  /** `http://host:port` */
  readonly url: string;
  /** Session token; without it only public methods answer. */
  readonly token?: string;
  /** For tests and other runtimes; the platform's by default. */
  readonly fetch?: typeof fetch;
}

export function cannotConnect(url: string, cause: unknown): OperatingError {
  return new OperatingError(
    'cannot_connect',
    `no node answers at ${url}`,
    'phaseline status shows the nodes that run; npm start starts a network.',
    cause,
  );
}

/**
 * One HTTP exchange with a node.
 *
 * @throws OperatingError `cannot_connect`, `timeout`; the reason of an aborted signal
 */
export async function exchange(target: Target, path: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  if (target.token !== undefined) headers.set('authorization', `Bearer ${target.token}`);
  const send = target.fetch ?? fetch;
  try {
    return await send(new URL(path, target.url), { ...init, headers });
  } catch (error) {
    throw connectionError(target.url, error, init.signal ?? null);
  }
}

/** Names a failed exchange; an abort of the caller stays what it is. */
export function connectionError(url: string, error: unknown, signal: AbortSignal | null): unknown {
  if (error instanceof Error && error.name === 'TimeoutError') {
    return new OperatingError('timeout', `the node at ${url} did not answer in time`, null, error);
  }
  if (signal?.aborted) return signal.reason;
  return cannotConnect(url, error);
}
