import { assert, assertDefined } from '../base/assert.ts';
import type { MemberId } from '../base/ids.ts';
import { findMember } from '../ledger/read.ts';
import { LIMITS } from '../types/limits.ts';
import { CUSTODY, type Envelope, type EpochOpening } from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { Epoch, Participant, PhaseState, SystemState } from '../types/state.ts';
import { ownKeyOf } from './member-keys.ts';
import {
  type CheckContext,
  demand,
  firstRefusal,
  hasPublicKeyForm,
  type LeafPlace,
  type Rule,
} from './rule.ts';
import { isActive, phaseFor } from './standing.ts';

/** Whose hands hold an epoch's secret. */
export interface Keyholders {
  readonly owner: MemberId;
  readonly custody: number;
  /** `heldFrom` as in the state; without it who comes in now. */
  readonly participants: readonly { readonly member: MemberId; readonly heldFrom?: number }[];
}

/** The active participants, and the owner when the managing side keeps the keys (DESIGN.md section 5). */
export function keyholders(system: SystemState, phase: Keyholders): ReadonlySet<MemberId> {
  const named = phase.participants.map(entry => entry.member);
  if (phase.custody === CUSTODY.manager) named.push(phase.owner);
  return new Set(named.filter(id => isActive(system, id)));
}

/** First epoch whose secret was sealed to the member, as far as the chain can tell; null when it holds no keys. */
export function heldFrom(system: SystemState, phase: Keyholders, member: MemberId): number | null {
  if (!keyholders(system, phase).has(member)) return null;
  if (phase.custody === CUSTODY.manager && phase.owner === member) return 0;
  return phase.participants.find(entry => entry.member === member)?.heldFrom ?? null;
}

/** The participant once it was given what it was granted of the epochs from `from` on. */
export function withHistory(participant: Participant, from: number): Participant {
  const given = Math.max(participant.fromEpoch, from);
  return given < participant.heldFrom ? { ...participant, heldFrom: given } : participant;
}

/** Active participants that lack secrets they were granted, and that one who holds them from `from` on can give. */
export function awaitingHistory(system: SystemState, phase: PhaseState, from: number): Participant[] {
  return phase.participants.filter(
    entry => isActive(system, entry.member) && withHistory(entry, from) !== entry,
  );
}

export function currentEpoch(phase: PhaseState): Epoch {
  return assertDefined(phase.epochs.at(-1), 'a phase has an epoch from its first leaf on');
}

/** False when nobody can open an epoch in it any more. */
export function hasEpochLeft(phase: PhaseState): boolean {
  return phase.epochs.length < LIMITS.epochsPerPhase;
}

/** An envelope must be sealed to the key that its member holds now. */
export function isForCurrentKey(system: SystemState, envelope: Envelope): boolean {
  const member = findMember(system, envelope.member);
  return member !== null && envelope.keyId === ownKeyOf(member).keyId && envelope.sealed.length > 0;
}

/** What the secret of the next epoch is sealed to as well. */
export function recoveryKeyOf({ recovery }: Pick<PhaseState, 'recovery'>): Uint8Array | null {
  return recovery === null || recovery.ended ? null : recovery.publicKey;
}

/** What a phase asks of an epoch that is opened in it. */
type Opened = Keyholders & Pick<PhaseState, 'recovery'>;

/**
 * An epoch is made by one who will hold it, with exactly one envelope for each holder.
 * @param phase as it is after the change that opens the epoch
 * @param number the one that must be opened
 */
export function checkOpening(
  context: CheckContext,
  phase: Opened,
  number: number,
  opening: EpochOpening,
): number {
  const holders = keyholders(context.state.system(), phase);
  return firstRefusal(
    () => demand(holders.has(context.sender.id), OUTCOMES.custodyForbids),
    () => checkEnvelopes(context, phase, number, opening),
  );
}

/** The same, whoever makes it. */
export function checkEnvelopes(
  { state, sender }: CheckContext,
  phase: Opened,
  number: number,
  opening: EpochOpening,
): number {
  const system = state.system();
  const holders = keyholders(system, phase);
  const { historyFrom } = opening;
  const held = heldFrom(system, phase, sender.id) ?? number;
  const named = new Set(opening.envelopes.map(envelope => envelope.member));
  return firstRefusal(
    () => demand(opening.number === number, OUTCOMES.staleEpoch),
    () => demand(number < LIMITS.epochsPerPhase, OUTCOMES.limitReached),
    () => demand(hasPublicKeyForm(opening.publicKey), OUTCOMES.malformed),
    () =>
      demand(
        named.size === opening.envelopes.length &&
          named.size === holders.size &&
          opening.envelopes.every(
            envelope => holders.has(envelope.member) && isForCurrentKey(system, envelope),
          ),
        OUTCOMES.badEnvelopes,
      ),
    () => demand(held <= historyFrom && historyFrom <= number, OUTCOMES.custodyForbids),
    () => demand(opening.recovery.length > 0 === (recoveryKeyOf(phase) !== null), OUTCOMES.badEnvelopes),
  );
}

/** A new epoch ends a freeze, and answers complaints about the one before; those stay for one more. */
export function openEpoch(phase: PhaseState, opening: EpochOpening, place: LeafPlace): PhaseState {
  const { number, commitment, publicKey, card } = opening;
  assert(number === phase.epochs.length, 'epochs are numbered without gaps');
  const { position: startPosition, height, sender: opener } = place;
  const epoch: Epoch = { number, commitment, publicKey, startPosition, height, opener };
  return {
    ...phase,
    card: { epoch: number, bytes: card },
    frozen: false,
    participants: phase.participants.map(entry => withHistory(entry, opening.historyFrom)),
    epochs: [...phase.epochs, epoch],
    complaints: phase.complaints.filter(complaint => complaint.epoch >= number - 1),
  };
}

export const epochRotate: Rule<'epochRotate'> = {
  scopes: ({ state }, [content]) => [state.logIdOf('phase', content.phase)],
  check: (context, [content]) => {
    const phase = phaseFor(context, 'epochRotate', content.phase);
    if (typeof phase === 'number') return phase;
    return firstRefusal(
      () => demand(content.expectedMembershipVersion === phase.membershipVersion, OUTCOMES.staleMembership),
      () => checkOpening(context, phase, phase.epochs.length, content.epoch),
    );
  },
  apply: {
    phase: (state, content, place) => {
      const phase = openEpoch(assertDefined(state, 'a phase with epochs exists'), content.epoch, place);
      return { ...phase, membershipVersion: phase.membershipVersion + 1 };
    },
  },
};
