import { assert } from '../base/assert.ts';
import { utf8, writeHex } from '../base/bytes.ts';
import type { Hash, Sha256 } from '../base/ids.ts';

interface Scratch {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

const SCRATCH_BYTES = 256;
/** A buffer that grew beyond this is not kept. */
const SCRATCH_BYTES_MAX = 64 * 1024;
const SCRATCHES_MAX = 16;
/** Text up to this length, in characters, is looked at before an encoder is asked. */
const PLAIN_TEXT_MAX = 80;
/** Buffers of finished writers, for the next ones: most values are short, and a buffer costs more than what is written into it. */
const spare: Scratch[] = [];
const NOTHING = new Uint8Array(0);

function newScratch(length: number): Scratch {
  const bytes = new Uint8Array(length);
  return { bytes, view: new DataView(bytes.buffer) };
}

/**
 * Canonical bytes: fixed layout, big-endian, no optional forms, so that one value has exactly one encoding.
 * Variable parts carry a u32 length; lists carry a u32 count.
 */
export class Writer {
  private scratch: Scratch | null = spare.pop() ?? newScratch(SCRATCH_BYTES);
  private buffer = this.scratch?.bytes as Uint8Array;
  private view = this.scratch?.view as DataView;
  private length = 0;

  /** Grows before the caller touches `view` or `buffer`: it must be called in a statement of its own. */
  private reserve(bytes: number): number {
    const offset = this.length;
    const needed = offset + bytes;
    if (needed > this.buffer.length) this.grow(needed);
    this.length = needed;
    return offset;
  }

  private grow(needed: number): void {
    assert(this.scratch !== null, 'a writer is not used after it has finished');
    const grown = newScratch(Math.max(needed, this.buffer.length * 2));
    grown.bytes.set(this.buffer);
    this.scratch = grown;
    this.buffer = grown.bytes;
    this.view = grown.view;
  }

  u8(value: number): this {
    assert(Number.isInteger(value) && value >= 0 && value <= 0xff, 'u8 range');
    const offset = this.reserve(1);
    this.view.setUint8(offset, value);
    return this;
  }

  bool(value: boolean): this {
    return this.u8(value ? 1 : 0);
  }

  u16(value: number): this {
    assert(Number.isInteger(value) && value >= 0 && value <= 0xffff, 'u16 range');
    const offset = this.reserve(2);
    this.view.setUint16(offset, value);
    return this;
  }

  u32(value: number): this {
    assert(Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff, 'u32 range');
    const offset = this.reserve(4);
    this.view.setUint32(offset, value);
    return this;
  }

  /** Eight bytes on the wire; values up to 2^53 − 1, so that no JavaScript number is ever rounded. */
  u64(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, 'u64 range');
    const offset = this.reserve(8);
    this.view.setUint32(offset, Math.floor(value / 0x1_0000_0000));
    this.view.setUint32(offset + 4, value >>> 0);
    return this;
  }

  /** Bytes whose length both sides know. */
  fixed(bytes: Uint8Array, length: number): this {
    assert(bytes.length === length, 'fixed-length field');
    const offset = this.reserve(length);
    this.buffer.set(bytes, offset);
    return this;
  }

  raw(bytes: Uint8Array): this {
    const offset = this.reserve(bytes.length);
    this.buffer.set(bytes, offset);
    return this;
  }

  hash(hash: Hash): this {
    const offset = this.reserve(32);
    assert(writeHex(hash, this.buffer, offset, 32), 'a Hash is 64 hexadecimal characters');
    return this;
  }

  bytes(bytes: Uint8Array): this {
    this.u32(bytes.length);
    return this.raw(bytes);
  }

  /** In UTF-8. Names and ids are short and of ASCII characters, which are their own bytes. */
  text(text: string): this {
    if (text.length > PLAIN_TEXT_MAX) return this.bytes(utf8(text));
    const start = this.length;
    const offset = this.u32(text.length).reserve(text.length);
    for (let index = 0; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) {
        this.length = start;
        return this.bytes(utf8(text));
      }
      this.buffer[offset + index] = code;
    }
    return this;
  }

  list<T>(items: readonly T[], write: (writer: this, item: T) => void): this {
    this.u32(items.length);
    for (const item of items) write(this, item);
    return this;
  }

  /** A copy of what has been written; the writer is used up. */
  finish(): Uint8Array {
    const written = this.buffer.slice(0, this.length);
    this.release();
    return written;
  }

  /** The hash of what has been written, of which no copy is made; the writer is used up. */
  digest(sha256: Sha256): Hash {
    const hash = sha256(this.buffer.subarray(0, this.length));
    this.release();
    return hash;
  }

  private release(): void {
    assert(this.scratch !== null, 'a writer finishes once');
    if (this.buffer.length <= SCRATCH_BYTES_MAX && spare.length < SCRATCHES_MAX) spare.push(this.scratch);
    this.scratch = null;
    this.buffer = NOTHING;
  }
}
