declare const brand: unique symbol;
export type Brand<T, B extends string> = T & { readonly [brand]: B };

/** SHA-256 digest as 64 lower-case hexadecimal characters: compares with `===`, is a map key, prints as it is. */
export type Hash = Brand<string, 'Hash'>;
export type BlockHash = Hash;
export type TransactionId = Hash;
/** Opaque 32-byte names that the creator draws at random. */
export type ProjectId = Hash;
export type PhaseId = Hash;
/** A person who signs for a member: a salted hash of the name, which stays off the chain (`userIdOf`). */
export type UserId = Hash;
/** `SHA-256(tag ‖ chain id ‖ scope kind ‖ scope id)`: says nothing about the scope to whoever is not in it. */
export type LogId = Hash;
/** The consortium-wide short name of a member: `[a-z][a-z0-9-]{0,31}`. */
export type MemberId = Brand<string, 'MemberId'>;

export const ZERO_HASH = '0'.repeat(64) as Hash;

const HASH = /^[0-9a-f]{64}$/;
const MEMBER_ID = /^[a-z][a-z0-9-]{0,31}$/;

export function isHash(text: unknown): text is Hash {
  return typeof text === 'string' && HASH.test(text);
}

export function isMemberId(text: unknown): text is MemberId {
  return typeof text === 'string' && MEMBER_ID.test(text);
}

/** SHA-256, synchronous; enters core as a value because core imports no crypto (DESIGN.md section 4). */
export type Sha256 = (bytes: Uint8Array) => Hash;

/** ECDSA P-256 over SHA-256 of `bytes`: 33-byte key, 64-byte r‖s, low s only. One rule on every node. */
export type VerifySignature = (publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array) => boolean;

/** The cryptographic functions that core needs, given by the caller. */
export interface Suite {
  readonly sha256: Sha256;
  readonly verify: VerifySignature;
  /** A point of P-256 in its 33-byte form, so that something can be sealed to it. */
  readonly isPoint: (publicKey: Uint8Array) => boolean;
}
