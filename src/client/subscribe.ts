import { cannotConnect, type Target } from './connect.ts';
import { rpcErrorOf } from './rpc-error.ts';

export interface SubscriptionEvent<T> {
  /** Where to resume after this event: a height or a position. */
  readonly cursor: number;
  readonly item: T;
}

export interface SubscribeOptions {
  /** Ends the subscription; the generator returns. */
  readonly signal?: AbortSignal;
  /** Waits between attempts to connect again; the platform's timer by default. */
  readonly wait?: (ms: number) => Promise<void>;
}

const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 5_000;
/** Events that may wait for the consumer; past it the connection is dropped and resumed later. */
const QUEUE_EVENTS_MAX = 1_000;

/** What both `ws` and the platform's WebSocket have. */
export interface Socket {
  send(text: string): void;
  close(): void;
  addEventListener(type: 'open' | 'error' | 'close', listener: (event: unknown) => void): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
}

export async function openSocket({ url, token }: Target): Promise<Socket> {
  const address = new URL('/', url);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  const platform = (globalThis as { WebSocket?: new (url: string, protocols: string[]) => Socket }).WebSocket;
  const Constructor = platform ?? ((await import('ws')).WebSocket as unknown as NonNullable<typeof platform>);
  // Browsers cannot set headers on a WebSocket: the token travels as a subprotocol.
  const session = token === undefined ? [] : [`phaseline.session.${token}`];
  return new Constructor(address.href, ['phaseline.rpc.1', ...session]);
}

/** Events of one connection, until it is lost, the server ends the subscription, or the signal fires. */
class Feed<T> {
  private readonly queue: SubscriptionEvent<T>[] = [];
  private wake: (() => void) | null = null;
  private over = false;
  /** Set when the server said no or ended the subscription. */
  end: { error: unknown } | null = null;
  /** Cursor at which the server began; null until it answered. */
  start: number | null = null;
  connected = false;

  constructor(
    private readonly socket: Socket,
    request: string,
  ) {
    socket.addEventListener('open', () => {
      this.connected = true;
      socket.send(request);
    });
    socket.addEventListener('message', ({ data }) => this.receive(String(data)));
    socket.addEventListener('error', () => this.stop());
    socket.addEventListener('close', () => this.stop());
  }

  stop(): void {
    if (this.over) return;
    this.over = true;
    this.socket.close();
    this.ring();
  }

  private ring(): void {
    this.wake?.();
    this.wake = null;
  }

  private receive(text: string): void {
    const message = JSON.parse(text) as {
      error?: unknown;
      result?: { cursor: number };
      method?: string;
      params?: { cursor: number; item: T; error: unknown };
    };
    if (message.error !== undefined) this.end = { error: message.error };
    else if (message.result !== undefined) this.start = message.result.cursor;
    else if (message.method === 'subscription_end') this.end = { error: message.params?.error ?? null };
    else if (message.method === 'subscription_event' && message.params !== undefined) {
      this.queue.push({ cursor: message.params.cursor, item: message.params.item });
    }
    if (this.end !== null || this.queue.length > QUEUE_EVENTS_MAX) this.stop();
    this.ring();
  }

  async *events(): AsyncGenerator<SubscriptionEvent<T>, void, void> {
    for (;;) {
      const event = this.queue.shift();
      if (event !== undefined) yield event;
      else if (this.over) return;
      else
        await new Promise<void>(resolve => {
          this.wake = resolve;
        });
    }
  }
}

/**
 * @throws RpcError when the server refuses or ends the subscription with an error
 * @throws OperatingError `cannot_connect` when the first connection fails; later losses are tried again
 */
export async function* subscribe<T>(
  target: Target,
  method: string,
  params: { readonly from?: number | null } & Readonly<Record<string, unknown>>,
  options: SubscribeOptions,
): AsyncGenerator<SubscriptionEvent<T>, void, void> {
  const { signal } = options;
  const wait = options.wait ?? (ms => new Promise<void>(resolve => setTimeout(resolve, ms)));
  let from = params.from ?? null;
  let everConnected = false;
  let retryMs = RETRY_MS_MIN;
  while (!signal?.aborted) {
    const request = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, from } });
    const feed = new Feed<T>(await openSocket(target), request);
    const stop = () => feed.stop();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      for await (const event of feed.events()) {
        if (signal?.aborted) return;
        from = event.cursor;
        retryMs = RETRY_MS_MIN;
        yield event;
      }
    } finally {
      signal?.removeEventListener('abort', stop);
      feed.stop();
    }
    from ??= feed.start;
    everConnected ||= feed.connected;
    if (feed.end !== null) {
      if (feed.end.error === null) return;
      throw rpcErrorOf(feed.end.error);
    }
    if (!everConnected && !signal?.aborted) throw cannotConnect(target.url, null);
    if (!signal?.aborted) await wait(retryMs);
    retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
  }
}
