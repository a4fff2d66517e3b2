import { createCipheriv, createDecipheriv, createECDH, createHmac, ECDH } from 'node:crypto';
import { concatBytes, toHex, utf8 } from '../core/base/bytes.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import type { RandomBytes } from '../ports/random.ts';
import type { Hpke, Unsealer } from '../ports/sealing.ts';
import { isPublicKeyForm } from './p256.ts';
import { systemRandom } from './random.ts';
import { generateSigningKey, p256PublicKey } from './signer.ts';

/**
 * RFC 9180, base mode, single shot: KEM 0x0010, KDF 0x0001. On node:crypto, because an epoch of a phase is sealed to each of
 * its participants at once (decision 13); the tests compare it with a library and with the RFC's vectors.
 */
const CURVE = 'prime256v1';
const ENCAPSULATED_BYTES = 65;
const SECRET_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const EMPTY = new Uint8Array(0);
const VERSION = utf8('HPKE-v1');
const KEM_ID = [0x00, 0x10];
const KEM_SUITE = concatBytes(utf8('KEM'), Uint8Array.from(KEM_ID));

type Bytes = Uint8Array;

function hmac(key: Bytes, ...parts: readonly Bytes[]): Uint8Array {
  const mac = createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return new Uint8Array(mac.digest());
}

/** RFC 9180, section 4. */
function labeledExtract(suite: Bytes, salt: Bytes, label: string, ikm: Bytes): Uint8Array {
  return hmac(salt, VERSION, suite, utf8(label), ikm);
}

/** @param length at most 32: one block of HKDF-Expand (RFC 5869, section 2.3) */
function labeledExpand(suite: Bytes, prk: Bytes, label: string, info: Bytes, length: number): Uint8Array {
  const size = Uint8Array.of(0, length);
  return hmac(prk, size, VERSION, suite, utf8(label), info, Uint8Array.of(1)).subarray(0, length);
}

/** An AEAD of RFC 9180, section 7.3, with what the key schedule of base mode makes of it. */
export interface HpkeAead {
  readonly cipher: 'aes-128-gcm' | 'aes-256-gcm';
  readonly keyBytes: number;
  readonly suite: Uint8Array;
  readonly pskIdHash: Uint8Array;
}

function aead(id: number, cipher: HpkeAead['cipher'], keyBytes: number): HpkeAead {
  const suite = concatBytes(utf8('HPKE'), Uint8Array.of(...KEM_ID, 0, 1, 0, id));
  return { cipher, keyBytes, suite, pskIdHash: labeledExtract(suite, EMPTY, 'psk_id_hash', EMPTY) };
}

/** The RFC's own vectors for this KEM and KDF are of the first; Phaseline uses the second. */
export const AES_128: HpkeAead = aead(1, 'aes-128-gcm', 16);
const AES_256: HpkeAead = aead(2, 'aes-256-gcm', 32);

/** Section 4.1: the shared secret is bound to both public keys. */
function sharedSecret(dh: Bytes, enc: Bytes, recipient: Bytes): Uint8Array {
  const prk = labeledExtract(KEM_SUITE, EMPTY, 'eae_prk', dh);
  return labeledExpand(KEM_SUITE, prk, 'shared_secret', concatBytes(enc, recipient), SECRET_BYTES);
}

/** Section 5.1, mode 0; sequence number 0 leaves the base nonce as it is. */
function schedule({ suite, pskIdHash, keyBytes }: HpkeAead, shared: Bytes, info: Bytes) {
  const infoHash = labeledExtract(suite, EMPTY, 'info_hash', info);
  const context = concatBytes(Uint8Array.of(0), pskIdHash, infoHash);
  const secret = labeledExtract(suite, shared, 'secret', EMPTY);
  return {
    key: labeledExpand(suite, secret, 'key', context, keyBytes),
    nonce: labeledExpand(suite, secret, 'base_nonce', context, NONCE_BYTES),
  };
}

/** 33 to 65 bytes; OperatingError `bad_sealing_key` when it is no point of the curve. */
function uncompressed(publicKey: Uint8Array): Uint8Array {
  try {
    if (!isPublicKeyForm(publicKey)) throw new RangeError('not a compressed P-256 point');
    return ECDH.convertKey(publicKey, CURVE, undefined, undefined, 'uncompressed') as Buffer;
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
    const recipient = uncompressed(recipientPublicKey);
    const ephemeral = createECDH(CURVE);
    const enc = ephemeral.generateKeys();
    const { key, nonce } = schedule(
      AES_256,
      sharedSecret(ephemeral.computeSecret(recipient), enc, recipient),
      info,
    );
    const cipher = createCipheriv(AES_256.cipher, key, nonce);
    return concatBytes(enc, cipher.update(plaintext), cipher.final(), cipher.getAuthTag());
  },
};

/** One private key with its public point, ready for use. */
export interface HpkeRecipient {
  readonly ecdh: ECDH;
  readonly publicPoint: Uint8Array;
}

/** @param privateKey 32 bytes, P-256 */
export function hpkeRecipient(privateKey: Uint8Array): HpkeRecipient {
  const ecdh = createECDH(CURVE);
  ecdh.setPrivateKey(privateKey);
  return { ecdh, publicPoint: new Uint8Array(ecdh.getPublicKey()) };
}

/** @returns null when it was not sealed to this key with this info and additional data */
export function openSealed(
  algorithm: HpkeAead,
  { ecdh, publicPoint }: HpkeRecipient,
  sealed: Uint8Array,
  info: Uint8Array,
  additional: Uint8Array = EMPTY,
): Uint8Array | null {
  if (sealed.length < ENCAPSULATED_BYTES + TAG_BYTES) return null;
  const enc = sealed.subarray(0, ENCAPSULATED_BYTES);
  const end = sealed.length - TAG_BYTES;
  try {
    // the RFC's form of a point only: the library would take others of the same length too
    if (enc[0] !== 4) return null;
    const shared = sharedSecret(ecdh.computeSecret(enc), enc, publicPoint);
    const { key, nonce } = schedule(algorithm, shared, info);
    const decipher = createDecipheriv(algorithm.cipher, key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(additional);
    decipher.setAuthTag(sealed.subarray(end));
    return concatBytes(decipher.update(sealed.subarray(ENCAPSULATED_BYTES, end)), decipher.final());
  } catch {
    return null;
  }
}

/** A fresh 32-byte P-256 private key for HPKE. */
export function generateSealingKey(random: RandomBytes = systemRandom): Uint8Array {
  return generateSigningKey(random);
}

/** @param privateKey 32 bytes, P-256 */
export function p256Unsealer(privateKey: Uint8Array): Unsealer {
  let recipient: HpkeRecipient | null = null;
  return {
    publicKey: p256PublicKey(privateKey, 'compressed'),
    open: async (info, sealed) => {
      recipient ??= hpkeRecipient(privateKey);
      return openSealed(AES_256, recipient, sealed, info);
    },
  };
}
