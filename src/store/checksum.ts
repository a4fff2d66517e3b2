import { crc32 } from 'node:zlib';
import { OperatingError } from '../ports/lifecycle.ts';

const CHECKSUM_BYTES = 4;

/** CRC-32, of the UTF-8 bytes of a string: finds accidents (bit rot, torn writes), not attacks; those are found by the hashes of the protocol. */
export function checksum(...parts: readonly (Uint8Array | string)[]): number {
  let value = 0;
  // zlib forgets the running value when it is given no bytes
  for (const part of parts) if (part.length > 0) value = crc32(part, value);
  return value;
}

/** `value` with a checksum over key and value, so that a value found under another key is noticed too. */
export function sealValue(key: string, value: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(CHECKSUM_BYTES + value.length);
  new DataView(sealed.buffer).setUint32(0, checksum(key, value));
  sealed.set(value, CHECKSUM_BYTES);
  return sealed;
}

/** A value that is not what was written, so that whoever walks over a range can go on behind it. */
export class DamagedValue extends OperatingError {
  constructor(readonly key: string) {
    const { code, message, hint } = corrupt(key);
    super(code, message, hint);
  }
}

/** Throws OperatingError `corrupt` when the stored bytes are not what was written (SCENARIOS 68). */
export function unsealValue(key: string, sealed: Uint8Array): Uint8Array {
  if (sealed.length < CHECKSUM_BYTES) throw new DamagedValue(key);
  const view = new DataView(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  // a plain Uint8Array even where the database answers a Buffer, whose slice() would not copy
  const value = new Uint8Array(
    sealed.buffer,
    sealed.byteOffset + CHECKSUM_BYTES,
    sealed.length - CHECKSUM_BYTES,
  );
  if (view.getUint32(0) !== checksum(key, value)) throw new DamagedValue(key);
  return value;
}

export function corrupt(key: string, cause?: unknown): OperatingError {
  return new OperatingError(
    'corrupt',
    `the stored value of ${JSON.stringify(key)} is damaged`,
    'The disk returned other bytes than were written: restore the data directory from a backup or from peers.',
    cause,
  );
}
