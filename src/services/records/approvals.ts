import { approvedRequest, covers, isAlive, needsApproval, tallyOf } from '../../core/access/approvals.ts';
import type { PhaseId, TransactionId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { encodeApprovalRequest, encodeApprovalVote, encodeApprovalWithdraw } from '../../core/codec/flow.ts';
import type { ApprovalRequest, Deed } from '../../core/types/flow.ts';
import { LIMITS } from '../../core/types/limits.ts';
import type { PhaseState } from '../../core/types/state.ts';
import { phaseName } from './cards.ts';
import { type Context, phaseLog } from './context.ts';
import { type Refusal, refuse, unknownPhase } from './refusal.ts';
import type { Committed } from './sender.ts';

/** Blocks for which a request waits; a chain without transactions makes none. */
const REQUEST_BLOCKS = 1_000;

/** A request as it stands at the verified head. */
export interface RequestView extends ApprovalRequest {
  /** False when it can be neither approved nor carried out any more. */
  readonly alive: boolean;
  /** One for each rule of the policy that the deed falls under. */
  readonly rules: readonly {
    readonly roles: number;
    readonly needed: number;
    readonly approvals: number;
    readonly rejections: number;
  }[];
}

type Handed = readonly { readonly id: TransactionId; readonly position: number }[];

/** The height of the next block: what is sent now is judged there at the earliest. */
function nextHeight({ access }: Context): number {
  return access.head().height + 1;
}

function viewOf(context: Context, phase: PhaseState, request: ApprovalRequest): RequestView {
  const rules = tallyOf(context.access.system(), phase, request.deed, request.votes);
  return { ...request, alive: isAlive(phase, request, nextHeight(context)), rules };
}

/** Oldest first. */
export async function listRequests(context: Context, id: PhaseId): Promise<readonly RequestView[] | Refusal> {
  const phase = await context.follower.catchUp(id);
  if (phase === null) return unknownPhase(id);
  return phase.requests.map(request => viewOf(context, phase, request));
}

async function sendToPhase(
  context: Context,
  kind: 'approvalRequest' | 'approvalVote' | 'approvalWithdraw',
  phase: PhaseId,
  content: Uint8Array,
  what: string,
): Promise<Committed | Refusal> {
  return context.sender.send({
    kind,
    scopes: [phaseLog(context, phase)],
    parts: [{ scope: 0, content }],
    what,
  });
}

/** By a participant whose role the policy names. @param request its number */
export function voteOnRequest(
  context: Context,
  phase: PhaseId,
  request: number,
  approve: boolean,
): Promise<Committed | Refusal> {
  const content = encodeApprovalVote({ phase, request, approve });
  return sendToPhase(
    context,
    'approvalVote',
    phase,
    content,
    `${approve ? 'approve' : 'reject'} request ${request}`,
  );
}

/** By who made it. */
export function withdrawRequest(
  context: Context,
  phase: PhaseId,
  request: number,
): Promise<Committed | Refusal> {
  const content = encodeApprovalWithdraw({ phase, request });
  return sendToPhase(context, 'approvalWithdraw', phase, content, `withdraw request ${request}`);
}

function pending(context: Context, phase: PhaseState, request: ApprovalRequest): Refusal {
  const { number, rules } = viewOf(context, phase, request);
  const counts = rules.map(({ approvals, needed }) => `${approvals} of ${needed}`).join(', ');
  const detail = `request ${number} of ${phaseName(context, phase)} waits for approvals: ${counts} are there`;
  const hint = `Approvers: phaseline approval approve PHASE ${number}; then give this command again.`;
  return refuse('approval_pending', detail, hint);
}

/**
 * Null when the deed may be done now. Otherwise it is asked for, once, and the refusal `approval_pending` says under which
 * number; doing the same again looks for its approvals.
 * @param handed of a handover: where its records stand
 */
export async function awaitApproval(
  context: Context,
  before: PhaseState,
  deed: Deed,
  handed: Handed = [],
): Promise<Refusal | null> {
  const { access } = context;
  const isApproved = (phase: PhaseState) =>
    !needsApproval(access.system(), phase, deed) ||
    approvedRequest(access.system(), phase, deed, nextHeight(context), handed) !== null;
  if (isApproved(before)) return null;
  if (deed.kind === 'phaseHandover' && deed.records.length > LIMITS.recordsPerRequest) {
    const detail = `a request names at most ${LIMITS.recordsPerRequest} records, not ${deed.records.length}`;
    return refuse('too_large', detail, 'Hand them over in several commands, or all of the phase.');
  }
  const waits = (request: ApprovalRequest) =>
    isAlive(before, request, nextHeight(context)) && covers(request, deed, handed);
  const known = before.requests.find(waits);
  if (known !== undefined) return pending(context, before, known);
  const content = encodeApprovalRequest({
    phase: before.id,
    expectedVersion: before.version,
    expectedMembershipVersion: before.membershipVersion,
    expiresHeight: access.head().height + REQUEST_BLOCKS,
    deed,
  });
  const what = `ask for approvals in ${phaseName(context, before)}`;
  const sent = await sendToPhase(context, 'approvalRequest', before.id, content, what);
  if (isReject(sent)) return sent;
  const phase = (await context.follower.catchUp(before.id)) ?? before;
  if (isApproved(phase)) return null;
  const made = phase.requests.find(request => request.number === sent.position);
  return made === undefined
    ? refuse(
        'approval_pending',
        `${what}: done at height ${sent.height}`,
        'phaseline approval list PHASE shows it.',
      )
    : pending(context, phase, made);
}
