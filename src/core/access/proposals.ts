import { assertDefined } from '../base/assert.ts';
import type { Ballot, Proposal } from '../types/governance.ts';
import { LIMITS } from '../types/limits.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { SystemState } from '../types/state.ts';
import { changesValidators, checkChange, verifyKeyProofs } from './actions.ts';
import { castBallot, isExpired, passes, settle } from './ballots.ts';
import { freeze } from './members.ts';
import { type CheckContext, demand, firstRefusal, type Rule } from './rule.ts';
import { isAdministrator } from './standing.ts';

export function findProposal(system: SystemState, number: number): Proposal | null {
  return system.governance.proposals.find(proposal => proposal.number === number) ?? null;
}

/** The proposal while it takes ballots; otherwise the outcome that says why not. */
function openProposal({ state, height }: CheckContext, number: number): Proposal | number {
  const proposal = findProposal(state.system(), number);
  if (proposal === null) return OUTCOMES.unknownProposal;
  if (proposal.status !== 'open') return OUTCOMES.proposalClosed;
  return isExpired(proposal, height) ? OUTCOMES.proposalExpired : proposal;
}

/** A header names one next set: the second change waits for the next block, nothing of it is lost. */
function checkOneSetChange(
  { state, height }: CheckContext,
  change: Pick<Proposal, 'actions'>,
  ballots: readonly Ballot[],
): number {
  const system = state.system();
  const changesSetNow = changesValidators(change) && passes(system, ballots);
  return demand(!changesSetNow || system.setChangeHeight !== height, OUTCOMES.setChangedInBlock);
}

function openCount(system: SystemState, context: CheckContext): number {
  return system.governance.proposals.filter(
    proposal =>
      proposal.status === 'open' &&
      proposal.proposer === context.sender.id &&
      !isExpired(proposal, context.height),
  ).length;
}

/** Making a proposal is the proposer's approval of it. */
export const proposalCreate: Rule<'proposalCreate'> = {
  scopes: ({ state }) => [state.logIdOf('system', state.chainId)],
  check: (context, [content]) => {
    const { suite, state, sender, height } = context;
    const system = state.system();
    const ballot = { member: sender.id, approve: true, height };
    return firstRefusal(
      () => demand(isAdministrator(system, sender), OUTCOMES.notAdministrator),
      () => demand(content.title.length > 0, OUTCOMES.malformed),
      () => demand(content.expiresHeight >= height, OUTCOMES.proposalExpired),
      () => demand(openCount(system, context) < LIMITS.proposalsPerMember, OUTCOMES.limitReached),
      () => checkChange(system, content, content.expiresHeight),
      () => demand(verifyKeyProofs(suite, state.chainId, system, content.actions), OUTCOMES.badProof),
      () => checkOneSetChange(context, content, [ballot]),
    );
  },
  apply: {
    system: (system, content, { sender, height, position }) => {
      const number = system.governance.nextProposal;
      const ballots = [{ member: sender, approve: true, height }];
      const proposal: Proposal = {
        ...content,
        number,
        proposer: sender,
        height,
        position,
        ballots,
        status: 'open',
        reason: 0,
        closedHeight: 0,
      };
      const governance = { ...system.governance, nextProposal: number + 1 };
      return settle({ ...system, governance }, proposal, height);
    },
    phase: freeze,
  },
};

/** The ballot that reaches the threshold carries the proposal out. */
export const proposalVote: Rule<'proposalVote'> = {
  scopes: ({ state }) => [state.logIdOf('system', state.chainId)],
  check: (context, [content]) => {
    const { state, sender, height } = context;
    const system = state.system();
    if (!isAdministrator(system, sender)) return OUTCOMES.notAdministrator;
    const proposal = openProposal(context, content.proposal);
    if (typeof proposal === 'number') return proposal;
    const ballot = { member: sender.id, approve: content.approve, height };
    return firstRefusal(
      () => demand(!proposal.ballots.some(({ member }) => member === sender.id), OUTCOMES.alreadyVoted),
      () => checkOneSetChange(context, proposal, castBallot(system, proposal.ballots, ballot)),
    );
  },
  apply: {
    system: (system, content, { sender, height }) => {
      const proposal = assertDefined(findProposal(system, content.proposal), 'a proposal that is voted on');
      const ballot = { member: sender, approve: content.approve, height };
      const ballots = castBallot(system, proposal.ballots, ballot);
      return settle(system, { ...proposal, ballots }, height);
    },
    phase: freeze,
  },
};

export const proposalWithdraw: Rule<'proposalWithdraw'> = {
  scopes: ({ state }) => [state.logIdOf('system', state.chainId)],
  check: (context, [content]) => {
    const proposal = openProposal(context, content.proposal);
    if (typeof proposal === 'number') return proposal;
    return demand(proposal.proposer === context.sender.id, OUTCOMES.notProposer);
  },
  apply: {
    system: (system, content, { height }) => {
      const proposal = assertDefined(findProposal(system, content.proposal), 'a proposal that is withdrawn');
      return settle(system, { ...proposal, status: 'withdrawn', closedHeight: height }, height);
    },
  },
};
