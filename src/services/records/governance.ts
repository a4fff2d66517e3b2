import type { MemberId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import {
  encodeProposalCreate,
  encodeProposalVote,
  encodeProposalWithdraw,
} from '../../core/codec/governance.ts';
import { checkParameters } from '../../core/ledger/parameters.ts';
import { findMember } from '../../core/ledger/read.ts';
import type { Action, MemberAction } from '../../core/types/governance.ts';
import type { Parameters, SystemState } from '../../core/types/state.ts';
import type { Context } from './context.ts';
import { sendToSystem } from './members.ts';
import { type Refusal, refuse } from './refusal.ts';
import type { Committed } from './sender.ts';

/** An action as people ask for it; what it replaces is read from the verified state. */
export type ActionInput =
  | Extract<Action, { readonly type: 'validatorAdd' | 'validatorRemove' | 'validatorRekey' }>
  | Exclude<MemberAction, { readonly type: 'memberRekey' }>
  | Omit<Extract<MemberAction, { readonly type: 'memberRekey' }>, 'before'>
  | { readonly type: 'parameters'; readonly values: Partial<Parameters> }
  | { readonly type: 'administrators'; readonly members: readonly MemberId[]; readonly threshold: number }
  | { readonly type: 'protocolVersion'; readonly version: number; readonly height: number };

export interface ProposalInput {
  readonly title: string;
  /** Ballots are taken for so many blocks from here. */
  readonly expiresBlocks: number;
  readonly actions: readonly ActionInput[];
}

export interface ProposalReceipt extends Committed {
  /** Null where the system log is not at hand yet. */
  readonly proposal: number | null;
}

function completed(system: SystemState, input: ActionInput): Action {
  if (input.type === 'parameters') {
    const names = Object.keys(input.values) as (keyof Parameters)[];
    const changes = names.map(name => ({
      name,
      before: system.parameters[name],
      after: input.values[name] ?? 0,
    }));
    return { type: 'parameters', changes };
  }
  if (input.type === 'administrators') {
    const before = { members: system.administrators, threshold: system.administratorThreshold };
    const after = { members: [...input.members].sort(), threshold: input.threshold };
    return { type: 'administrators', before, after };
  }
  if (input.type === 'memberRekey') {
    return { ...input, before: findMember(system, input.card.id)?.version ?? 0 };
  }
  if (input.type !== 'protocolVersion') return input;
  const { activation, protocolVersion } = system.governance;
  return { ...input, before: activation?.version ?? protocolVersion };
}

/** The ledger would answer with a code only; which value does not fit is for the proposer to know. */
function faultOfParameters(system: SystemState, { actions }: ProposalInput): Refusal | null {
  const values = actions.flatMap(action => (action.type === 'parameters' ? [action.values] : []));
  const next: Parameters = Object.assign({ ...system.parameters }, ...values);
  const fault = checkParameters(next, system.validatorSet.validators.length);
  if (fault !== null) {
    return refuse(
      'badParameters',
      fault.detail,
      'Propose values that fit: proposal show tells the present ones.',
    );
  }
  if (next.replayWindowBlocks >= system.parameters.replayWindowBlocks) return null;
  const detail = `replayWindowBlocks is ${system.parameters.replayWindowBlocks} and may only grow`;
  return refuse(
    'badParameters',
    detail,
    'Transactions that are remembered for a shorter time could come again.',
  );
}

/** By an administrator; where one decides alone it is carried out at once. */
export async function createProposal(
  context: Context,
  input: ProposalInput,
): Promise<ProposalReceipt | Refusal> {
  const { access } = context;
  const system = access.system();
  const fault = faultOfParameters(system, input);
  if (fault !== null) return fault;
  const content = encodeProposalCreate({
    title: input.title,
    expiresHeight: access.head().height + input.expiresBlocks,
    validatorSetId: system.validatorSet.id,
    actions: input.actions.map(action => completed(system, action)),
  });
  const sent = await sendToSystem(context, 'proposalCreate', content, `propose "${input.title}"`);
  if (isReject(sent)) return sent;
  const { proposals } = access.system().governance;
  const made = proposals.find(entry => entry.height === sent.height && entry.position === sent.position);
  return { ...sent, proposal: made?.number ?? null };
}

export function voteOnProposal(
  context: Context,
  proposal: number,
  approve: boolean,
): Promise<Committed | Refusal> {
  const what = `${approve ? 'approve' : 'reject'} proposal ${proposal}`;
  return sendToSystem(context, 'proposalVote', encodeProposalVote({ proposal, approve }), what);
}

export function withdrawProposal(context: Context, proposal: number): Promise<Committed | Refusal> {
  const what = `withdraw proposal ${proposal}`;
  return sendToSystem(context, 'proposalWithdraw', encodeProposalWithdraw({ proposal }), what);
}
