import type { Logger } from '../ports/logger.ts';
import { failure, failureOfThrown } from './errors.ts';
import type { Connection, Emit } from './method.ts';

interface Subscription {
  readonly id: string;
  readonly run: (emit: Emit, signal: AbortSignal) => Promise<void>;
  readonly abort: AbortController;
}

/**
 * The subscriptions of one WebSocket. Events are sent one after another and each waits until the socket took it, so a
 * slow reader holds its source back and nothing piles up (SCENARIOS 95).
 */
export class Subscriptions implements Connection {
  private readonly open = new Map<string, Subscription>();
  private waiting: Subscription[] = [];
  private last = 0;

  /** @param send resolves when the socket took the text */
  constructor(
    private readonly options: {
      readonly send: (text: string) => Promise<void>;
      readonly limit: number;
      readonly logger: Logger;
      /** Called with the change of the number of running subscriptions. */
      readonly onCount: (change: 1 | -1) => void;
    },
  ) {}

  subscribe(run: Subscription['run']): string {
    if (this.open.size >= this.options.limit) {
      throw failure(
        'limit_exceeded',
        'too_many_subscriptions',
        `a connection has at most ${this.options.limit} subscriptions`,
        'Cancel one, or open another connection.',
      );
    }
    this.last += 1;
    const subscription = { id: String(this.last), run, abort: new AbortController() };
    this.open.set(subscription.id, subscription);
    this.waiting.push(subscription);
    this.options.onCount(1);
    return subscription.id;
  }

  cancel(id: string): boolean {
    const subscription = this.open.get(id);
    if (subscription === undefined) return false;
    this.remove(subscription);
    return true;
  }

  /** Starts what was subscribed since the last call: after the answers that name the subscriptions were sent. */
  startWaiting(): void {
    const starting = this.waiting;
    this.waiting = [];
    for (const subscription of starting) if (this.open.has(subscription.id)) void this.pump(subscription);
  }

  closeAll(): void {
    for (const subscription of [...this.open.values()]) this.remove(subscription);
  }

  private remove(subscription: Subscription): void {
    if (!this.open.delete(subscription.id)) return;
    subscription.abort.abort();
    this.options.onCount(-1);
  }

  private async pump(subscription: Subscription): Promise<void> {
    const { id, run, abort } = subscription;
    const notify = (method: string, params: object) =>
      this.options.send(JSON.stringify({ jsonrpc: '2.0', method, params: { subscription: id, ...params } }));
    try {
      await run(event => notify('subscription_event', event), abort.signal);
      if (!abort.signal.aborted) await notify('subscription_end', { error: null });
    } catch (thrown) {
      if (abort.signal.aborted) return;
      const known = failureOfThrown(thrown, false);
      if (known === null) this.options.logger.error({ error: thrown }, 'a subscription failed');
      const error = known ?? failure('internal_error', 'internal_error', 'Internal error');
      await notify('subscription_end', { error: error.toObject() }).catch(() => {});
    } finally {
      this.remove(subscription);
    }
  }
}
