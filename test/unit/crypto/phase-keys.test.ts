import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/base/bytes.ts';
import type { Hash, LogId, MemberId } from '../../../src/core/base/ids.ts';
import { partHash } from '../../../src/core/codec/transaction.ts';
import { generateSealingKey, p256Unsealer } from '../../../src/crypto/hpke.ts';
import { paddedLength } from '../../../src/crypto/padding.ts';
import {
  deriveEpoch,
  generateSecret,
  keyCommitment,
  openEnvelope,
  sealEnvelope,
  unwrapContentKey,
  wrapContentKey,
  wrapContentKeyFromOutside,
} from '../../../src/crypto/phase-keys.ts';
import { systemRandom } from '../../../src/crypto/random.ts';
import { openPayload, sealedPayloadBytes, sealPayload } from '../../../src/crypto/record-cipher.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import type { EnvelopeContext, PayloadContext, WrapContext } from '../../../src/ports/phase-crypto.ts';

const hash = (letter: string) => letter.repeat(64) as Hash;
const context: EnvelopeContext = {
  chainId: hash('a'),
  project: hash('b'),
  phase: hash('c'),
  epoch: 3,
  membershipVersion: 7,
  member: 'alice' as MemberId,
  keyId: 1,
};

describe('epochs', () => {
  it('derive the same from the same secret, and nothing in common from another', () => {
    const secret = generateSecret();
    const [one, same, other] = [deriveEpoch(secret), deriveEpoch(secret), deriveEpoch(generateSecret())];
    expect(one.commitment).toBe(same.commitment);
    expect(one.publicKey).toEqual(same.publicKey);
    expect(one.payloadKey).toEqual(same.payloadKey);
    for (const part of ['commitment', 'publicKey', 'payloadKey'] as const) {
      expect(one[part]).not.toEqual(other[part]);
    }
  });
});

describe('envelopes', () => {
  it('carry the secrets of several epochs to one member', async () => {
    const unsealer = p256Unsealer(generateSealingKey());
    const secrets = [0, 1, 2].map(number => ({ number, secret: generateSecret() }));
    const sealed = await sealEnvelope(context, unsealer.publicKey, secrets);
    expect(await openEnvelope(context, unsealer, sealed)).toEqual(secrets);
  });

  const moves: Partial<EnvelopeContext>[] = [
    { chainId: hash('f') },
    { project: hash('f') },
    { phase: hash('f') },
    { epoch: 4 },
    { membershipVersion: 8 },
    { member: 'bob' as MemberId },
    { keyId: 2 },
  ];
  it.each(moves)('[84] do not open when they are moved to %o', async moved => {
    const unsealer = p256Unsealer(generateSealingKey());
    const sealed = await sealEnvelope(context, unsealer.publicKey, [{ number: 3, secret: generateSecret() }]);
    expect(await openEnvelope(context, unsealer, sealed)).toHaveLength(1);
    expect(await openEnvelope({ ...context, ...moved }, unsealer, sealed)).toBeNull();
  });

  it('[84] do not open for another member, and refuse a plaintext that is no list of secrets', async () => {
    const [mine, theirs] = [p256Unsealer(generateSealingKey()), p256Unsealer(generateSealingKey())];
    const sealed = await sealEnvelope(context, mine.publicKey, [{ number: 3, secret: generateSecret() }]);
    expect(await openEnvelope(context, theirs, sealed)).toBeNull();
    const junk = { publicKey: mine.publicKey, open: async () => new Uint8Array([0, 0, 0, 1, 9]) };
    expect(await openEnvelope(context, junk, sealed)).toBeNull();
  });
});

