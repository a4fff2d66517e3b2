import { assert } from '../base/assert.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

const U16_MAX = 0xffff;
const U32_MAX = 0xffff_ffff;
/** Seven bits a byte: 2^53 − 1 takes eight. */
const GROUPS_MAX = 8;

/**
 * Canonical bytes with short numbers: each u16, u32 and u64, counts and lengths among them, is an unsigned LEB128 in its shortest
 * form. For files that people pass on; what is hashed or signed is never written so.
 */
export class CompactWriter extends Writer {
  private number(value: number, valueMax: number): this {
    assert(Number.isSafeInteger(value) && value >= 0 && value <= valueMax, 'number in range');
    let rest = value;
    while (rest > 0x7f) {
      this.u8((rest % 0x80) + 0x80);
      rest = Math.floor(rest / 0x80);
    }
    return this.u8(rest);
  }

  override u16(value: number): this {
    return this.number(value, U16_MAX);
  }

  override u32(value: number): this {
    return this.number(value, U32_MAX);
  }

  override u64(value: number): this {
    return this.number(value, Number.MAX_SAFE_INTEGER);
  }
}

/** Reads what `CompactWriter` writes, and no other form of a number. */
export class CompactReader extends Reader {
  private number(valueMax: number): number {
    let value = 0;
    for (let group = 0; group < GROUPS_MAX && !this.failed; group += 1) {
      const byte = this.u8();
      value += (byte & 0x7f) * 0x80 ** group;
      if (byte > 0x7f) continue;
      if (group > 0 && byte === 0) this.fail('a number in a longer form than it needs');
      if (value > valueMax) this.fail(`number above ${valueMax}`);
      return this.failed ? 0 : value;
    }
    this.fail('a number of too many bytes');
    return 0;
  }

  override u16(): number {
    return this.number(U16_MAX);
  }

  override u32(): number {
    return this.number(U32_MAX);
  }

  override u64(): number {
    return this.number(Number.MAX_SAFE_INTEGER);
  }
}
