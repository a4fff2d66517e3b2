import { assert } from '../base/assert.ts';
import { hashBytes, utf8 } from '../base/bytes.ts';
import type { Hash } from '../base/ids.ts';

/**
 * Canonical bytes: fixed layout, big-endian, no optional forms, so that one value has exactly one encoding.
 * Variable parts carry a u32 length; lists carry a u32 count.
 */
export class Writer {
  private buffer = new Uint8Array(256);
  private view = new DataView(this.buffer.buffer);
  private length = 0;

  /** Grows before the caller touches `view` or `buffer`: it must be called in a statement of its own. */
  private reserve(bytes: number): number {
    const offset = this.length;
    const needed = offset + bytes;
    if (needed > this.buffer.length) {
      const grown = new Uint8Array(Math.max(needed, this.buffer.length * 2));
      grown.set(this.buffer);
      this.buffer = grown;
      this.view = new DataView(grown.buffer);
    }
    this.length = needed;
    return offset;
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
    return this.fixed(hashBytes(hash), 32);
  }

  bytes(bytes: Uint8Array): this {
    this.u32(bytes.length);
    return this.raw(bytes);
  }

  text(text: string): this {
    return this.bytes(utf8(text));
  }

  list<T>(items: readonly T[], write: (writer: this, item: T) => void): this {
    this.u32(items.length);
    for (const item of items) write(this, item);
    return this;
  }

  /** A copy of what has been written. */
  finish(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }
}
