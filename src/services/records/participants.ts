import { deedOfAdd, deedOfRole } from '../../core/access/approvals.ts';
import {
  awaitingHistory,
  hasEpochLeft,
  heldFrom,
  keyholders,
  recoveryKeyOf,
} from '../../core/access/epochs.ts';
import { awaitingAfterLoss } from '../../core/access/lost-keys.ts';
import { recoveryWithout } from '../../core/access/recovery.ts';
import type { MemberId, PhaseId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import {
  encodeEpochRotate,
  encodeParticipantAdd,
  encodeParticipantRemove,
  encodeParticipantRole,
} from '../../core/codec/operation.ts';
import { findMember } from '../../core/ledger/read.ts';
import {
  CUSTODY,
  type Envelope,
  type EpochOpening,
  GRANTS,
  type KindName,
} from '../../core/types/operation.ts';
import { OUTCOMES } from '../../core/types/outcome.ts';
import type { PhaseState } from '../../core/types/state.ts';
import { awaitApproval } from './approvals.ts';
import { currentCard, phaseName } from './cards.ts';
import { type Context, phaseLog } from './context.ts';
import { type DrawnEpoch, drawEpoch, noExtras, type OpeningExtras, sealFor } from './epoch-opening.ts';
import { currentEpochNumber } from './records.ts';
import { type Refusal, refusalOfOutcome, refuse, unknownMember, unknownPhase } from './refusal.ts';
import type { Committed } from './sender.ts';

/** How much of the past a newcomer may read: nothing, from an epoch on, or everything. */
export type Grant = 'none' | 'all' | { readonly fromEpoch: number };

export interface ParticipantInput {
  readonly phase: PhaseId;
  readonly member: MemberId;
  /** Bits of `ROLES`. */
  readonly roles: number;
  readonly grant: Grant;
}

/** A change that opened an epoch, or none. */
export interface Rekeyed extends Committed {
  /** Holders that get no secret, because their sealing key is no point of the curve; each must rotate its own keys. */
  readonly withoutKey: readonly MemberId[];
}

interface Granted {
  readonly grant: number;
  readonly fromEpoch: number;
  readonly envelope: Envelope | null;
  readonly epoch: EpochOpening | null;
}

/** A transaction of one part, in the phase's log only. */
export function sendToPhase(
  context: Context,
  kind: KindName,
  phase: PhaseState,
  content: Uint8Array,
  what: string,
): Promise<Committed | Refusal> {
  const scopes = [phaseLog(context, phase.id)];
  return context.sender.send({ kind, scopes, parts: [{ scope: 0, content }], what });
}

/** First epoch from which on this member can hand out every secret: what it has, and what the chain knows that it has. */
export function givesFrom({ access, member, vault }: Context, phase: PhaseState): number {
  const held = heldFrom(access.system(), phase, member) ?? phase.epochs.length;
  return Math.max(held, vault.heldFrom(phase));
}

/** What those get with the next epoch who were granted more than anybody has sealed to them, or to keys that they have. */
function extrasOf(context: Context, phase: PhaseState): OpeningExtras {
  const from = givesFrom(context, phase);
  const system = context.access.system();
  const awaiting = [...awaitingHistory(system, phase, from), ...awaitingAfterLoss(system, phase)];
  const recoveryKey = recoveryKeyOf(phase);
  if (awaiting.length === 0) return { ...noExtras(phase.epochs.length), recoveryKey };
  const historyOf = (member: MemberId) => {
    const lacks = awaiting.find(entry => entry.member === member);
    if (lacks === undefined) return [];
    return context.vault.secrets(phase.id, Math.max(from, lacks.fromEpoch), currentEpochNumber(phase));
  };
  return { historyFrom: from, historyOf, recoveryKey };
}

/**
 * Under custody `participants` whoever holds a key that administrators gave a member in place of a lost one would read the phase:
 * a person who knows that it is the member's says so.
 */
function refuseReplaced(
  context: Context,
  phase: PhaseState,
  remaining: readonly { readonly member: MemberId }[],
  accepted: readonly MemberId[],
): Refusal | null {
  if (phase.custody !== CUSTODY.participants) return null;
  const known = new Set([context.member, ...accepted]);
  const replaced = awaitingAfterLoss(context.access.system(), phase).map(entry => entry.member);
  const asked = replaced.find(id => !known.has(id) && remaining.some(({ member }) => member === id));
  if (asked === undefined) return null;
  return refuse(
    'keys_replaced',
    `administrators gave ${asked} new keys; whoever holds them would read ${phaseName(context, phase)} from now on`,
    `Ask ${asked} whether the keys are its own. Then: phaseline phase rotate PHASE --accept ${asked}. Otherwise remove it.`,
  );
}

/** The next epoch of the phase, for those who will be in it. @param accepted whose replaced keys are known to be theirs */
async function nextEpoch(
  context: Context,
  phase: PhaseState,
  participants: readonly { readonly member: MemberId }[],
  accepted: readonly MemberId[] = [],
): Promise<DrawnEpoch | Refusal> {
  const refused = refuseReplaced(context, phase, participants, accepted);
  if (refused !== null) return refused;
  const holders = keyholders(context.access.system(), { ...phase, participants });
  const { project, membershipVersion } = phase;
  const place = { project, phase: phase.id, epoch: phase.epochs.length, membershipVersion };
  const card = await currentCard(context, phase);
  return drawEpoch(context, place, holders, card, extrasOf(context, phase));
}

async function grantHistory(context: Context, phase: PhaseState, member: MemberId, from: number) {
  const current = currentEpochNumber(phase);
  const secrets = context.vault.secrets(phase.id, from, current);
  const held = new Set(secrets.map(entry => entry.number));
  const missing = phase.epochs.filter(epoch => epoch.number >= from && !held.has(epoch.number));
  if (from > current || missing.length > 0) {
    const numbers = missing.map(epoch => epoch.number).join(', ');
    const detail =
      from > current
        ? `${phaseName(context, phase)} has no epoch ${from} yet`
        : `${context.member} does not hold the secrets of epochs ${numbers} of ${phaseName(context, phase)}`;
    return refuse('key_missing', detail, 'Grant less, or let one who holds them add the participant.');
  }
  const { project, membershipVersion } = phase;
  return sealFor(context, { project, phase: phase.id, epoch: current, membershipVersion }, member, secrets);
}

/** By an owner who holds no keys: those who do seal them. It cannot let itself in. */
function keylessGrant(context: Context, { grant, member }: ParticipantInput): Granted | Refusal {
  if (member === context.member) return refusalOfOutcome(OUTCOMES.custodyForbids, `add ${member} to a phase`);
  const nothing = { envelope: null, epoch: null };
  if (grant === 'none') return { grant: GRANTS.none, fromEpoch: 0, ...nothing };
  if (grant === 'all') return { grant: GRANTS.all, fromEpoch: 0, ...nothing };
  return { grant: GRANTS.fromEpoch, fromEpoch: grant.fromEpoch, ...nothing };
}

async function makeGrant(
  context: Context,
  phase: PhaseState,
  input: ParticipantInput,
): Promise<Granted | Refusal> {
  const { grant, member } = input;
  if (!keyholders(context.access.system(), phase).has(context.member)) return keylessGrant(context, input);
  if (grant === 'none') {
    const epoch = await nextEpoch(context, phase, [...phase.participants, { member }]);
    return isReject(epoch)
      ? epoch
      : { grant: GRANTS.none, fromEpoch: 0, envelope: null, epoch: epoch.opening };
  }
  const fromEpoch = grant === 'all' ? 0 : grant.fromEpoch;
  const envelope = await grantHistory(context, phase, member, fromEpoch);
  if (isReject(envelope)) return envelope;
  return { grant: grant === 'all' ? GRANTS.all : GRANTS.fromEpoch, fromEpoch, envelope, epoch: null };
}

/**
 * By the owner or a steward. With `none` a new epoch begins with the newcomer; otherwise it is given the secrets of the past that
 * the sender holds. After an owner who holds none the phase is frozen until a node of a steward has opened the next epoch, with
 * what the newcomer was granted. Refused with `unknown_phase`, `unknown_member`, `key_missing` or the ledger's outcome.
 */
export async function addParticipant(
  context: Context,
  input: ParticipantInput,
): Promise<Committed | Refusal> {
  const phase = await context.follower.catchUp(input.phase);
  if (phase === null) return unknownPhase(input.phase);
  const { member, roles } = input;
  if (findMember(context.access.system(), member) === null) return unknownMember(member);
  const granted = await makeGrant(context, phase, input);
  if (isReject(granted)) return granted;
  const expectedMembershipVersion = phase.membershipVersion;
  const content = { phase: phase.id, expectedMembershipVersion, member, roles, ...granted };
  const waiting = await awaitApproval(context, phase, deedOfAdd(content));
  if (waiting !== null) return waiting;
  const what = `add ${member} to ${phaseName(context, phase)}`;
  return sendToPhase(context, 'participantAdd', phase, encodeParticipantAdd(content), what);
}

/**
 * By the owner or a steward. Opens the next epoch without the member; a sender who will not hold keys (an owner without
 * custody, or who removes itself) cannot, and the phase is frozen until a participant rotates. A phase that has had all its
 * epochs is frozen for good.
 */
export async function removeParticipant(
  context: Context,
  id: PhaseId,
  member: MemberId,
): Promise<Rekeyed | Refusal> {
  const phase = await context.follower.catchUp(id);
  if (phase === null) return unknownPhase(id);
  const remaining = phase.participants.filter(entry => entry.member !== member);
  const holders = keyholders(context.access.system(), { ...phase, participants: remaining });
  const waiting = await awaitApproval(context, phase, { kind: 'participantRemove', member });
  if (waiting !== null) return waiting;
  const opens = holders.has(context.member) && hasEpochLeft(phase);
  const after = { ...phase, recovery: recoveryWithout(phase.recovery, member) };
  const drawn = opens ? await nextEpoch(context, after, remaining) : null;
  if (isReject(drawn)) return drawn;
  const expectedMembershipVersion = phase.membershipVersion;
  const content = { phase: id, expectedMembershipVersion, member, epoch: drawn?.opening ?? null };
  const what = `remove ${member} from ${phaseName(context, phase)}`;
  const sent = await sendToPhase(context, 'participantRemove', phase, encodeParticipantRemove(content), what);
  return isReject(sent) ? sent : { ...sent, withoutKey: drawn?.withoutKey ?? [] };
}

/** By the owner or a steward; keys stay as they are. @param roles bits of `ROLES` */
export async function changeRole(
  context: Context,
  id: PhaseId,
  member: MemberId,
  roles: number,
): Promise<Committed | Refusal> {
  const phase = context.access.phase(id);
  if (phase === null) return unknownPhase(id);
  const expectedMembershipVersion = phase.membershipVersion;
  const content = { phase: id, expectedMembershipVersion, member, roles };
  const waiting = await awaitApproval(context, phase, deedOfRole(content));
  if (waiting !== null) return waiting;
  const what = `change the roles of ${member} in ${phaseName(context, phase)}`;
  return sendToPhase(context, 'participantRole', phase, encodeParticipantRole(content), what);
}

/**
 * By the owner or a steward who holds keys: opens the next epoch, which also ends a freeze.
 *
 * @param accepted members whose keys administrators replaced, and whom somebody asked whether the new ones are theirs;
 *   `keys_replaced` names the next one that is missing
 */
export async function rotateEpoch(
  context: Context,
  id: PhaseId,
  accepted: readonly MemberId[] = [],
): Promise<Rekeyed | Refusal> {
  const phase = await context.follower.catchUp(id);
  if (phase === null) return unknownPhase(id);
  const drawn = await nextEpoch(context, phase, phase.participants, accepted);
  if (isReject(drawn)) return drawn;
  const { opening, withoutKey } = drawn;
  const expectedMembershipVersion = phase.membershipVersion;
  const content = encodeEpochRotate({ phase: id, expectedMembershipVersion, epoch: opening });
  const what = `open a new key epoch in ${phaseName(context, phase)}`;
  const sent = await sendToPhase(context, 'epochRotate', phase, content, what);
  return isReject(sent) ? sent : { ...sent, withoutKey };
}
