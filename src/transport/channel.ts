import type { Stream, StreamMessageEvent } from '@libp2p/interface';
import { isReject, type Reject, reject } from '../core/base/reject.ts';
import type { Clock } from '../ports/clock.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import type { Logger } from '../ports/logger.ts';
import type { PeerId, ProtocolHandler, ProtocolOptions } from '../ports/transport.ts';
import { decodeReject, encodeReject, FRAME_KINDS, type Frame, FrameParser } from './frame.ts';
import type { LinkLimits } from './limits.ts';
import { Outbox } from './outbox.ts';

export interface Protocol {
  readonly options: ProtocolOptions;
  readonly handler: ProtocolHandler;
}

export interface ChannelOwner {
  readonly peer: PeerId;
  /** A byte came in: the peer lives. */
  touched(): void;
  penalise(reason: string): void;
  lost(reason: string): void;
}

type Settle = (answer: Uint8Array | Reject | OperatingError) => void;

const REQUEST_ID_MAX = 0xffff_ffff;

/** One protocol with one peer over one long-lived stream that both sides use. */
export class Channel {
  private readonly parser: FrameParser;
  private readonly outbox: Outbox;
  private readonly pending = new Map<number, Settle>();
  private stream: Stream | null = null;
  private nextId = 1;
  private answering = 0;
  private paused = false;
  private closed = false;

