import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/base/bytes.ts';
import type { LogId } from '../../../src/core/base/ids.ts';
import { checkField, fieldsRoot, proveField } from '../../../src/core/light/fields.ts';
import { fieldSalts } from '../../../src/crypto/field-salt.ts';
import { nobleOpenPayload } from '../../../src/crypto/noble-record-cipher.ts';
import { generateSecret, keyCommitment } from '../../../src/crypto/phase-keys.ts';
import { openPayload, sealPayload } from '../../../src/crypto/record-cipher.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { decodePayload, encodePayload, payloadFields } from '../../../src/services/records/payload.ts';
import { hashOf } from '../../support/ledger-kit.ts';

const { sha256 } = nodeSuite;
const file = {
  ...{ cid: 'bafy', keyCommitment: hashOf('key'), ciphertextBytes: 9, key: new Uint8Array(32).fill(7) },
  ...{ name: 'a.txt', mediaType: 'text/plain', plaintextBytes: 5, plaintextHash: hashOf('plain') },
};
const content = (text: string) => {
  return { type: 'invoice', title: 'No 7', mediaType: 'application/json', data: utf8(text), files: [file] };
};
const invoice = content('{"supplier":"X","amount":4200,"lines":[{"b":1,"a":2}],"__proto__":1}');

describe('the fields of a record', () => {
  it('are those of the payload and of data that is a JSON object, always in one order', () => {
    const fields = payloadFields(invoice);
    expect(fields.map(field => field.name)).toEqual(
      ['type', 'title', 'mediaType', 'data', 'files'].concat([
        'data.__proto__',
        'data.amount',
        'data.lines',
        'data.supplier',
      ]),
    );
    expect(fields.find(field => field.name === 'data.lines')!.value).toBe('[{"a":2,"b":1}]');
    expect(payloadFields(decodePayload(encodePayload(invoice), [file])!)).toEqual(fields);
    for (const text of ['plain text', '[1,2]', 'null', '"x"'])
      expect(payloadFields(content(text))).toHaveLength(5);
    const many = JSON.stringify(
      Object.fromEntries(Array.from({ length: 257 }, (_, index) => [`k${index}`, 1])),
    );
    expect(payloadFields(content(many))).toHaveLength(5);
  });

  it('never show the key of a file', () => {
    const shown = JSON.stringify(payloadFields(invoice));
    expect(shown).toContain('a.txt');
    expect(shown).not.toContain(Buffer.from(file.key).toString('base64'));
  });

  it('[86] have salts of their own, so that one that is shown lets nobody guess another', () => {
    const salts = fieldSalts(generateSecret());
    const fields = payloadFields(invoice);
    const seen = new Set(fields.map(field => Buffer.from(salts(field.name)).toString('hex')));
    expect(seen.size).toBe(fields.length);
    const root = fieldsRoot(sha256, fields, salts);
    expect(fieldsRoot(sha256, fields, fieldSalts(generateSecret()))).not.toBe(root);
    for (const { name } of fields) {
      const proof = proveField(sha256, fields, salts, name)!;
      expect(checkField(sha256, root, proof)).toBeNull();
      expect(checkField(sha256, root, { ...proof, value: '"guess"' })).not.toBeNull();
      expect(checkField(sha256, root, { ...proof, size: proof.size + 1 })).not.toBeNull();
    }
    expect(proveField(sha256, fields, salts, 'data.vat')).toBeNull();
  });
});

describe('a sealed payload', () => {
  it('opens with both implementations to the same, or not at all', () => {
    const key = generateSecret();
    const context = { logId: hashOf('log') as LogId, epoch: 3, keyCommitment: keyCommitment(key) };
    for (const length of [0, 1, 251, 252, 253, 5000]) {
      const plaintext = new Uint8Array(length).fill(65);
      const sealed = sealPayload(key, context, plaintext);
      expect(nobleOpenPayload(key, context, sealed)).toEqual(plaintext);
      expect(openPayload(key, context, sealed)).toEqual(plaintext);
      sealed[length % sealed.length]! ^= 1;
      expect(nobleOpenPayload(key, context, sealed)).toBeNull();
    }
    const sealed = sealPayload(key, context, utf8('x'));
    expect(nobleOpenPayload(generateSecret(), context, sealed)).toBeNull();
    expect(nobleOpenPayload(key, { ...context, epoch: 4 }, sealed)).toBeNull();
    expect(nobleOpenPayload(key, context, sealed.subarray(0, 3))).toBeNull();
  });
});
