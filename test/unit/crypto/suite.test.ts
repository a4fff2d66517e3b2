import { p256 } from '@noble/curves/nist.js';
import { describe, expect, it } from 'vitest';
import { concatBytes, hashBytes, toHex, utf8 } from '../../../src/core/base/bytes.ts';
import { P256_ORDER, scalarBytes, scalarOf } from '../../../src/crypto/p256.ts';
import { generateSigningKey, p256PublicKey, p256Signer } from '../../../src/crypto/signer.ts';
import { nobleSuite, nodeSuite } from '../../../src/crypto/suite.ts';

const N = P256_ORDER;
const message = utf8('what is signed');
const privateKey = scalarBytes(0x1234_5678_9abc_def0n);
const signer = p256Signer(privateKey);
const good = signer.sign(message);
const r = scalarOf(good.subarray(0, 32));
const s = scalarOf(good.subarray(32));
const digest = scalarOf(hashBytes(nodeSuite.sha256(message)));

const join = (left: bigint, right: bigint) => concatBytes(scalarBytes(left), scalarBytes(right));
const inverse = (value: bigint) => p256.Point.Fn.inv(p256.Point.Fn.create(value));

/** r = −e / d makes e·G + r·Q the point at infinity, whatever s is. */
const infinityR = p256.Point.Fn.create(-digest * inverse(scalarOf(privateKey)));

/** A valid signature whose R has x ≥ n, so that r = x − n: the wrap that a naive comparison forgets. */
function wrappedSignature(): { publicKey: Uint8Array; signature: Uint8Array } {
  for (let k = 1n; ; k += 1n) {
    try {
      const point = p256.Point.fromBytes(concatBytes(new Uint8Array([2]), scalarBytes(N + k)));
      const small = 5n;
      const scaled = point.multiply(small).subtract(p256.Point.BASE.multiply(digest % N));
      return { publicKey: scaled.multiply(inverse(k)).toBytes(true), signature: join(k, small) };
    } catch {
      // This x has no point; the next one may.
    }
  }
}

function offCurveKey(): Uint8Array {
  for (let x = 1n; ; x += 1n) {
    const key = concatBytes(new Uint8Array([2]), scalarBytes(x));
    try {
      p256.Point.fromBytes(key);
    } catch {
      return key;
    }
  }
}

function negativeY(key: Uint8Array): Uint8Array {
  return concatBytes(new Uint8Array([key[0] === 2 ? 3 : 2]), key.subarray(1));
}

const key = signer.publicKey;
const wrapped = wrappedSignature();
const EDGES: [name: string, key: Uint8Array, signature: Uint8Array, verdict: boolean][] = [
  ['the plain case', key, good, true],
  ['R.x above the order', wrapped.publicKey, wrapped.signature, true],
  ['high s', key, join(r, N - s), false],
  ['s just above half of the order', key, join(r, (N + 1n) / 2n), false],
  ['r = 0', key, join(0n, s), false],
  ['s = 0', key, join(r, 0n), false],
  ['r = s = 0', key, new Uint8Array(64), false],
  ['r = n', key, join(N, s), false],
  ['s = n', key, join(r, N), false],
  ['r all ones', key, join(2n ** 256n - 1n, s), false],
  ['s all ones', key, join(r, 2n ** 256n - 1n), false],
  ['s + n', key, join(r, (s + N) % 2n ** 256n), false],
  ['R is the point at infinity', key, join(infinityR, 7n), false],
  ['r and s exchanged', key, join(s, r), false],
  ['signature of 63 bytes', key, good.subarray(1), false],
  ['signature of 65 bytes', key, concatBytes(good, new Uint8Array(1)), false],
  ['no signature', key, new Uint8Array(0), false],
  ['a DER signature', key, p256.sign(message, privateKey, { format: 'der' }), false],
  ['the negated key', negativeY(key), good, false],
  ['a key off the curve', offCurveKey(), good, false],
  ['x = p', concatBytes(new Uint8Array([2]), scalarBytes(p256.Point.Fp.ORDER)), good, false],
  ['x all ones', concatBytes(new Uint8Array([3]), new Uint8Array(32).fill(255)), good, false],
  ['x = 0 with prefix 0', new Uint8Array(33), good, false],
  ['the key of the point at infinity', new Uint8Array(1), good, false],
  ['prefix 4', concatBytes(new Uint8Array([4]), key.subarray(1)), good, false],
  ['prefix 5', concatBytes(new Uint8Array([5]), key.subarray(1)), good, false],
  ['an uncompressed key', p256PublicKey(privateKey, 'uncompressed'), good, false],
  ['a key of 32 bytes', key.subarray(1), good, false],
  ['a key of 34 bytes', concatBytes(key, new Uint8Array(1)), good, false],
  ['no key', new Uint8Array(0), good, false],
];

