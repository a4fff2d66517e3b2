import { createECDH, createPrivateKey, sign } from 'node:crypto';
import { assert } from '../core/base/assert.ts';
import type { RandomBytes } from '../ports/random.ts';
import type { Signer } from '../ports/signer.ts';
import { isPrivateKeyForm, privateKeyFromWideBytes, withLowS } from './p256.ts';
import { systemRandom } from './random.ts';

const WIDE_BYTES = 48;

/** The public key of a 32-byte P-256 private key. */
export function p256PublicKey(privateKey: Uint8Array, form: 'compressed' | 'uncompressed'): Uint8Array {
  assert(isPrivateKeyForm(privateKey), 'a P-256 private key is 32 bytes in [1, n)');
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(privateKey);
  return new Uint8Array(ecdh.getPublicKey(null, form));
}

/** 32 bytes: a fresh P-256 private key for signatures. Drawn directly, no key object is exported (DEPENDENCIES.md). */
export function generateSigningKey(random: RandomBytes = systemRandom): Uint8Array {
  return privateKeyFromWideBytes(random(WIDE_BYTES));
}

/** @param privateKey 32 bytes */
export function p256Signer(privateKey: Uint8Array): Signer {
  const point = Buffer.from(p256PublicKey(privateKey, 'uncompressed'));
  const key = createPrivateKey({
    key: {
      kty: 'EC',
      crv: 'P-256',
      d: Buffer.from(privateKey).toString('base64url'),
      x: point.subarray(1, 33).toString('base64url'),
      y: point.subarray(33).toString('base64url'),
    },
    format: 'jwk',
  });
  return {
    publicKey: p256PublicKey(privateKey, 'compressed'),
    sign: bytes => withLowS(new Uint8Array(sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }))),
  };
}
