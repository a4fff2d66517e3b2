import type { Ballot, Governance, Proposal } from '../types/governance.ts';
import { LIMITS } from '../types/limits.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { SystemState } from '../types/state.ts';
import { applyChange, checkChange, isStale } from './actions.ts';
import { activeAdministrators } from './standing.ts';

export interface Tally {
  readonly approvals: number;
  readonly rejections: number;
  /** Administrators that have not voted. */
  readonly outstanding: number;
  /** Approvals needed. */
  readonly threshold: number;
}

/** Only who is an administrator now counts, by the threshold of now. */
export function tally(system: SystemState, ballots: readonly Ballot[]): Tally {
  const voters = activeAdministrators(system);
  const cast = ballots.filter(ballot => voters.includes(ballot.member));
  const approvals = cast.filter(ballot => ballot.approve).length;
  return {
    approvals,
    rejections: cast.length - approvals,
    outstanding: voters.length - cast.length,
    threshold: system.administratorThreshold,
  };
}

export function passes(system: SystemState, ballots: readonly Ballot[]): boolean {
  const { approvals, threshold } = tally(system, ballots);
  return approvals >= threshold;
}

/** Enough ballots were cast against it, or too few administrators are left. */
function fails(system: SystemState, ballots: readonly Ballot[]): boolean {
  const { approvals, outstanding, threshold } = tally(system, ballots);
  return approvals + outstanding < threshold;
}

/** Ballots of those who are no administrators any more make room for those of others. */
export function castBallot(system: SystemState, ballots: readonly Ballot[], ballot: Ballot): Ballot[] {
  return [...ballots.filter(other => system.administrators.includes(other.member)), ballot];
}

/** What the head's height alone makes of an open proposal. */
export function isExpired(proposal: Proposal, height: number): boolean {
  return proposal.status === 'open' && height > proposal.expiresHeight;
}

function close(proposal: Proposal, status: Proposal['status'], height: number, reason = 0): Proposal {
  return { ...proposal, status, reason, closedHeight: height };
}

/** Of the closed ones the newest stay. */
function forgetOldest(proposals: readonly Proposal[]): Proposal[] {
  const closed = proposals.filter(({ status }) => status !== 'open');
  const over = closed.slice(0, Math.max(0, closed.length - LIMITS.closedProposals));
  const forgotten = new Set(over.map(({ number }) => number));
  return proposals.filter(({ number }) => !forgotten.has(number));
}

/** What became of the open proposals that time, another change or their proposer's leaving has decided. */
function sweep(system: SystemState, height: number): Proposal[] {
  return system.governance.proposals.map(proposal => {
    if (isExpired(proposal, height)) return close(proposal, 'expired', height);
    const isOpen = proposal.status === 'open';
    const isOver = isStale(system, proposal) || !system.administrators.includes(proposal.proposer);
    return isOpen && isOver ? close(proposal, 'stale', height) : proposal;
  });
}

function withProposals(system: SystemState, proposals: readonly Proposal[]): SystemState {
  const governance: Governance = { ...system.governance, proposals };
  return { ...system, governance };
}

/** Counts, executes what passes, and closes what is decided by it. A change that the ledger refuses changes nothing [59]. */
function decided(system: SystemState, proposal: Proposal, height: number): [SystemState, Proposal] {
  if (passes(system, proposal.ballots)) {
    const reason = checkChange(system, proposal, proposal.expiresHeight);
    if (reason !== OUTCOMES.committed) return [system, close(proposal, 'failed', height, reason)];
    return [applyChange(system, proposal, height), close(proposal, 'executed', height)];
  }
  return [system, fails(system, proposal.ballots) ? close(proposal, 'rejected', height) : proposal];
}

/** Puts a new or changed proposal into the state, with everything that follows from it. */
export function settle(system: SystemState, changed: Proposal, height: number): SystemState {
  const [after, proposal] = changed.status === 'open' ? decided(system, changed, height) : [system, changed];
  const others = after.governance.proposals.filter(({ number }) => number !== proposal.number);
  const proposals = [...others, proposal].sort((a, b) => a.number - b.number);
  const swept = sweep(withProposals(after, proposals), height);
  return { ...withProposals(after, forgetOldest(swept)), version: system.version + 1 };
}
