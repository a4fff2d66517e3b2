import { ECDH } from 'node:crypto';
import { ownKeyOf } from '../core/access/member-keys.ts';
import { mayAct } from '../core/access/standing.ts';
import { equalBytes, toHex } from '../core/base/bytes.ts';
import type { MemberId } from '../core/base/ids.ts';
import { memberCardBytes } from '../core/codec/operation.ts';
import { challengeBytes } from '../core/codec/request.ts';
import { findMember, memberOfPeer } from '../core/ledger/read.ts';
import type { MemberCard } from '../core/types/operation.ts';
import type { Member, PhaseState } from '../core/types/state.ts';
import { failure, type RpcFailure } from '../rpc/errors.ts';
import { resumeHint, suspendedDetail } from '../services/records/refusal.ts';
import type { CertifiedData, ManagerApi } from './api.ts';
import type { Challenges } from './challenges.ts';

/** True for 33 bytes that are a point of P-256. */
function isOnCurve(publicKey: Uint8Array): boolean {
  if (publicKey.length !== 33) return false;
  try {
    ECDH.convertKey(toHex(publicKey), 'prime256v1', 'hex', 'hex', 'uncompressed');
    return true;
  } catch {
    return false;
  }
}

const badCard = (detail: string, hint: string | null = null) => failure('conflict', 'bad_card', detail, hint);

/**
 * What can be said of a card before anything is signed: free name, real keys with one purpose each, free peer ids.
 *
 * @returns null when it may be registered
 */
export function checkCard(data: CertifiedData, card: MemberCard): RpcFailure | null {
  const system = data.system();
  if (findMember(system, card.id) !== null) {
    return failure('conflict', 'member_exists', `member "${card.id}" exists already`, 'Choose another id.');
  }
  if (!isOnCurve(card.signingKey)) return badCard('the signing key is not a point of P-256');
  if (!isOnCurve(card.sealingKey)) return badCard('the sealing key is not a point of P-256');
  if (equalBytes(card.signingKey, card.sealingKey)) return badCard('signing and sealing key are the same');
  if (new Set(card.peerIds).size !== card.peerIds.length)
    return badCard('a peer id stands twice in the card');
  for (const peerId of card.peerIds) {
    const holder = memberOfPeer(system, peerId);
    const validator = system.validatorSet.validators.find(other => other.peerId === peerId);
    if (holder === null && validator === undefined) continue;
    const whose = holder === null ? `validator "${validator?.name}"` : `member "${holder.id}"`;
    return failure(
      'conflict',
      'peer_id_taken',
      `peer id ${peerId} belongs to ${whose}`,
      'A node has one owner.',
    );
  }
  return null;
}

export interface Registration {
  readonly card: MemberCard;
  /** Signature over the card: proof of possession, which goes on chain. */
  readonly proof: Uint8Array;
  /** Of the challenge. */
  readonly nonce: Uint8Array;
  /** Signature over challenge and card: whoever asks holds the key now. */
  readonly signature: Uint8Array;
}

/** @returns null when the card may be registered and whoever asks holds its signing key */
export function checkRegistration(
  api: Pick<ManagerApi, 'data' | 'suite'>,
  challenges: Challenges,
  { card, proof, nonce, signature }: Registration,
): RpcFailure | null {
  const { data, suite } = api;
  const { chainId } = data;
  const cardBytes = memberCardBytes(chainId, card);
  if (!challenges.take(nonce, cardBytes)) {
    const hint = 'Ask for a challenge with manager_memberChallenge and answer it once, with the same card.';
    return failure(
      'conflict',
      'stale_challenge',
      'the challenge is not known, used, too old or for another card',
      hint,
    );
  }
  const wrong = checkCard(data, card);
  if (wrong !== null) return wrong;
  if (!suite.verify(card.signingKey, challengeBytes(chainId, nonce, card), signature)) {
    return failure('forbidden', 'bad_signature', "the challenge is not signed by the card's signing key");
  }
  if (!suite.verify(card.signingKey, cardBytes, proof)) {
    return failure('forbidden', 'bad_proof', 'the card is not signed by its own signing key for this chain');
  }
  return null;
}

/**
 * A member that is registered and not revoked; it may be suspended.
 *
 * @throws RpcFailure `not_found`, `conflict`
 */
export function requireMember(data: CertifiedData, id: MemberId): Member {
  const member = findMember(data.system(), id);
  if (member === null) {
    throw failure(
      'not_found',
      'unknown_member',
      `there is no member "${id}"`,
      'Register it first: phaseline member register.',
    );
  }
  if (member.revoked) {
    throw failure('conflict', 'member_revoked', `member "${id}" is revoked`, 'A revoked member stays out.');
  }
  return member;
}

/**
 * A member that may be put into a phase: registered, neither revoked nor suspended, with a current key.
 *
 * @throws RpcFailure `not_found`, `conflict`
 */
export function requireActiveMember(data: CertifiedData, id: MemberId): Member {
  const member = requireMember(data, id);
  if (!mayAct(member)) {
    throw failure('conflict', 'member_suspended', suspendedDetail(member), resumeHint(id));
  }
  const { key } = ownKeyOf(member);
  if (key.untilHeight !== 0 || key.fromHeight > data.head().height) {
    throw failure('conflict', 'no_current_key', `member "${id}" has no key that is valid now`);
  }
  return member;
}

/** @throws RpcFailure `conflict` when the member is in the phase */
export function requireNotIn(phase: PhaseState, id: MemberId): void {
  if (!phase.participants.some(participant => participant.member === id)) return;
  throw failure(
    'conflict',
    'already_participant',
    `"${id}" is in the phase already`,
    'participant role changes the roles.',
  );
}

/** @throws RpcFailure `not_found` when the member is not in the phase */
export function requireIn(phase: PhaseState, id: MemberId): void {
  if (phase.participants.some(participant => participant.member === id)) return;
  throw failure('not_found', 'not_participant', `"${id}" is not in the phase`, 'phase show lists who is.');
}