  constructor(
    private readonly owner: ChannelOwner,
    private readonly protocol: Protocol,
    private readonly limits: LinkLimits,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {
    const { frameBytesMax, outboxBytesMax } = protocol.options;
    this.parser = new FrameParser(frameBytesMax);
    this.outbox = new Outbox(outboxBytesMax, limits.flushBytesMax, () => this.resumeReading());
  }

  get attached(): boolean {
    return this.stream !== null;
  }

  attach(stream: Stream): void {
    this.stream = stream;
    stream.addEventListener('close', () => this.owner.lost('stream_closed'));
    stream.addEventListener('remoteCloseWrite', () => this.owner.lost('stream_closed'));
    this.outbox.attach(stream);
  }

  /** Starts reading; what came in before waits in the stream. */
  begin(): void {
    this.stream?.addEventListener('message', event => this.onData(event));
  }

  send(payload: Uint8Array): boolean {
    if (!this.fits(payload)) return false;
    return this.outbox.offer(FRAME_KINDS.message, 0, payload);
  }

  request(
    payload: Uint8Array,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<Uint8Array | Reject> {
    return new Promise((resolve, fail) => {
      if (!this.fits(payload)) return fail(new OperatingError('frame_too_large', this.name()));
      const id = this.nextId;
      if (this.pending.size >= this.limits.pendingRequestsMax) {
        return fail(new OperatingError('outbox_full', `too many requests wait: ${this.name()}`));
      }
      if (!this.outbox.offer(FRAME_KINDS.request, id, payload)) {
        return fail(new OperatingError('outbox_full', `${this.outbox.bytes} bytes wait: ${this.name()}`));
      }
      this.nextId = id === REQUEST_ID_MAX ? 1 : id + 1;
      const settle: Settle = answer => {
        this.pending.delete(id);
        timer.cancel();
        options.signal?.removeEventListener('abort', aborted);
        if (answer instanceof OperatingError) fail(answer);
        else resolve(answer);
      };
      const aborted = () =>
        settle(new OperatingError('aborted', `the request was abandoned: ${this.name()}`));
      const late = `no answer within ${options.timeoutMs} ms: ${this.name()}`;
      const timer = this.clock.setTimer(options.timeoutMs, () => settle(new OperatingError('timeout', late)));
      this.pending.set(id, settle);
      if (options.signal?.aborted) aborted();
      else options.signal?.addEventListener('abort', aborted);
    });
  }

  close(error: OperatingError): void {
    this.closed = true;
    this.outbox.close();
    for (const settle of [...this.pending.values()]) settle(error);
  }

  private name(): string {
    return `${this.protocol.options.id} with ${this.owner.peer}`;
  }

  private fits(payload: Uint8Array): boolean {
    const { frameBytesMax } = this.protocol.options;
    if (payload.length <= frameBytesMax) return true;
    this.logger.error(
      { protocol: this.protocol.options.id, bytes: payload.length, frameBytesMax },
      'frame too large',
    );
    return false;
  }

  private onData(event: StreamMessageEvent): void {
    this.owner.touched();
    if (event.data instanceof Uint8Array) this.parser.push(event.data);
    else for (const chunk of event.data) this.parser.push(chunk);
    this.readFrames();
  }

  private readFrames(): void {
    while (!this.closed) {
      const kind = this.parser.nextKind();
      if (kind === null) break;
      // The only real back-pressure of libp2p is a paused stream (DEPENDENCIES.md).
      if (kind === FRAME_KINDS.request && this.busy()) {
        this.pauseReading();
        return;
      }
      const frame = this.parser.take();
      if (frame !== null) this.handle(frame);
    }
    if (!this.closed && this.parser.fault !== null) this.owner.penalise(this.parser.fault);
  }

  private busy(): boolean {
    return this.answering >= this.protocol.options.requestsInFlightMax || this.outbox.full;
  }

  private pauseReading(): void {
    if (this.paused) return;
    this.paused = true;
    if (this.stream?.readStatus === 'readable') this.stream.pause();
  }

  private resumeReading(): void {
    if (!this.paused || this.closed || this.busy()) return;
    this.paused = false;
    this.readFrames();
    if (!this.paused && !this.closed && this.stream?.readStatus === 'paused') this.stream.resume();
  }

  private handle(frame: Frame): void {
    if (frame.kind === FRAME_KINDS.message) {
      const refused = this.protocol.handler.message?.(this.owner.peer, frame.payload) ?? null;
      if (refused?.peer === 'penalise') this.owner.penalise(`${refused.reject}: ${refused.detail}`);
    } else if (frame.kind === FRAME_KINDS.request) {
      this.answering += 1;
      void this.answer(frame);
    } else if (frame.kind === FRAME_KINDS.response) {
      this.pending.get(frame.id)?.(frame.payload);
    } else if (frame.kind === FRAME_KINDS.reject) {
      this.pending.get(frame.id)?.(decodeReject(frame.payload));
    } else {
      this.owner.penalise(`a frame of kind ${frame.kind} on a protocol stream`);
    }
  }

  private async answer(frame: Frame): Promise<void> {
    const answer = await this.ask(frame.payload);
    this.answering -= 1;
    if (this.closed) return;
    const { frameBytesMax } = this.protocol.options;
    if (isReject(answer)) this.outbox.push(FRAME_KINDS.reject, frame.id, encodeReject(answer));
    else if (answer.length <= frameBytesMax) this.outbox.push(FRAME_KINDS.response, frame.id, answer);
    else
      this.outbox.push(
        FRAME_KINDS.reject,
        frame.id,
        encodeReject(reject('answer_too_large', `${answer.length} bytes`, 'ignore')),
      );
    if (isReject(answer) && answer.reject === 'undecodable') {
      // Two turns later, so that the answer leaves before the link is closed.
      setImmediate(() => setImmediate(() => this.owner.penalise(`undecodable: ${answer.detail}`)));
    }
    this.resumeReading();
  }

  private async ask(payload: Uint8Array): Promise<Uint8Array | Reject> {
    const { handler, options } = this.protocol;
    if (handler.request === undefined)
      return reject('unsupported', `${options.id} takes no requests`, 'ignore');
    try {
      return await handler.request(this.owner.peer, payload);
    } catch (error) {
      // Anything else is a broken invariant and stops the process.
      if (!(error instanceof OperatingError)) throw error;
      this.logger.warn(
        { protocol: options.id, code: error.code, reason: error.message },
        'request not answered',
      );
      return reject('unavailable', error.message, 'ignore');
    }
  }
}
