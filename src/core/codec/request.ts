import type { Hash, MemberId } from '../base/ids.ts';
import type { MemberCard } from '../types/operation.ts';
import { writeCard } from './content.ts';
import { tagBytes } from './tags.ts';
import { Writer } from './writer.ts';

/** A call to a management server that a member signs instead of holding the server's session token. */
export interface SignedCall {
  readonly chainId: Hash;
  /** The managing member's id: a request to one server is none to another. */
  readonly audience: MemberId;
  readonly method: string;
  /** SHA-256 of the UTF-8 bytes of the parameters' JSON text, exactly as sent. */
  readonly paramsHash: Hash;
  readonly timeMs: number;
  /** 16 bytes. */
  readonly nonce: Uint8Array;
  readonly member: MemberId;
  readonly keyId: number;
}

export const REQUEST_NONCE_BYTES = 16;
export const CHALLENGE_NONCE_BYTES = 32;

/** What the member's signing key signs. */
export function signedCallBytes(call: SignedCall): Uint8Array {
  return new Writer()
    .raw(tagBytes('managerRequest'))
    .hash(call.chainId)
    .text(call.audience)
    .text(call.method)
    .hash(call.paramsHash)
    .u64(call.timeMs)
    .fixed(call.nonce, REQUEST_NONCE_BYTES)
    .text(call.member)
    .u32(call.keyId)
    .finish();
}

/** What a card's signing key signs to show that whoever asks for registration holds it now. */
export function challengeBytes(chainId: Hash, nonce: Uint8Array, card: MemberCard): Uint8Array {
  const writer = new Writer().raw(tagBytes('managerChallenge')).hash(chainId);
  writer.fixed(nonce, CHALLENGE_NONCE_BYTES);
  writeCard(writer, card);
  return writer.finish();
}
