import { assertDefined } from '../base/assert.ts';
import type { MemberId } from '../base/ids.ts';
import { memberCardBytes } from '../codec/member.ts';
import { findMember, memberOfPeer } from '../ledger/read.ts';
import { LIMITS } from '../types/limits.ts';
import type { MemberCard } from '../types/member.ts';
import { KINDS } from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { Member, OwnKey, PhaseState, SystemState } from '../types/state.ts';
import { EVIDENCE_SENDER } from './evidence.ts';
import { endKeys, ownKeyOf } from './member-keys.ts';
import { type CheckContext, demand, firstRefusal, hasPublicKeyForm, type Rule } from './rule.ts';
import { activeAdministrators, isAdministrator } from './standing.ts';

export function peerIdsAreFree(system: SystemState, card: MemberCard): boolean {
  return card.peerIds.every(peerId => {
    const holder = memberOfPeer(system, peerId);
    const isValidator = system.validatorSet.validators.some(validator => validator.peerId === peerId);
    return !isValidator && (holder === null || holder.id === card.id);
  });
}

/** The form only; that the sealing key is on the curve, `checkCard` asks of every card that comes after genesis. */
export function hasCardForm(card: MemberCard): boolean {
  const peerIds = new Set(card.peerIds);
  return (
    card.name.length > 0 &&
    hasPublicKeyForm(card.signingKey) &&
    hasPublicKeyForm(card.sealingKey) &&
    peerIds.size === card.peerIds.length &&
    !peerIds.has('')
  );
}

/** What registering and rotating ask of a card; the proof shows that the sender holds the new signing key. */
function checkCard(context: CheckContext, card: MemberCard, proof: Uint8Array): number {
  const { suite, state } = context;
  return firstRefusal(
    () => demand(hasCardForm(card), OUTCOMES.malformed),
    // nobody could seal to it; of the signing key the proof says as much
    () => demand(suite.isPoint(card.sealingKey), OUTCOMES.malformed),
    () => demand(peerIdsAreFree(state.system(), card), OUTCOMES.peerIdTaken),
    () =>
      demand(suite.verify(card.signingKey, memberCardBytes(state.chainId, card), proof), OUTCOMES.badProof),
  );
}

/**
 * A key holds for leaves with `fromHeight ≤ height < untilHeight` (no end while `untilHeight` is 0). Signatures are checked
 * against the state before the block, so a key that a block brings holds from the next height on.
 */
function newKey(card: MemberCard, fromHeight: number, replaced = false): OwnKey {
  const { signingKey, sealingKey } = card;
  return { signingKey, fromHeight, untilHeight: 0, user: null, sealingKey, replaced };
}

export function newMember(card: MemberCard, fromHeight: number): Member {
  const { id, name, peerIds } = card;
  const keys = [newKey(card, fromHeight)];
  return { id, name, version: 0, revoked: false, suspendedHeight: 0, peerIds, keys };
}

export function replaceMember(system: SystemState, member: Member): SystemState {
  const members = system.members.map(other => (other.id === member.id ? member : other));
  return { ...system, version: system.version + 1, members };
}

export const memberRegister: Rule<'memberRegister'> = {
  scopes: ({ state }) => [state.logIdOf('system', state.chainId)],
  check: (context, [{ card, proof }]) => {
    const system = context.state.system();
    return firstRefusal(
      () => demand(isAdministrator(system, context.sender), OUTCOMES.notAdministrator),
      () => demand(findMember(system, card.id) === null, OUTCOMES.memberExists),
      () => demand(card.id !== EVIDENCE_SENDER.id, OUTCOMES.memberExists),
      () => demand(system.members.length < LIMITS.membersMax, OUTCOMES.limitReached),
      () => checkCard(context, card, proof),
    );
  },
  apply: {
    system: (system, { card }, { height }) => {
      const after = system.members.findIndex(other => other.id > card.id);
      const index = after < 0 ? system.members.length : after;
      const members = system.members.toSpliced(index, 0, newMember(card, height + 1));
      return { ...system, version: system.version + 1, members };
    },
  },
};

/** Whether the member may bring in another key by itself. */
export function hasKeyPlace({ keys }: Pick<Member, 'keys'>): boolean {
  return keys.length < LIMITS.keysPerMember - LIMITS.ballotKeysPerMember;
}

