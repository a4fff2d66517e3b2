import type { Stream } from '@libp2p/interface';
import { Uint8ArrayList } from 'uint8arraylist';
import { concatBytes } from '../core/base/bytes.ts';
import { FRAME_HEADER_BYTES, type FrameKind, frameHeader } from './frame.ts';

/** A piece of at most this many bytes is copied to its neighbours; a longer one is sent where it lies. */
const COPIED_BYTES_MAX = 8 * 1024;

/**
 * What waits for one peer on one protocol. Frames of one turn of the event loop leave in one `send`: libp2p's cost is a
 * send, not a byte (DEPENDENCIES.md). Bounded by `bytesMax`.
 */
export class Outbox {
  /** Bytes that the stream has not taken yet, headers included. */
  bytes = 0;
  /** Bytes that were ever queued; `pushed - bytes` have left. */
  pushed = 0;
  private pieces: Uint8Array[] = [];
  /** Bytes of the first piece that have left. */
  private offset = 0;
  private stream: Stream | null = null;
  private scheduled = false;
  private closed = false;

  constructor(
    private readonly bytesMax: number,
    private readonly flushBytesMax: number,
    private readonly flushed: () => void,
  ) {}

  attach(stream: Stream): void {
    this.stream = stream;
    // Not at once: inside these events the stream may be in the middle of sending.
    stream.addEventListener('drain', () => this.schedule());
    stream.addEventListener('idle', () => this.schedule());
    this.schedule();
  }

  /** @returns false, and nothing queued, when the frame does not fit */
  offer(kind: FrameKind, id: number, payload: Uint8Array): boolean {
    if (this.closed || this.bytes + payload.length > this.bytesMax) return false;
    this.push(kind, id, [payload]);
    return true;
  }

  /**
   * Requests and answers are not refused here: their number on the way is bounded.
   * @param payload in pieces, which nobody writes into any more
   */
  push(kind: FrameKind, id: number, payload: readonly Uint8Array[]): void {
    if (this.closed) return;
    const bytes = payload.reduce((sum, piece) => sum + piece.length, 0);
    this.pieces.push(frameHeader(kind, id, bytes), ...payload.filter(piece => piece.length > 0));
    this.bytes += FRAME_HEADER_BYTES + bytes;
    this.pushed += FRAME_HEADER_BYTES + bytes;
    this.schedule();
  }

  close(): void {
    this.closed = true;
    this.pieces = [];
    this.bytes = 0;
    this.stream = null;
  }

  private schedule(): void {
    if (this.scheduled || this.stream === null || this.bytes === 0) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.flush();
    });
  }

  private flush(): void {
    const before = this.bytes;
    while (this.bytes > 0 && this.stream !== null && this.takesMore(this.stream))
      this.stream.send(joinSmall(this.cut()));
    if (this.bytes < before) this.flushed();
  }

  /**
   * `onDrain()` of libp2p resolves at once for ever after its first use, so the stream's own flags decide. Its buffer counts
   * too: the muxer's drain clears the flag of a stream whose window is still closed.
   */
  private takesMore(stream: Stream): boolean {
    const { writeStatus, writableNeedsDrain, writeBufferLength } = stream;
    return writeStatus === 'writable' && !writableNeedsDrain && writeBufferLength < this.flushBytesMax;
  }

  private cut(): Uint8Array[] {
    const parts: Uint8Array[] = [];
    const bytes = Math.min(this.bytes, this.flushBytesMax);
    let filled = 0;
    let used = 0;
    while (filled < bytes) {
      const piece = this.pieces[used]!;
      const part = piece.subarray(this.offset, this.offset + bytes - filled);
      parts.push(part);
      filled += part.length;
      this.offset += part.length;
      if (this.offset === piece.length) {
        this.offset = 0;
        used += 1;
      }
    }
    this.pieces = used === this.pieces.length ? [] : this.pieces.slice(used);
    this.bytes -= bytes;
    return parts;
  }
}

/** Many small pieces cost more than their bytes, and long ones cost their bytes. */
function joinSmall(parts: readonly Uint8Array[]): Uint8ArrayList {
  const joined = new Uint8ArrayList();
  let small: Uint8Array[] = [];
  const join = () => {
    if (small.length > 0) joined.append(small.length === 1 ? small[0]! : concatBytes(...small));
    small = [];
  };
  for (const part of parts) {
    if (part.length <= COPIED_BYTES_MAX) {
      small.push(part);
      continue;
    }
    join();
    joined.append(part);
  }
  join();
  return joined;
}
