import Long from 'long';
import $protobuf from 'protobufjs/minimal.js';
import { isReject, type Reject, reject } from '../core/base/reject.ts';

/** The part of a generated protobufjs class that the mapping uses. */
interface GeneratedType<Wire> {
  encode(message: Wire): { finish(): Uint8Array };
  decode(reader: $protobuf.Reader): Wire;
}

/** Fields that a frame may hold whatever its size, and bytes for each further one. */
export const WIRE_LIMITS = { fieldsFree: 32_768, bytesPerField: 32 } as const;

/** protobufjs makes an object of every two bytes of empty fields before any list is counted (SCENARIOS 32, 93). */
class BoundedReader extends $protobuf.Reader {
  private fieldsLeft = WIRE_LIMITS.fieldsFree + this.len / WIRE_LIMITS.bytesPerField;

  override tag(): number {
    this.fieldsLeft -= 1;
    if (this.fieldsLeft < 0) throw new RangeError('more fields than a frame of this size has');
    return super.tag();
  }
}

export interface WireCodec<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T | Reject;
}

/**
 * Binds a generated type to a domain type. protobufjs decodes leniently (unknown, reordered or repeated fields, several of
 * one `oneof`, overlong varints), so a frame is accepted only when encoding its value again gives the same bytes.
 */
export function wireCodec<Wire, T>(
  name: string,
  type: GeneratedType<Wire>,
  toWire: (value: T) => Wire,
  fromWire: (wire: Wire) => T | Reject,
): WireCodec<T> {
  return {
    encode: value => type.encode(toWire(value)).finish(),
    decode: bytes => {
      let wire: Wire;
      try {
        wire = type.decode(new BoundedReader(bytes));
      } catch {
        return reject('undecodable', `${name}: not a protobuf message`);
      }
      const value = fromWire(wire);
      if (isReject(value)) return value;
      if (Buffer.compare(type.encode(toWire(value)).finish(), bytes) !== 0)
        return reject('undecodable', `${name}: not canonical`);
      return value;
    },
  };
}

export function toLong(value: number): Long {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new RangeError(`${value} is not an unsigned 53-bit integer`);
  return Long.fromNumber(value, true);
}

/** Null for values above 2^53 − 1 (SCENARIOS 97). */
export function fromLong(value: Long | number | null | undefined): number | null {
  if (value === null || value === undefined) return 0;
  const number = typeof value === 'number' ? value : value.toUnsigned().toNumber();
  return Number.isSafeInteger(number) && number >= 0 ? number : null;
}

/** A copy: decoded `bytes` alias the input buffer. */
export function ownBytes(bytes: Uint8Array | null | undefined): Uint8Array {
  return bytes === null || bytes === undefined ? new Uint8Array(0) : new Uint8Array(bytes);
}