describe('content keys', () => {
  const contentKey = generateSecret();
  const keys = deriveEpoch(generateSecret());
  const wrap: WrapContext = {
    chainId: hash('a'),
    phase: hash('c'),
    epoch: 3,
    keyCommitment: keyCommitment(contentKey),
  };

  it('unwrap inside the phase, from inside and from outside', async () => {
    const inside = wrapContentKey(keys, wrap, contentKey);
    const outside = await wrapContentKeyFromOutside(keys.publicKey, wrap, contentKey);
    expect([inside.mode, outside.mode]).toEqual(['epoch', 'hpke']);
    expect(await unwrapContentKey(keys, wrap, inside)).toEqual(contentKey);
    expect(await unwrapContentKey(keys, wrap, outside)).toEqual(contentKey);
  });

  it('[84] do not unwrap in another chain, phase or epoch, under another commitment, or with other keys', async () => {
    const inside = wrapContentKey(keys, wrap, contentKey);
    const outside = await wrapContentKeyFromOutside(keys.publicKey, wrap, contentKey);
    const moves = [{ chainId: hash('f') }, { phase: hash('f') }, { epoch: 4 }, { keyCommitment: hash('f') }];
    for (const wrapped of [inside, outside]) {
      for (const moved of moves)
        expect(await unwrapContentKey(keys, { ...wrap, ...moved }, wrapped)).toBeNull();
      expect(await unwrapContentKey(deriveEpoch(generateSecret()), wrap, wrapped)).toBeNull();
      const cut = { ...wrapped, bytes: wrapped.bytes.subarray(1) };
      expect(await unwrapContentKey(keys, wrap, cut)).toBeNull();
      expect(await unwrapContentKey(keys, wrap, { ...wrapped, bytes: new Uint8Array(0) })).toBeNull();
    }
  });

  it('are refused when they are not the committed key, even if they unwrap', async () => {
    const lying = { ...wrap, keyCommitment: keyCommitment(generateSecret()) };
    expect(await unwrapContentKey(keys, lying, wrapContentKey(keys, lying, contentKey))).toBeNull();
  });
});

describe('payloads', () => {
  const contentKey = generateSecret();
  const context: PayloadContext = {
    logId: hash('d') as Hash as LogId,
    epoch: 2,
    keyCommitment: keyCommitment(contentKey),
  };

  it('open to what was sealed, at every length around a bucket', () => {
    for (const length of [0, 1, 251, 252, 253, 1000, 65_536]) {
      const plaintext = new Uint8Array(length).fill(length & 255);
      const sealed = sealPayload(contentKey, context, plaintext);
      expect(sealed.length).toBe(sealedPayloadBytes(length));
      expect(openPayload(contentKey, context, sealed)).toEqual(plaintext);
    }
  });

  it('[84] do not open in another log or epoch, under another commitment, or damaged', () => {
    const sealed = sealPayload(contentKey, context, utf8('{}'));
    const otherKey = generateSecret();
    expect(openPayload(contentKey, { ...context, logId: hash('e') as Hash as LogId }, sealed)).toBeNull();
    expect(openPayload(contentKey, { ...context, epoch: 3 }, sealed)).toBeNull();
    expect(openPayload(otherKey, context, sealed)).toBeNull();
    const swapped = { ...context, keyCommitment: keyCommitment(otherKey) };
    expect(openPayload(otherKey, swapped, sealed)).toBeNull();
    for (let index = 0; index < sealed.length; index += 1) {
      const damaged = sealed.slice();
      damaged[index]! ^= 1;
      expect(openPayload(contentKey, context, damaged)).toBeNull();
    }
    for (const length of [0, 1, 16, 19]) {
      expect(openPayload(contentKey, context, sealed.subarray(0, length))).toBeNull();
    }
  });

  it('are padded to Padmé buckets of at most 12 % above the smallest', () => {
    expect([0, 256, 257, 1000, 4097].map(paddedLength)).toEqual([256, 256, 272, 1024, 4352]);
    let previous = 0;
    for (let length = 1; length < 5_000_000; length = Math.ceil(length * 1.01) + 1) {
      const padded = paddedLength(length);
      expect(padded).toBeGreaterThanOrEqual(Math.max(length, previous));
      if (length >= 256) expect(padded / length).toBeLessThanOrEqual(1.12);
      previous = padded;
    }
  });

  it('[86] show nothing of a record of one bit: length, hashes and ciphertexts differ each time or never', () => {
    const onChain = (answer: string) => {
      const key = generateSecret();
      const sealed = sealPayload(key, { ...context, keyCommitment: keyCommitment(key) }, utf8(answer));
      const part = { salt: systemRandom(32), content: sealed };
      return { length: sealed.length, sealed, hash: partHash(nodeSuite.sha256, part) };
    };
    const [yes, again, no] = [onChain('yes'), onChain('yes'), onChain('no')];
    expect([yes.length, again.length]).toEqual([no.length, no.length]);
    expect(yes.sealed).not.toEqual(again.sealed);
    expect(yes.hash).not.toBe(again.hash);
    // Even a part in the clear cannot be confirmed by a guess without its salt.
    const clear = { salt: systemRandom(32), content: utf8('yes') };
    const guess = { salt: systemRandom(32), content: utf8('yes') };
    expect(partHash(nodeSuite.sha256, clear)).not.toBe(partHash(nodeSuite.sha256, guess));
  });
});