/** The member itself, with its current key, names its next card; every rotation adds a key entry. */
export const memberRotate: Rule<'memberRotate'> = {
  scopes: ({ state }) => [state.logIdOf('system', state.chainId)],
  check: (context, [{ card, proof, expectedVersion }]) =>
    firstRefusal(
      () => demand(card.id === context.sender.id, OUTCOMES.notOwner),
      () => demand(expectedVersion === context.sender.version, OUTCOMES.staleVersion),
      () => demand(hasKeyPlace(context.sender), OUTCOMES.limitReached),
      () => checkCard(context, card, proof),
    ),
  apply: {
    system: (system, { card }, { height }) => {
      const member = assertDefined(findMember(system, card.id), 'a member that rotates exists');
      // users' keys stay: the member rotates its own
      const ended = endKeys(member.keys, height + 1, key => key.user === null);
      const keys = [...ended, newKey(card, height + 1)];
      const { name, peerIds } = card;
      return replaceMember(system, { ...member, name, peerIds, version: member.version + 1, keys });
    },
  },
};

/** As many administrators must stay as governance needs; otherwise nobody could ever change the consortium again. */
export function leavesEnoughAdministrators(system: SystemState, without: Member): boolean {
  const staying = activeAdministrators(system).filter(id => id !== without.id);
  return !isAdministrator(system, without) || staying.length >= system.administratorThreshold;
}

/** Where several decide, none of them removes another alone: a proposal first takes the office from it. */
function isPeerAdministrator(system: SystemState, sender: Member, member: Member): boolean {
  return system.administratorThreshold > 1 && sender.id !== member.id && isAdministrator(system, member);
}

/** Effective at once within the block; the executor adds a leaf to each phase that the member is in. */
export const memberRevoke: Rule<'memberRevoke'> = {
  scopes: ({ state }) => [state.logIdOf('system', state.chainId)],
  check: ({ state, sender }, [content]) => {
    const system = state.system();
    if (!isAdministrator(system, sender)) return OUTCOMES.notAdministrator;
    const member = findMember(system, content.member);
    if (member === null) return OUTCOMES.unknownMember;
    if (member.revoked) return OUTCOMES.memberRevoked;
    if (isPeerAdministrator(system, sender, member)) return OUTCOMES.isAdministrator;
    return demand(leavesEnoughAdministrators(system, member), OUTCOMES.lastAdministrator);
  },
  apply: {
    system: (system, content, { height }) => withoutRights(system, content.member, height),
    phase: freeze,
  },
};

/** Revoked, by one administrator or by ballots. */
export function withoutRights(system: SystemState, id: MemberId, height: number): SystemState {
  const member = assertDefined(findMember(system, id), 'a member that is revoked exists');
  const keys = endKeys(member.keys, height + 1, () => true);
  return replaceMember(system, { ...member, version: member.version + 1, revoked: true, keys });
}

/** All keys that it had end, those of its users too: whoever has them now may be anybody. */
export function withOtherKeys(system: SystemState, card: MemberCard, height: number): SystemState {
  const member = assertDefined(findMember(system, card.id), 'a member that gets other keys exists');
  const { name, peerIds } = card;
  const keys = [...endKeys(member.keys, height + 1, () => true), newKey(card, height + 1, true)];
  return replaceMember(system, { ...member, name, peerIds, version: member.version + 1, keys });
}

/**
 * Writing stops until the next epoch; membership changes under way must be made again. The derived leaf carries no part: freezing
 * needs to know only that somebody's hold on the keys has ended: that one may know the recovery key, which ends too.
 */
export function freeze(state: PhaseState | null): PhaseState {
  const phase = assertDefined(state, 'a phase whose keys a member held exists');
  const recovery = phase.recovery === null ? null : { ...phase.recovery, ended: true };
  return { ...phase, recovery, frozen: true, membershipVersion: phase.membershipVersion + 1 };
}

/** They may end a member's hold on the keys of its phases: then they stand in logs that their bodies do not name. */
export const HOLDER_ENDING_KINDS: ReadonlySet<number> = new Set([
  KINDS.memberRevoke,
  KINDS.proposalCreate,
  KINDS.proposalVote,
]);

/**
 * Who held keys of phases before and must not, or cannot, go on with them: revoked, or given other keys by administrators.
 * @param after the same members, those that changed as other objects
 */
export function endedHolders(before: SystemState, after: SystemState): MemberId[] {
  if (before.members === after.members) return [];
  return before.members.flatMap((member, index) => {
    const next = assertDefined(after.members[index], 'members stay');
    if (next === member) return [];
    const isOver = next.revoked !== member.revoked || ownKeyOf(next).keyId !== ownKeyOf(member).keyId;
    return isOver ? [member.id] : [];
  });
}
