import type { Stream, StreamMessageEvent } from '@libp2p/interface';
import type { Clock, Timer } from '../ports/clock.ts';
import { FRAME_KINDS, type Frame, type FrameKind, FrameParser, frameHeader } from './frame.ts';

const EMPTY = new Uint8Array(0);

/** The link's own stream: one hello, one answer, then heartbeats. */
export class ControlStream {
  private readonly parser: FrameParser;
  private waiting: ((frame: Frame | null) => void) | null = null;
  private listener: ((kind: FrameKind) => void) | null = null;

  constructor(
    private readonly stream: Stream,
    private readonly clock: Clock,
    frameBytesMax: number,
  ) {
    this.parser = new FrameParser(frameBytesMax);
    stream.addEventListener('message', event => this.onData(event));
    stream.addEventListener('close', () => this.waiting?.(null));
  }

  /** The next frame; null after `timeoutMs`, at the end of the stream, or when it is not understood. */
  next(timeoutMs: number): Promise<Frame | null> {
    return new Promise(resolve => {
      let timer: Timer | null = null;
      this.waiting = frame => {
        this.waiting = null;
        timer?.cancel();
        resolve(frame);
      };
      timer = this.clock.setTimer(timeoutMs, () => this.waiting?.(null));
      if (this.stream.status !== 'open') this.waiting(null);
      else this.deliver();
    });
  }

  listen(onFrame: (kind: FrameKind) => void, onClose: () => void): void {
    this.listener = onFrame;
    this.stream.addEventListener('close', onClose);
    this.stream.addEventListener('remoteCloseWrite', onClose);
    this.deliver();
  }

  send(kind: FrameKind, payload: Uint8Array): void {
    if (this.stream.writeStatus !== 'writable') return;
    this.stream.send(frameHeader(kind, 0, payload.length));
    if (payload.length > 0) this.stream.send(payload);
  }

  /** A sign of life; left out while the last one has not left, so that a stalled peer costs no memory. */
  beat(): void {
    if (this.stream.writeBufferLength === 0) this.send(FRAME_KINDS.beat, EMPTY);
  }

  abort(reason: string): void {
    this.stream.abort(new Error(reason));
  }

  private onData(event: StreamMessageEvent): void {
    if (event.data instanceof Uint8Array) this.parser.push(event.data);
    else for (const chunk of event.data) this.parser.push(chunk);
    this.deliver();
  }

  private deliver(): void {
    while (this.listener !== null || this.waiting !== null) {
      const frame = this.parser.take();
      if (frame === null) break;
      if (this.listener !== null) this.listener(frame.kind);
      else this.waiting?.(frame);
    }
    if (this.parser.fault !== null) this.abort(this.parser.fault);
  }
}
