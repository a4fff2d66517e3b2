import { ECDH } from 'node:crypto';
import { Aes256Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from '@hpke/core';
import { concatBytes, toHex } from '../core/base/bytes.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import type { RandomBytes } from '../ports/random.ts';
import type { Hpke, Unsealer } from '../ports/sealing.ts';
import { isPublicKeyForm } from './p256.ts';
import { systemRandom } from './random.ts';
import { generateSigningKey, p256PublicKey } from './signer.ts';

/** enc and the AEAD tag: nothing shorter opens. */
const ENCAPSULATED_BYTES = 65;
const TAG_BYTES = 16;

/** RFC 9180: KEM 0x0010, KDF 0x0001, AEAD 0x0002, base mode. */
const suite = new CipherSuite({
  kem: new DhkemP256HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

/** 33 to 65 bytes; OperatingError `bad_sealing_key` when it is no point of the curve. */
function uncompressed(publicKey: Uint8Array): Uint8Array {
  try {
    if (!isPublicKeyForm(publicKey)) throw new RangeError('not a compressed P-256 point');
    return ECDH.convertKey(publicKey, 'prime256v1', undefined, undefined, 'uncompressed') as Buffer;
  } catch (cause) {
    throw new OperatingError(
      'bad_sealing_key',
      `the sealing key ${toHex(publicKey)} is not a P-256 public key`,
      'its owner must rotate to a valid sealing key',
      cause,
    );
  }
}

export const hpke: Hpke = {
  seal: async (recipientPublicKey, info, plaintext) => {
    const recipient = await suite.kem.importKey('raw', exactBuffer(uncompressed(recipientPublicKey)), true);
    const parameters = { recipientPublicKey: recipient, info: exactBuffer(info) };
    const sealed = await suite.seal(parameters, exactBuffer(plaintext));
    return concatBytes(new Uint8Array(sealed.enc), new Uint8Array(sealed.ct));
  },
};

/** WebCrypto takes the whole underlying buffer of some inputs, so views are copied. */
function exactBuffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

async function importPair(privateKey: Uint8Array, publicPoint: Uint8Array): Promise<CryptoKeyPair> {
  return {
    privateKey: await suite.kem.importKey('raw', exactBuffer(privateKey), false),
    publicKey: await suite.kem.importKey('raw', exactBuffer(publicPoint), true),
  };
}

/** A fresh 32-byte P-256 private key for HPKE. */
export function generateSealingKey(random: RandomBytes = systemRandom): Uint8Array {
  return generateSigningKey(random);
}

/** @param privateKey 32 bytes, P-256 */
export function p256Unsealer(privateKey: Uint8Array): Unsealer {
  const publicPoint = p256PublicKey(privateKey, 'uncompressed');
  let pair: Promise<CryptoKeyPair> | null = null;
  return {
    publicKey: p256PublicKey(privateKey, 'compressed'),
    open: async (info, sealed) => {
      if (sealed.length < ENCAPSULATED_BYTES + TAG_BYTES) return null;
      pair ??= importPair(privateKey, publicPoint);
      const recipientKey = await pair;
      const enc = exactBuffer(sealed.subarray(0, ENCAPSULATED_BYTES));
      try {
        const ciphertext = exactBuffer(sealed.subarray(ENCAPSULATED_BYTES));
        return new Uint8Array(await suite.open({ recipientKey, enc, info: exactBuffer(info) }, ciphertext));
      } catch {
        return null;
      }
    },
  };
}
