import { isReject, type Reject, reject } from '../core/base/reject.ts';
import { Reader } from '../core/codec/reader.ts';
import { Writer } from '../core/codec/writer.ts';

/** `hello`, `accept`, `refuse` and `beat` are the link's own; the others carry a protocol's frames. */
export const FRAME_KINDS = {
  message: 0,
  request: 1,
  response: 2,
  reject: 3,
  hello: 4,
  accept: 5,
  refuse: 6,
  beat: 7,
} as const;

export type FrameKind = (typeof FRAME_KINDS)[keyof typeof FRAME_KINDS];

/** u32 payload length ‖ u8 kind ‖ u32 request id. */
export const FRAME_HEADER_BYTES = 9;

export interface Frame {
  readonly kind: FrameKind;
  /** Number of the request; 0 for the other kinds. */
  readonly id: number;
  readonly payload: Uint8Array;
}

export function frameHeader(kind: FrameKind, id: number, payloadBytes: number): Uint8Array {
  const header = new Uint8Array(FRAME_HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, payloadBytes);
  view.setUint8(4, kind);
  view.setUint32(5, id);
  return header;
}

/** Cuts a byte stream into frames, synchronously; streams do not keep message boundaries. */
export class FrameParser {
  /** Why the stream can no longer be understood; final. */
  fault: string | null = null;
  private chunks: Uint8Array[] = [];
  private available = 0;
  private head: { readonly kind: FrameKind; readonly id: number; readonly bytes: number } | null = null;

  constructor(private readonly frameBytesMax: number) {}

  push(chunk: Uint8Array): void {
    if (chunk.length === 0 || this.fault !== null) return;
    // A plain view: `slice` of a Buffer would share memory instead of copying.
    this.chunks.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
    this.available += chunk.length;
  }

  /** The kind of the next whole frame; null while it is not there. */
  nextKind(): FrameKind | null {
    if (this.fault !== null) return null;
    if (this.head === null && !this.readHeader()) return null;
    return this.head !== null && this.available >= this.head.bytes ? this.head.kind : null;
  }

  take(): Frame | null {
    if (this.nextKind() === null || this.head === null) return null;
    const { kind, id, bytes } = this.head;
    this.head = null;
    return { kind, id, payload: this.read(bytes) };
  }

  private readHeader(): boolean {
    if (this.available < FRAME_HEADER_BYTES) return false;
    const header = this.read(FRAME_HEADER_BYTES);
    const view = new DataView(header.buffer, header.byteOffset, header.length);
    const bytes = view.getUint32(0);
    const kind = view.getUint8(4);
    if (bytes > this.frameBytesMax) this.fault = `a frame of ${bytes} bytes, ${this.frameBytesMax} allowed`;
    else if (kind > FRAME_KINDS.beat) this.fault = `a frame of unknown kind ${kind}`;
    else this.head = { kind: kind as FrameKind, id: view.getUint32(5), bytes };
    if (this.fault === null) return true;
    this.chunks = [];
    this.available = 0;
    return false;
  }

  private read(bytes: number): Uint8Array {
    this.available -= bytes;
    const first = this.chunks[0];
    if (first !== undefined && first.length >= bytes) {
      if (first.length === bytes) this.chunks.shift();
      else this.chunks[0] = first.subarray(bytes);
      // A view would keep the whole chunk alive for a small frame.
      return bytes * 2 < first.buffer.byteLength ? first.slice(0, bytes) : first.subarray(0, bytes);
    }
    // Not cleared: all of it is written here.
    const whole = new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer);
    let offset = 0;
    let used = 0;
    while (offset < bytes) {
      const chunk = this.chunks[used]!;
      const part = chunk.subarray(0, bytes - offset);
      whole.set(part, offset);
      offset += part.length;
      if (part.length === chunk.length) used += 1;
      else this.chunks[used] = chunk.subarray(part.length);
    }
    this.chunks.splice(0, used);
    return whole;
  }
}

const REJECT_DETAIL_CHARACTERS = 1_024;

export function encodeReject(refusal: Reject): Uint8Array {
  const detail = refusal.detail.slice(0, REJECT_DETAIL_CHARACTERS);
  return new Writer()
    .text(refusal.reject)
    .text(detail)
    .bool(refusal.peer === 'penalise')
    .finish();
}

export function decodeReject(bytes: Uint8Array): Reject {
  const reader = new Reader(bytes);
  const code = reader.text(128);
  const detail = reader.text(REJECT_DETAIL_CHARACTERS * 4);
  const penalise = reader.bool();
  const read = reader.finish({ code, detail, penalise }, 'reject');
  if (isReject(read)) return reject('undecodable', 'the peer refused in a form that is not understood');
  return reject(read.code, read.detail, read.penalise ? 'penalise' : 'ignore');
}

/** The protocol ids that a node speaks, in a hello and its acceptance. */
export function encodeProtocols(ids: readonly string[]): Uint8Array {
  return new Writer().list(ids, (out, id) => out.text(id)).finish();
}

export function decodeProtocols(bytes: Uint8Array, protocolsMax: number): readonly string[] | Reject {
  const reader = new Reader(bytes);
  const ids = reader.list(protocolsMax, from => from.text(128));
  return reader.finish(ids, 'protocols');
}
