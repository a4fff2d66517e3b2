import { describe, expect, it } from 'vitest';
import { utf8, utf8Decode } from '../../../src/core/base/bytes.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import {
  canonicalJson,
  checkContent,
  decodePayload,
  encodePayload,
  type RecordContent,
} from '../../../src/services/records/payload.ts';
import { bytesOf, hashOf } from '../../support/ledger-kit.ts';

const file = {
  cid: 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy',
  keyCommitment: hashOf('commitment'),
  ciphertextBytes: 116,
  key: bytesOf('key', 32),
  name: '../../etc/passwd <b>"\u0000\u2028',
  mediaType: 'text/html',
  plaintextBytes: 100,
  plaintextHash: hashOf('plaintext'),
};
const content: RecordContent = {
  type: 'permit',
  title: 'Überprüfung ✓',
  mediaType: 'application/json',
  data: utf8('{"b":1,  "a":2}'),
  files: [file],
};

describe('record payloads', () => {
  it('[88] give back exactly what was put in, hostile names included', () => {
    for (const data of [
      content.data,
      new Uint8Array(0),
      bytesOf('binary', 99),
      utf8('\ufeffBOM'),
      utf8('\u0000'),
    ]) {
      expect(decodePayload(encodePayload({ ...content, data }), [file])).toEqual({ ...content, data });
    }
  });

  it('are canonical JSON', () => {
    const text = utf8Decode(encodePayload({ ...content, files: [] }));
    expect(text).toBe(
      '{"data":{"text":"{\\"b\\":1,  \\"a\\":2}"},"files":[],"mediaType":"application/json",' +
        '"title":"Überprüfung ✓","type":"permit","v":1}',
    );
    expect(canonicalJson({ b: [1, null, { d: true, c: 'x' }], a: '' })).toBe(
      '{"a":"","b":[1,null,{"c":"x","d":true}]}',
    );
  });

  it('must name the files that the signed metadata names', () => {
    const bytes = encodePayload(content);
    expect(decodePayload(bytes, [])).toBeNull();
    expect(decodePayload(bytes, [file, file])).toBeNull();
    expect(decodePayload(bytes, [{ ...file, cid: 'bafkother' }])).toBeNull();
  });

  it('[90] of a hostile author are refused, whatever they hold', () => {
    const good = JSON.parse(utf8Decode(encodePayload(content))!) as Record<string, unknown>;
    const goodFile = (good.files as Record<string, unknown>[])[0]!;
    const broken: unknown[] = [
      null,
      [],
      'text',
      {},
      { ...good, v: 2 },
      { ...good, type: 1 },
      { ...good, title: null },
      { ...good, mediaType: {} },
      { ...good, type: 'x'.repeat(129) },
      { ...good, data: 'text' },
      { ...good, data: {} },
      { ...good, data: { base64: 'a' } },
      { ...good, data: { base64: 'YQ' } },
      { ...good, files: {} },
      { ...good, files: [null] },
      ...[
        { key: 'YQ==' },
        { key: 7 },
        { name: 7 },
        { name: 'x'.repeat(1025) },
        { mediaType: 7 },
        { bytes: -1 },
        { bytes: 1.5 },
        { bytes: '1' },
        { hash: 'zz' },
        { cid: 'x' },
      ].map(change => ({ ...good, files: [{ ...goodFile, ...change }] })),
    ];
    for (const value of broken) {
      expect(decodePayload(utf8(JSON.stringify(value)), [file]), JSON.stringify(value)).toBeNull();
    }
    for (const bytes of [new Uint8Array(0), new Uint8Array([255]), utf8('['.repeat(100_000))]) {
      expect(decodePayload(bytes, [file])).toBeNull();
    }
    const polluting = utf8(JSON.stringify({ ...good, x: 1 }).replace('"x":1', '"__proto__":{"polluted":1}'));
    expect(decodePayload(polluting, [file])).toEqual(content);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('have short texts', () => {
    expect(checkContent(content)).toBeNull();
    for (const long of [
      { ...content, type: 'x'.repeat(129) },
      { ...content, title: 'ü'.repeat(513) },
      { ...content, mediaType: 'x'.repeat(257) },
      { ...content, files: [{ ...file, name: 'x'.repeat(1025) }] },
    ]) {
      expect(isReject(checkContent(long))).toBe(true);
    }
  });
});
