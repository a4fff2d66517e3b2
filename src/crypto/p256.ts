import { SIZES } from '../core/types/limits.ts';

/**
 * What both verifiers ask before either library sees a byte (DESIGN.md section 4, SCENARIOS 92): the libraries differ
 * in what they tolerate, this module does not. Constants from SEC 2, section 2.4.2 (secp256r1).
 */
export const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const HALF_ORDER = P256_ORDER >> 1n;
const FIELD = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const SCALAR_BYTES = 32;

export function scalarBytes(value: bigint): Uint8Array {
  const bytes = new Uint8Array(SCALAR_BYTES);
  const view = new DataView(bytes.buffer);
  for (let word = 0; word < 4; word += 1) {
    view.setBigUint64(word * 8, (value >> BigInt(192 - word * 64)) & 0xffff_ffff_ffff_ffffn);
  }
  return bytes;
}

/** Big-endian integer of `bytes`, whose length is a multiple of 8. */
export function scalarOf(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let value = 0n;
  for (let offset = 0; offset < bytes.length; offset += 8) value = (value << 64n) | view.getBigUint64(offset);
  return value;
}

const ORDER_BYTES = scalarBytes(P256_ORDER);
const HIGH_S_FROM = scalarBytes(HALF_ORDER + 1n);
const FIELD_BYTES = scalarBytes(FIELD);

function isBelow(bytes: Uint8Array, offset: number, bound: Uint8Array): boolean {
  for (let index = 0; index < bound.length; index += 1) {
    const difference = bytes[offset + index]! - bound[index]!;
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function isZero(bytes: Uint8Array, offset: number): boolean {
  for (let index = 0; index < SCALAR_BYTES; index += 1) if (bytes[offset + index] !== 0) return false;
  return true;
}

/** 64 bytes, 1 ≤ r < n, 1 ≤ s ≤ (n − 1) / 2: one signature has one form. */
export function isSignatureForm(signature: Uint8Array): boolean {
  if (signature.length !== SIZES.signature) return false;
  if (isZero(signature, 0) || isZero(signature, SCALAR_BYTES)) return false;
  return isBelow(signature, 0, ORDER_BYTES) && isBelow(signature, SCALAR_BYTES, HIGH_S_FROM);
}

/** 33 bytes, a compressed point's prefix, x below the field's prime. That it is on the curve is the library's to say. */
export function isPublicKeyForm(publicKey: Uint8Array): boolean {
  if (publicKey.length !== SIZES.publicKey) return false;
  return (publicKey[0] === 2 || publicKey[0] === 3) && isBelow(publicKey, 1, FIELD_BYTES);
}

/** A private key is 32 bytes, 1 ≤ d < n. */
export function isPrivateKeyForm(privateKey: Uint8Array): boolean {
  return privateKey.length === SCALAR_BYTES && !isZero(privateKey, 0) && isBelow(privateKey, 0, ORDER_BYTES);
}

/** r‖s with the smaller of s and n − s; both verify, only this one is accepted. */
export function withLowS(signature: Uint8Array): Uint8Array {
  if (isBelow(signature, SCALAR_BYTES, HIGH_S_FROM)) return signature;
  const normal = signature.slice();
  normal.set(scalarBytes(P256_ORDER - scalarOf(signature.subarray(SCALAR_BYTES))), SCALAR_BYTES);
  return normal;
}

/** A uniform private key from 48 uniform bytes; the bias is below 2^-128 (FIPS 186-5, A.2.1). */
export function privateKeyFromWideBytes(wide: Uint8Array): Uint8Array {
  return scalarBytes((scalarOf(wide) % (P256_ORDER - 1n)) + 1n);
}
