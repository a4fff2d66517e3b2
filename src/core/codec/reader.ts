import { hashAt, utf8Decode } from '../base/bytes.ts';
import { type Hash, ZERO_HASH } from '../base/ids.ts';
import { type Reject, reject } from '../base/reject.ts';

/**
 * Reads canonical bytes without exceptions: the first fault is kept, later reads answer zero values, and `finish`
 * tells whether every byte was read and valid. Lengths are checked against the bytes that are there before anything
 * is allocated (SCENARIOS 32, 97).
 */
export class Reader {
  private readonly source: Uint8Array;
  private offset = 0;
  private fault: string | null = null;

  constructor(source: Uint8Array) {
    // A plain view: `slice` of a Buffer would share memory instead of copying.
    const isPlain = Object.getPrototypeOf(source) === Uint8Array.prototype;
    this.source = isPlain ? source : new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  }

  /** Keeps the first fault; for checks that a caller makes on what it read. */
  fail(fault: string): void {
    this.fault ??= fault;
  }

  get failed(): boolean {
    return this.fault !== null;
  }

  private take(bytes: number): number {
    const offset = this.offset;
    if (this.fault !== null || offset + bytes > this.source.length) {
      this.fail('truncated');
      return -1;
    }
    this.offset = offset + bytes;
    return offset;
  }

  private u16At(offset: number): number {
    return ((this.source[offset] as number) << 8) | (this.source[offset + 1] as number);
  }

  private u32At(offset: number): number {
    return this.u16At(offset) * 0x1_0000 + this.u16At(offset + 2);
  }

  u8(): number {
    const offset = this.take(1);
    return offset < 0 ? 0 : (this.source[offset] as number);
  }

  bool(): boolean {
    const value = this.u8();
    if (value > 1) this.fail('boolean is neither 0 nor 1');
    return value === 1;
  }

  u16(): number {
    const offset = this.take(2);
    return offset < 0 ? 0 : this.u16At(offset);
  }

  u32(): number {
    const offset = this.take(4);
    return offset < 0 ? 0 : this.u32At(offset);
  }

  u64(): number {
    const offset = this.take(8);
    if (offset < 0) return 0;
    const high = this.u32At(offset);
    if (high > 0x1f_ffff) {
      this.fail('integer above 2^53 - 1');
      return 0;
    }
    return high * 0x1_0000_0000 + this.u32At(offset + 4);
  }

  /** A copy: what is decoded never aliases a network buffer. */
  fixed(length: number): Uint8Array {
    const offset = this.take(length);
    return offset < 0 ? new Uint8Array(length) : this.source.slice(offset, offset + length);
  }

  hash(): Hash {
    const offset = this.take(32);
    return offset < 0 ? ZERO_HASH : hashAt(this.source, offset);
  }

  /** @param bytesMax largest length that is accepted, in bytes */
  bytes(bytesMax: number): Uint8Array {
    const length = this.u32();
    if (length > bytesMax) {
      this.fail(`field of ${length} bytes, at most ${bytesMax}`);
      return new Uint8Array(0);
    }
    const offset = this.take(length);
    return offset < 0 ? new Uint8Array(0) : this.source.slice(offset, offset + length);
  }

  /** @param bytesMax largest length of the UTF-8 form, in bytes */
  text(bytesMax: number): string {
    const text = utf8Decode(this.bytes(bytesMax));
    if (text === null) this.fail('text is not UTF-8');
    return text ?? '';
  }

  list<T>(countMax: number, read: (reader: this) => T): T[] {
    const count = this.u32();
    if (count > countMax) {
      this.fail(`list of ${count}, at most ${countMax}`);
      return [];
    }
    const items: T[] = [];
    for (let index = 0; index < count && this.fault === null; index += 1) items.push(read(this));
    return items;
  }

  /** Every byte must have been read; otherwise the value is refused whole. */
  finish<T>(value: T, what: string): T | Reject {
    if (this.fault === null && this.offset !== this.source.length) this.fail('trailing bytes');
    return this.fault === null ? value : reject('malformed', `${what}: ${this.fault}`);
  }
}
