import { describe, expect, it } from 'vitest';
import { isReject } from '../../src/core/base/reject.ts';
import { CompactReader, CompactWriter } from '../../src/core/codec/compact.ts';

const bytesOf = (value: number) => [...new CompactWriter().u64(value).finish()];
const read = (bytes: readonly number[], take: (reader: CompactReader) => number = reader => reader.u64()) => {
  const reader = new CompactReader(new Uint8Array(bytes));
  return reader.finish(take(reader), 'number');
};

describe('canonical bytes with short numbers', () => {
  it('have one form for each number up to 2^53 − 1', () => {
    expect(bytesOf(0)).toEqual([0]);
    expect(bytesOf(127)).toEqual([127]);
    expect(bytesOf(128)).toEqual([0x80, 1]);
    expect(bytesOf(300)).toEqual([0xac, 2]);
    for (let bit = 0; bit < 53; bit += 1) {
      for (const value of [2 ** bit - 1, 2 ** bit, Math.min(2 ** bit + 1, Number.MAX_SAFE_INTEGER)]) {
        expect(read(bytesOf(value)), `${value}`).toBe(value);
      }
    }
    expect(read(bytesOf(Number.MAX_SAFE_INTEGER))).toBe(Number.MAX_SAFE_INTEGER);
  });

  it('[97] refuse longer forms, cut ones, and what is above the width of the field', () => {
    const refused: [readonly number[], ((reader: CompactReader) => number)?][] = [
      [[0x80, 0]],
      [[0x80]],
      [[]],
      [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
      [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f]],
      [[0x80, 0x80, 0x04], reader => reader.u16()],
      [[0x80, 0x80, 0x80, 0x80, 0x10], reader => reader.u32()],
    ];
    for (const [bytes, take] of refused) expect(isReject(read(bytes, take)), `${bytes}`).toBe(true);
    expect(read([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f])).toBe(Number.MAX_SAFE_INTEGER);
    expect(read([0xff, 0xff, 0x03], reader => reader.u16())).toBe(0xffff);
    expect(() => new CompactWriter().u16(0x1_0000)).toThrow('range');
  });

  it('write counts and lengths so too', () => {
    const written = new CompactWriter()
      .list([1, 2], (out, value) => out.u32(value))
      .text('ab')
      .finish();
    expect([...written]).toEqual([2, 1, 2, 2, 97, 98]);
    const reader = new CompactReader(written);
    expect([reader.list(9, from => from.u32()), reader.text(9)]).toEqual([[1, 2], 'ab']);
    expect(isReject(reader.finish(true, 'list'))).toBe(false);
    const endless = new CompactReader(new Uint8Array([0xff, 0xff, 0xff, 0xff, 0x0f, 1]));
    expect(endless.bytes(0xffff_ffff)).toHaveLength(0);
    expect(endless.failed).toBe(true);
  });
});
