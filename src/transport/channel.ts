import type { Stream, StreamMessageEvent } from '@libp2p/interface';
import { isReject, type Reject, reject } from '../core/base/reject.ts';
import type { Clock } from '../ports/clock.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import type { Logger } from '../ports/logger.ts';
import type { PeerId, ProtocolHandler, ProtocolOptions } from '../ports/transport.ts';
import { decodeReject, encodeReject, FRAME_KINDS, type Frame, FrameParser } from './frame.ts';
import type { LinkLimits } from './limits.ts';
import { Outbox } from './outbox.ts';
import { Requester } from './requester.ts';
import { spareWindowUpdates } from './window-updates.ts';

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

/** Requests that a peer may have on the way, for each one that is answered at the same time: the next wait close by. */
const REQUESTS_AHEAD = 2;

/** One protocol with one peer over one long-lived stream that both sides use. */
export class Channel {
  private readonly parser: FrameParser;
  private readonly outbox: Outbox;
  private readonly requester: Requester;
  private stream: Stream | null = null;
  private answering = 0;
  /** Requests that came while as many as allowed were being answered. */
  private parked: Frame[] = [];
  /** For each answer in the outbox, the value of `outbox.pushed` behind it. */
  private answerEnds: number[] = [];
  private paused = false;
  private resuming = false;
  private closed = false;

  constructor(
    private readonly owner: ChannelOwner,
    private readonly protocol: Protocol,
    limits: LinkLimits,
    clock: Clock,
    private readonly logger: Logger,
  ) {
    const { frameBytesMax, outboxBytesMax } = protocol.options;
    this.parser = new FrameParser(frameBytesMax);
    this.outbox = new Outbox(outboxBytesMax, limits.flushBytesMax, () => this.onFlushed());
    const onTheWayMax = protocol.options.requestsInFlightMax * REQUESTS_AHEAD;
    const pendingMax = limits.pendingRequestsMax;
    this.requester = new Requester(this.name, this.outbox, clock, {
      onTheWayMax,
      pendingMax,
      outboxBytesMax,
    });
  }

  get attached(): boolean {
    return this.stream !== null;
  }

  attach(stream: Stream): void {
    this.stream = stream;
    spareWindowUpdates(stream);
    stream.addEventListener('close', ({ error }) => {
      this.owner.lost(error === undefined ? 'stream_closed' : `stream_closed: ${error.message}`);
    });
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
    if (this.fits(payload)) return this.requester.request(payload, options);
    return Promise.reject(new OperatingError('frame_too_large', this.name));
  }

  close(error: OperatingError): void {
    this.closed = true;
    this.parked = [];
    this.outbox.close();
    this.requester.close(error);
  }

  private get name(): string {
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
    if (!this.resuming) this.readFrames();
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

  /** A peer that keeps to the limit (`Requester`) never gets here, so two peers cannot stop each other for good. */
  private busy(): boolean {
    const open = this.answering + this.parked.length + this.answerEnds.length;
    return open >= this.protocol.options.requestsInFlightMax * REQUESTS_AHEAD;
  }

  private onFlushed(): void {
    const left = this.outbox.pushed - this.outbox.bytes;
    this.answerEnds = this.answerEnds.filter(end => end > left);
    this.resumeReading();
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
    if (this.paused || this.closed || this.stream?.readStatus !== 'paused') return;
    // `resume` delivers what has piled up and then opens the window, also when it was paused again meanwhile.
    this.resuming = true;
    this.stream.resume();
    this.resuming = false;
    this.readFrames();
  }

  private handle(frame: Frame): void {
    if (frame.kind === FRAME_KINDS.message) {
      const refused = this.protocol.handler.message?.(this.owner.peer, frame.payload) ?? null;
      if (refused?.peer === 'penalise') this.owner.penalise(`${refused.reject}: ${refused.detail}`);
    } else if (frame.kind === FRAME_KINDS.request) {
      this.parked.push(frame);
      this.startAnswers();
    } else if (frame.kind === FRAME_KINDS.response) {
      this.requester.answered(frame.id, frame.payload);
    } else if (frame.kind === FRAME_KINDS.reject) {
      this.requester.answered(frame.id, decodeReject(frame.payload));
    } else {
      this.owner.penalise(`a frame of kind ${frame.kind} on a protocol stream`);
    }
  }

  private startAnswers(): void {
    while (this.answering < this.protocol.options.requestsInFlightMax) {
      const frame = this.parked.shift();
      if (frame === undefined) return;
      this.answering += 1;
      void this.answer(frame);
    }
  }

  private async answer(frame: Frame): Promise<void> {
    const answer = await this.ask(frame.payload);
    this.answering -= 1;
    if (this.closed) return;
    if (isReject(answer)) this.outbox.push(FRAME_KINDS.reject, frame.id, [encodeReject(answer)]);
    else this.outbox.push(FRAME_KINDS.response, frame.id, answer);
    this.answerEnds.push(this.outbox.pushed);
    if (isReject(answer) && answer.reject === 'undecodable') {
      // Two turns later, so that the answer leaves before the link is closed.
      setImmediate(() => setImmediate(() => this.owner.penalise(`undecodable: ${answer.detail}`)));
    }
    this.startAnswers();
    this.resumeReading();
  }

  private async ask(payload: Uint8Array): Promise<readonly Uint8Array[] | Reject> {
    const { handler, options } = this.protocol;
    if (handler.request === undefined)
      return reject('unsupported', `${options.id} takes no requests`, 'ignore');
    try {
      const answer = await handler.request(this.owner.peer, payload);
      if (isReject(answer)) return answer;
      const pieces = answer instanceof Uint8Array ? [answer] : answer;
      const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
      if (bytes <= options.frameBytesMax) return pieces;
      return reject('answer_too_large', `${bytes} bytes, at most ${options.frameBytesMax}`, 'ignore');
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
