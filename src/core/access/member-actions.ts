import type { Hash, Suite } from '../base/ids.ts';
import { memberCardBytes } from '../codec/member.ts';
import { findMember } from '../ledger/read.ts';
import { ACTION_TYPES, type Action, type MemberAction } from '../types/governance.ts';
import { LIMITS } from '../types/limits.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { Member, SystemState } from '../types/state.ts';
import {
  hasCardForm,
  leavesEnoughAdministrators,
  peerIdsAreFree,
  withOtherKeys,
  withoutRights,
} from './members.ts';
import { demand, firstRefusal } from './rule.ts';
import { checkSuspendable, withSuspension } from './suspension.ts';

export function isMemberAction(action: Action): action is MemberAction {
  return ACTION_TYPES[action.type] >= ACTION_TYPES.memberSuspend;
}

function checkRekey(
  system: SystemState,
  { card }: Extract<MemberAction, { type: 'memberRekey' }>,
  member: Member,
): number {
  return firstRefusal(
    () => demand(hasCardForm(card), OUTCOMES.malformed),
    () => demand(member.keys.length < LIMITS.keysPerMember, OUTCOMES.limitReached),
    () => demand(peerIdsAreFree(system, card), OUTCOMES.peerIdTaken),
  );
}

/** `OUTCOMES.committed`, or the first reason against. */
export function checkMemberAction(system: SystemState, action: MemberAction): number {
  const member = findMember(system, action.type === 'memberRekey' ? action.card.id : action.member);
  if (member === null) return OUTCOMES.unknownMember;
  if (member.revoked) return OUTCOMES.memberRevoked;
  if (action.type === 'memberResume') return demand(member.suspendedHeight > 0, OUTCOMES.notSuspended);
  if (action.type === 'memberRekey') return checkRekey(system, action, member);
  return firstRefusal(
    () => (action.type === 'memberSuspend' ? checkSuspendable(system, member.id) : OUTCOMES.committed),
    () => demand(leavesEnoughAdministrators(system, member), OUTCOMES.lastAdministrator),
  );
}

/** Whoever asks for the keys holds them, and others can seal to them. */
export function verifyRekeyProof(
  suite: Suite,
  chainId: Hash,
  { card, proof }: Extract<MemberAction, { type: 'memberRekey' }>,
): boolean {
  return (
    suite.isPoint(card.sealingKey) && suite.verify(card.signingKey, memberCardBytes(chainId, card), proof)
  );
}

/** After `checkMemberAction`. */
export function applyMemberAction(system: SystemState, action: MemberAction, height: number): SystemState {
  switch (action.type) {
    case 'memberSuspend':
      return withSuspension(system, action.member, height);
    case 'memberResume':
      return withSuspension(system, action.member, 0);
    case 'memberRevoke':
      return withoutRights(system, action.member, height);
    case 'memberRekey':
      return withOtherKeys(system, action.card, height);
  }
}