describe('signature suites', () => {
  it.each(EDGES)('[92] gives one verdict on both libraries: %s', (_name, publicKey, signature, verdict) => {
    expect(nodeSuite.verify(publicKey, message, signature)).toBe(verdict);
    expect(nobleSuite.verify(publicKey, message, signature)).toBe(verdict);
    // The second call meets a cached key.
    expect(nodeSuite.verify(publicKey, message, signature)).toBe(verdict);
  });

  it('[92] agrees on damaged signatures, keys and messages', () => {
    for (let bit = 0; bit < 512; bit += 11) {
      const signature = good.slice();
      signature[bit >> 3]! ^= 1 << (bit & 7);
      const publicKey = key.slice();
      publicKey[(bit >> 3) % 33]! ^= 1 << (bit & 7);
      for (const [k, sig] of [
        [key, signature],
        [publicKey, good],
      ] as const) {
        const verdicts = [nodeSuite.verify(k, message, sig), nobleSuite.verify(k, message, sig)];
        expect(verdicts, `bit ${bit}`).toEqual([false, false]);
      }
    }
    expect(nodeSuite.verify(key, utf8('what is signeD'), good)).toBe(false);
  });

  it('hashes alike, views of larger buffers included', () => {
    const view = new Uint8Array([9, 97, 98, 99, 9]).subarray(1, 4);
    const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'; // FIPS 180-2, B.1
    expect([nodeSuite.sha256(view), nobleSuite.sha256(view)]).toEqual([abc, abc]);
  });

  it('agree on what is a point of the curve', () => {
    const notPoints = [offCurveKey(), new Uint8Array(33), key.subarray(1), new Uint8Array(0)];
    for (const suite of [nodeSuite, nobleSuite]) {
      expect(suite.isPoint(key)).toBe(true);
      expect(notPoints.map(bytes => suite.isPoint(bytes))).toEqual(notPoints.map(() => false));
    }
  });

  it('keeps verifying when more keys were seen than the cache holds', () => {
    for (let index = 1n; index <= 4200n; index += 1n) {
      const other = p256PublicKey(scalarBytes(index), 'compressed');
      expect(nodeSuite.verify(other, message, good)).toBe(false);
    }
    expect(nodeSuite.verify(key, message, good)).toBe(true);
  });
});

describe('signers', () => {
  it('sign with low s only, for both verifiers', () => {
    for (let round = 0; round < 24; round += 1) {
      const fresh = p256Signer(generateSigningKey());
      const signature = fresh.sign(message);
      expect(scalarOf(signature.subarray(32)) <= N / 2n).toBe(true);
      expect(nodeSuite.verify(fresh.publicKey, message, signature)).toBe(true);
      if (round < 4) expect(nobleSuite.verify(fresh.publicKey, message, signature)).toBe(true);
    }
  });

  it('derive the public key that the second library derives', () => {
    const secret = generateSigningKey();
    expect(toHex(p256Signer(secret).publicKey)).toBe(toHex(p256.getPublicKey(secret, true)));
  });

  it('draw every private key from the random bytes that they are given', () => {
    const ones = (length: number) => new Uint8Array(length).fill(255);
    expect(toHex(generateSigningKey(ones))).toBe(toHex(generateSigningKey(ones)));
    expect(toHex(generateSigningKey(length => new Uint8Array(length)))).toBe(toHex(scalarBytes(1n)));
  });
});
