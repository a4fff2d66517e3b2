import { assert } from './assert.ts';
import type { Hash } from './ids.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const DIGITS = utf8('0123456789abcdef');
/** Values of the digits by character code; 255 for every other character. */
const NIBBLES = Uint8Array.from({ length: 128 }, (_, code) => {
  const value = DIGITS.indexOf(code);
  return value < 0 ? 0xff : value;
});
const HASH_BYTES = 32;

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Strict UTF-8; null when the bytes are not well formed. */
export function utf8Decode(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

/** Codes of the digits of one hash, for the string that is made of them; written and read in one go. */
const codes = Array.from({ length: 2 * HASH_BYTES }, () => 0);

function writeCodes(bytes: Uint8Array, start: number, end: number): void {
  for (let at = start, code = 0; at < end; at += 1, code += 2) {
    const byte = bytes[at] as number;
    codes[code] = DIGITS[byte >> 4] as number;
    codes[code + 1] = DIGITS[byte & 15] as number;
  }
}

/** The 32 bytes from `offset` on; the caller knows that they are there. */
export function hashAt(bytes: Uint8Array, offset: number): Hash {
  writeCodes(bytes, offset, offset + HASH_BYTES);
  return String.fromCharCode.apply(null, codes) as Hash;
}

/** One flat string for each hash length of bytes: a string that is glued together costs three times as much to look up. */
export function toHex(bytes: Uint8Array): string {
  let text = '';
  let start = 0;
  for (; start + HASH_BYTES <= bytes.length; start += HASH_BYTES) text += hashAt(bytes, start);
  if (start === bytes.length) return text;
  writeCodes(bytes, start, bytes.length);
  return text + String.fromCharCode.apply(null, codes.slice(0, 2 * (bytes.length - start)));
}

function nibble(code: number): number {
  return code < NIBBLES.length ? (NIBBLES[code] as number) : 0xff;
}

/** Writes the bytes of hexadecimal text; false when it is not lower-case hexadecimal of that length. */
export function writeHex(text: string, target: Uint8Array, offset: number, bytes: number): boolean {
  if (text.length !== 2 * bytes) return false;
  let seen = 0;
  for (let index = 0; index < bytes; index += 1) {
    const high = nibble(text.charCodeAt(2 * index));
    const low = nibble(text.charCodeAt(2 * index + 1));
    seen |= high | low;
    target[offset + index] = (high << 4) | low;
  }
  return seen <= 15;
}

/** Lower-case hexadecimal only, even length; null otherwise. */
export function fromHex(text: string): Uint8Array | null {
  if (text.length % 2 !== 0) return null;
  const bytes = new Uint8Array(text.length / 2);
  return writeHex(text, bytes, 0, bytes.length) ? bytes : null;
}

export function hashBytes(hash: Hash): Uint8Array {
  const bytes = new Uint8Array(HASH_BYTES);
  assert(writeHex(hash, bytes, 0, HASH_BYTES), 'a Hash is 64 hexadecimal characters');
  return bytes;
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index += 1) if (a[index] !== b[index]) return false;
  return true;
}
