import { assertDefined } from '../base/assert.ts';
import type { MemberId, Suite } from '../base/ids.ts';
import type { OpenAsk, Recovery, RecoveryHolder, RecoveryShares } from '../types/custody.ts';
import type { Deed } from '../types/flow.ts';
import { LIMITS } from '../types/limits.ts';
import { LIFECYCLE } from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { PhaseState, SystemState } from '../types/state.ts';
import { checkApproved } from './approvals.ts';
import { heldFrom, isForCurrentKey, keyholders, withHistory } from './epochs.ts';
import {
  type CheckContext,
  demand,
  firstRefusal,
  isStrictlyAscending,
  type LeafPlace,
  type Rule,
} from './rule.ts';
import { checkNewcomer, isActive, participantOf, phaseFor } from './standing.ts';
import { formerWith } from './visibility.ts';

/** One share is no sharing, and the threshold of the scheme is two at least. */
const THRESHOLD_MIN = 2;

export function deedOfShares({ threshold, shares }: RecoveryShares): Deed {
  return { kind: 'recoveryShares', threshold, holders: shares.map(({ member }) => member) };
}

/** A key that is no point of the curve would stop every epoch after it: nobody could seal to it. */
function hasSharesForm({ isPoint }: Suite, content: RecoveryShares): boolean {
  const { threshold, publicKey, history, shares } = content;
  return (
    threshold >= THRESHOLD_MIN &&
    threshold <= shares.length &&
    isPoint(publicKey) &&
    history.length > 0 &&
    isStrictlyAscending(shares.map(({ member }) => member))
  );
}

/** Holders before who are none any more, and have no other part in the phase. */
export function leavingHolders(
  phase: PhaseState,
  shares: readonly { readonly member: MemberId }[],
): MemberId[] {
  const stay = new Set(shares.map(({ member }) => member));
  const before = phase.recovery?.holders.map(({ member }) => member) ?? [];
  return before.filter(
    member => !stay.has(member) && member !== phase.owner && participantOf(phase, member) === null,
  );
}

/** Who is new to the phase gets it into its list of scopes, as a participant does. */
function checkHolders({ state }: CheckContext, { shares }: RecoveryShares): number {
  const system = state.system();
  return firstRefusal(
    ...shares.map(
      ({ member }) =>
        () =>
          checkNewcomer(state, member),
    ),
    () =>
      demand(
        shares.every(share => isForCurrentKey(system, share)),
        OUTCOMES.badShares,
      ),
  );
}

/** A holder who was one before goes on reading from where it began. */
function holderOf(
  phase: PhaseState,
  share: RecoveryShares['shares'][number],
  place: LeafPlace,
): RecoveryHolder {
  const { member, commitment } = share;
  const before = phase.recovery?.holders.find(entry => entry.member === member);
  return { member, commitment, startPosition: before?.startPosition ?? place.position };
}

/** Holders that hold no more: they read as those do who were removed. */
function withoutHolders(phase: PhaseState, recovery: Recovery, leave: MemberId[], end: number): PhaseState {
  const gone = recovery.holders.filter(({ member }) => leave.includes(member));
  const former = gone.reduce(
    (list, { member, startPosition }) => formerWith(list, { member, startPosition }, end),
    phase.former,
  );
  return { ...phase, former };
}

/** By one who holds the keys; with approvals as for adding, since enough holders together can open the phase. */
export const recoveryShares: Rule<'recoveryShares'> = {
  scopes: ({ state }, [content]) => [state.logIdOf('phase', content.phase)],
  check: (context, [content]) => {
    const phase = phaseFor(context, 'recoveryShares', content.phase);
    if (typeof phase === 'number') return phase;
    const held = heldFrom(context.state.system(), phase, context.sender.id);
    return firstRefusal(
      () => demand(content.expectedMembershipVersion === phase.membershipVersion, OUTCOMES.staleMembership),
      () => demand(phase.lifecycle !== LIFECYCLE.archived, OUTCOMES.wrongLifecycle),
      () => demand(hasSharesForm(context.suite, content), OUTCOMES.badShares),
      () => demand(content.fromEpoch < phase.epochs.length, OUTCOMES.staleEpoch),
      () => demand(held !== null && held <= content.fromEpoch, OUTCOMES.custodyForbids),
      () =>
        demand(
          phase.former.length + phase.participants.length + LIMITS.recoveryHolders < LIMITS.formerPerPhase,
          OUTCOMES.limitReached,
        ),
      () => checkHolders(context, content),
      () =>
        demand(content.leaving.join() === leavingHolders(phase, content.shares).join(), OUTCOMES.badShares),
      () => checkApproved(context, phase, deedOfShares(content)),
    );
  },
  apply: {
    phase: (state, content, place) => {
      const phase = assertDefined(state, 'a phase with recovery shares exists');
      const { threshold, publicKey, commitment, fromEpoch, shares } = content;
      const holders = shares.map(share => holderOf(phase, share, place));
      const { recovery: before } = phase;
      const stay = new Set(holders.map(({ member }) => member));
      const leave = before?.holders.map(({ member }) => member).filter(member => !stay.has(member)) ?? [];
      const rest = before === null ? phase : withoutHolders(phase, before, leave, place.position + 1);
      const recovery = {
        number: place.position,
        threshold,
        publicKey,
        commitment,
        fromEpoch,
        dealer: place.sender,
        ended: false,
        holders,
        asks: [],
      };
      return { ...rest, recovery, membershipVersion: phase.membershipVersion + 1 };
    },
  },
};

