import type { Reject } from '../core/base/reject.ts';
import type { Clock } from '../ports/clock.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import { FRAME_KINDS } from './frame.ts';
import type { Outbox } from './outbox.ts';

type Answer = Uint8Array | Reject | OperatingError;
type Settle = (answer: Answer) => void;

export interface RequesterLimits {
  /** Requests without an answer that may be on the way; more wait here. */
  readonly onTheWayMax: number;
  readonly pendingMax: number;
  readonly outboxBytesMax: number;
}

const REQUEST_ID_MAX = 0xffff_ffff;

/**
 * Own requests to one peer on one protocol. The peer is never sent more than it takes without closing its stream: if both
 * sides did that to each other, the answers behind the requests could not pass either.
 */
export class Requester {
  private readonly pending = new Map<number, Settle>();
  private readonly waiting = new Map<number, Uint8Array>();
  private readonly onTheWay = new Set<number>();
  private waitingBytes = 0;
  private nextId = 1;

  constructor(
    private readonly name: string,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
    private readonly limits: RequesterLimits,
  ) {}

  request(
    payload: Uint8Array,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<Uint8Array | Reject> {
    return new Promise((resolve, fail) => {
      const bytes = this.outbox.bytes + this.waitingBytes;
      const { pendingMax, outboxBytesMax } = this.limits;
      if (this.pending.size >= pendingMax || bytes + payload.length > outboxBytesMax) {
        fail(
          new OperatingError(
            'outbox_full',
            `${this.pending.size} requests, ${bytes} bytes wait: ${this.name}`,
          ),
        );
        return;
      }
      const id = this.nextId;
      this.nextId = id === REQUEST_ID_MAX ? 1 : id + 1;
      const settle: Settle = answer => {
        this.forget(id);
        timer.cancel();
        options.signal?.removeEventListener('abort', aborted);
        if (answer instanceof OperatingError) fail(answer);
        else resolve(answer);
      };
      const aborted = () => settle(new OperatingError('aborted', `the request was abandoned: ${this.name}`));
      const late = `no answer within ${options.timeoutMs} ms: ${this.name}`;
      const timer = this.clock.setTimer(options.timeoutMs, () => settle(new OperatingError('timeout', late)));
      this.pending.set(id, settle);
      this.waiting.set(id, payload);
      this.waitingBytes += payload.length;
      if (options.signal?.aborted) aborted();
      else options.signal?.addEventListener('abort', aborted);
      this.pump();
    });
  }

  /** An answer came; one that nobody waits for any more frees its place all the same. */
  answered(id: number, answer: Uint8Array | Reject): void {
    this.onTheWay.delete(id);
    this.pending.get(id)?.(answer);
    this.pump();
  }

  close(error: OperatingError): void {
    for (const settle of [...this.pending.values()]) settle(error);
  }

  private forget(id: number): void {
    this.pending.delete(id);
    this.waitingBytes -= this.waiting.get(id)?.length ?? 0;
    this.waiting.delete(id);
  }

  private pump(): void {
    for (const [id, payload] of this.waiting) {
      if (this.onTheWay.size >= this.limits.onTheWayMax) return;
      this.waiting.delete(id);
      this.waitingBytes -= payload.length;
      this.onTheWay.add(id);
      this.outbox.push(FRAME_KINDS.request, id, [payload]);
    }
  }
}
