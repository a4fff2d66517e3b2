const LENGTH_BYTES = 4;
/** Shorter plaintexts all look alike. */
const PADDED_BYTES_MIN = 256;

/**
 * Padmé (Nikitin et al., PURBs, section 4): the length leaks O(log log L) bits for at most 12 % more bytes.
 * @param length bytes before padding
 */
export function paddedLength(length: number): number {
  const floor = Math.max(length, PADDED_BYTES_MIN);
  let exponent = Math.floor(Math.log2(floor));
  // just below a power of two the logarithm rounds up to it
  if (2 ** exponent > floor) exponent -= 1;
  const lastBits = exponent - (Math.floor(Math.log2(exponent)) + 1);
  const step = 2 ** lastBits;
  return Math.ceil(floor / step) * step;
}

/** Length of what `pad` makes, in bytes. */
export function paddedBytesOf(plaintextBytes: number): number {
  return paddedLength(LENGTH_BYTES + plaintextBytes);
}

/** Length and plaintext, filled up with zeros to `paddedLength`. */
export function pad(plaintext: Uint8Array): Uint8Array {
  const padded = new Uint8Array(paddedBytesOf(plaintext.length));
  new DataView(padded.buffer).setUint32(0, plaintext.length);
  padded.set(plaintext, LENGTH_BYTES);
  return padded;
}

/** Null for what `pad` does not make. */
export function unpad(padded: Uint8Array): Uint8Array | null {
  if (padded.length < LENGTH_BYTES) return null;
  const length = new DataView(padded.buffer, padded.byteOffset).getUint32(0);
  if (paddedBytesOf(length) !== padded.length) return null;
  return new Uint8Array(padded.subarray(LENGTH_BYTES, LENGTH_BYTES + length));
}