/** Holders that can still offer. */
export function activeHolders(system: SystemState, { holders }: Recovery): MemberId[] {
  return holders.map(({ member }) => member).filter(member => isActive(system, member));
}

/** By any participant: whether to answer is for the holders to decide. Asking again begins anew. */
export const recoveryAsk: Rule<'recoveryAsk'> = {
  scopes: ({ state }, [content]) => [state.logIdOf('phase', content.phase)],
  check: (context, [content]) => {
    const phase = phaseFor(context, 'recoveryAsk', content.phase);
    if (typeof phase === 'number') return phase;
    const { recovery } = phase;
    if (recovery === null) return OUTCOMES.noRecovery;
    const active = activeHolders(context.state.system(), recovery).length;
    return demand(active >= recovery.threshold, OUTCOMES.noRecovery);
  },
  apply: {
    phase: (state, _, { sender: member, height, position: number }) => {
      const phase = assertDefined(state, 'a phase with recovery shares exists');
      const recovery = assertDefined(phase.recovery, 'who asks is told of shares');
      const asks = recovery.asks.filter(ask => ask.member !== member);
      return { ...phase, recovery: { ...recovery, asks: [...asks, { number, member, height, offers: [] }] } };
    },
  },
};

function askOf(phase: PhaseState, number: number): OpenAsk | null {
  return phase.recovery?.asks.find(ask => ask.number === number) ?? null;
}

/** With enough offers who asked holds what the shares open, as far as the chain can tell. */
function withOffer(phase: PhaseState, recovery: Recovery, ask: OpenAsk, holder: MemberId): PhaseState {
  const offers = [...ask.offers, holder];
  const asks = recovery.asks.map(entry => (entry === ask ? { ...ask, offers } : entry));
  const offered = { ...phase, recovery: { ...recovery, asks } };
  if (offers.length < recovery.threshold) return offered;
  const participants = phase.participants.map(entry =>
    entry.member === ask.member ? withHistory(entry, recovery.fromEpoch) : entry,
  );
  return { ...offered, participants };
}

export const recoveryOffer: Rule<'recoveryOffer'> = {
  scopes: ({ state }, [content]) => [state.logIdOf('phase', content.phase)],
  check: (context, [{ phase: id, ask: number, keyId, sealed }]) => {
    const phase = phaseFor(context, 'recoveryOffer', id);
    if (typeof phase === 'number') return phase;
    const ask = askOf(phase, number);
    if (ask === null) return OUTCOMES.unknownAsk;
    const system = context.state.system();
    return firstRefusal(
      () => demand(keyholders(system, phase).has(ask.member), OUTCOMES.unknownAsk),
      () => demand(!ask.offers.includes(context.sender.id), OUTCOMES.alreadyOffered),
      () => demand(isForCurrentKey(system, { member: ask.member, keyId, sealed }), OUTCOMES.badShares),
    );
  },
  apply: {
    phase: (state, { ask: number }, { sender }) => {
      const phase = assertDefined(state, 'a phase with recovery shares exists');
      const recovery = assertDefined(phase.recovery, 'who offers has a share');
      return withOffer(phase, recovery, assertDefined(askOf(phase, number), 'an ask is answered'), sender);
    },
  },
};

/**
 * After a member is removed. The key ends with who dealt it, and with who asked for shares and may have put it together: sealed
 * to it, the next epoch would be theirs too.
 */
export function recoveryWithout(recovery: Recovery | null, member: MemberId): Recovery | null {
  if (recovery === null) return null;
  const holders = recovery.holders.filter(entry => entry.member !== member);
  const asks = recovery.asks.filter(entry => entry.member !== member);
  const knew = recovery.dealer === member || asks.length < recovery.asks.length;
  return { ...recovery, holders, asks, ended: recovery.ended || knew };
}

/** Whoever is removed from the phase holds no share of it any more, asks for none, and complains of nothing. */
export function withoutClaims(phase: PhaseState, member: MemberId, end: number): PhaseState {
  const complaints = phase.complaints.filter(entry => entry.member !== member);
  const { recovery } = phase;
  if (recovery === null) return { ...phase, complaints };
  const rest = withoutHolders(phase, recovery, [member], end);
  return { ...rest, complaints, recovery: recoveryWithout(recovery, member) };
}
