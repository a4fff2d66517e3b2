import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/core/base/bytes.ts';
import type { Hash, LogId, MemberId } from '../../src/core/base/ids.ts';
import { isReject } from '../../src/core/base/reject.ts';
import { Reader } from '../../src/core/codec/reader.ts';
import {
  decodeTransaction,
  encodeBody,
  encodeSignedTransaction,
  partHash,
} from '../../src/core/codec/transaction.ts';
import { Writer } from '../../src/core/codec/writer.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex') as Hash;

function sampleTransaction() {
  const part = { salt: new Uint8Array(32).fill(7), content: new Uint8Array([1, 2, 3]) };
  const body = encodeBody({
    version: 1,
    chainId: 'a'.repeat(64) as Hash,
    sender: 'alice' as MemberId,
    keyId: 0,
    kind: 64,
    lastValidHeight: 9,
    scopes: ['b'.repeat(64) as LogId],
    parts: [{ scope: 0, hash: partHash(sha256, part) }],
  });
  return { body, signature: new Uint8Array(64), batch: { treeSize: 1, index: 0, path: [] }, parts: [part] };
}

describe('reader and writer', () => {
  it('[97] refuses integers above 2^53 - 1 instead of rounding them', () => {
    const bytes = new Writer().u64(Number.MAX_SAFE_INTEGER).finish();
    expect(new Reader(bytes).u64()).toBe(Number.MAX_SAFE_INTEGER);
    const above = new Reader(new Uint8Array([0, 0x20, 0, 0, 0, 0, 0, 0]));
    above.u64();
    expect(isReject(above.finish(null, 'number'))).toBe(true);
  });

  it('writes past its first buffer at every width and loses nothing', () => {
    for (let filled = 240; filled <= 256; filled += 1) {
      const start = new Uint8Array(filled).fill(1);
      const bytes = new Writer()
        .raw(start)
        .u8(2)
        .u16(3)
        .u32(4)
        .u64(5)
        .fixed(new Uint8Array([6]), 1)
        .finish();
      const tail = [2, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 5, 6];
      expect([...bytes]).toEqual([...start, ...tail]);
    }
  });

  it('[32] refuses absurd lengths before allocating, and trailing bytes', () => {
    const absurd = new Reader(new Writer().u32(0xffff_ffff).finish());
    expect(absurd.bytes(0xffff_ffff)).toHaveLength(0);
    expect(isReject(absurd.finish(null, 'field'))).toBe(true);
    expect(isReject(new Reader(new Uint8Array(1)).finish(null, 'field'))).toBe(true);
  });
});

describe('transaction wrapper', () => {
  it('decodes what it encodes, and names a part that does not match its hash', () => {
    const signed = sampleTransaction();
    const decoded = decodeTransaction(sha256, encodeSignedTransaction(signed));
    if (isReject(decoded)) throw new Error(decoded.detail);
    expect(decoded.body.sender).toBe('alice');
    const forged = { ...signed, parts: [{ ...signed.parts[0]!, content: new Uint8Array([9]) }] };
    expect(decodeTransaction(sha256, encodeSignedTransaction(forged))).toMatchObject({
      detail: 'part 0 does not match its hash',
    });
  });

  it('keeps id and wrapper hash when a part is deleted', () => {
    const signed = sampleTransaction();
    const whole = decodeTransaction(sha256, encodeSignedTransaction(signed));
    const pruned = decodeTransaction(sha256, encodeSignedTransaction({ ...signed, parts: [null] }));
    if (isReject(whole) || isReject(pruned)) throw new Error('refused');
    expect([pruned.id, pruned.wrapperHash]).toEqual([whole.id, whole.wrapperHash]);
  });

  it('reads back every number and text as it was written, from a Buffer too', () => {
    const plain = 'a'.repeat(80);
    for (const text of ['', 'abc', 'é', plain, `${plain}a`, `${plain.slice(1)}é`, '😀']) {
      const bytes = new Writer()
        .u8(255)
        .text(text)
        .u32(0xfffffffe)
        .u16(0xffff)
        .u64(2 ** 53 - 1)
        .finish();
      const reader = new Reader(Buffer.from(bytes));
      const read = [reader.u8(), reader.text(1000), reader.u32(), reader.u16(), reader.u64()];
      expect(read).toEqual([255, text, 0xfffffffe, 0xffff, 2 ** 53 - 1]);
    }
  });

  it('writes bytes of any length as hexadecimal digits', () => {
    for (const length of [0, 1, 31, 32, 33, 64, 100]) {
      const bytes = Uint8Array.from({ length }, (_, index) => (index * 37 + length) & 0xff);
      expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'));
    }
  });
});
