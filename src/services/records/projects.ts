import { keyholders } from '../../core/access/epochs.ts';
import { toHex } from '../../core/base/bytes.ts';
import type { Hash, MemberId, PhaseId, ProjectId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import {
  encodePhaseAddPhase,
  encodePhaseAddProject,
  encodePhaseLifecycle,
  encodeProjectArchive,
  encodeProjectCreate,
} from '../../core/codec/operation.ts';
import type { RecordType } from '../../core/types/card.ts';
import { DEFAULT_POLICY, type Deed, type PhasePolicy, type Rewiring } from '../../core/types/flow.ts';
import { SIZES } from '../../core/types/limits.ts';
import type { ProjectState } from '../../core/types/state.ts';
import { awaitApproval } from './approvals.ts';
import { checkLabel, checkLabelIsFree, phaseName, projectLabel, sealProjectCard } from './cards.ts';
import { type Context, phaseLog, projectLog } from './context.ts';
import { drawEpoch } from './epoch-opening.ts';
import { checkTypes } from './record-types.ts';
import { type Refusal, short, unknownPhase, unknownProject } from './refusal.ts';
import type { Committed } from './sender.ts';

export interface PhaseInput {
  readonly project: ProjectId;
  readonly label: string;
  readonly predecessors: readonly PhaseId[];
  /** Phases that come after it from now on, and no more directly after its predecessors. */
  readonly successors?: readonly PhaseId[];
  /** Of `CUSTODY`. */
  readonly custody: number;
  /** What is not given is that of `DEFAULT_POLICY`. */
  readonly policy: Partial<PhasePolicy>;
  readonly participants: readonly { readonly member: MemberId; readonly roles: number }[];
  readonly recordTypes?: readonly RecordType[];
}

function drawId({ crypto }: Context): Hash {
  return toHex(crypto.randomBytes(SIZES.hash)) as Hash;
}

/** This member becomes the owner; the id is drawn at random. */
export async function createProject(
  context: Context,
  label: string,
): Promise<(Committed & { readonly project: ProjectId }) | Refusal> {
  const fault = checkLabel(label);
  if (fault !== null) return fault;
  const project = drawId(context);
  const card = await sealProjectCard(context, { project, phase: null }, label);
  if (isReject(card)) return card;
  const sent = await context.sender.send({
    kind: 'projectCreate',
    scopes: [projectLog(context, project)],
    parts: [{ scope: 0, content: encodeProjectCreate({ project, card }) }],
    what: `create project "${label}"`,
  });
  return isReject(sent) ? sent : { ...sent, project };
}

/** By the owner; every phase must be closed. */
export async function archiveProject(context: Context, project: ProjectId): Promise<Committed | Refusal> {
  const state = context.access.project(project);
  if (state === null) return unknownProject(project);
  return context.sender.send({
    kind: 'projectArchive',
    scopes: [projectLog(context, project)],
    parts: [{ scope: 0, content: encodeProjectArchive({ project, expectedVersion: state.version }) }],
    what: `archive project ${short(project)}`,
  });
}

/** The new phase takes the place of its predecessors before each of its successors. */
function insertion(
  project: ProjectState,
  id: PhaseId,
  { predecessors, successors = [] }: PhaseInput,
): Rewiring[] {
  return project.phases
    .filter(phase => successors.includes(phase.id))
    .map(phase => {
      const rest = phase.predecessors.filter(before => !predecessors.includes(before));
      return { phase: phase.id, before: phase.predecessors, after: [...rest, id] };
    });
}

/** By the owner: draws the phase's id and first epoch, with an envelope for each participant and, by custody, the owner. */
export async function addPhase(
  context: Context,
  input: PhaseInput,
): Promise<(Committed & { readonly phase: PhaseId }) | Refusal> {
  const fault = checkLabel(input.label);
  if (fault !== null) return fault;
  const state = context.access.project(input.project);
  if (state === null) return unknownProject(input.project);
  const taken = await checkLabelIsFree(context, state, input.label);
  if (taken !== null) return taken;
  const { project, label, custody, recordTypes = [] } = input;
  const wrong = checkTypes(recordTypes);
  if (wrong !== null) return wrong;
  const policy = { ...DEFAULT_POLICY, ...input.policy };
  const phase = drawId(context);
  const participants = [...input.participants].sort((a, b) => (a.member < b.member ? -1 : 1));
  const holders = keyholders(context.access.system(), { owner: state.owner, custody, participants });
  const shared = { label, project: (await projectLabel(context, project)) ?? '', recordTypes };
  const place = { project, phase, epoch: 0, membershipVersion: 0 };
  const epoch = await drawEpoch(context, place, holders, shared);
  if (isReject(epoch)) return epoch;
  const card = await sealProjectCard(context, { project, phase }, label);
  if (isReject(card)) return card;
  const expectedVersion = state.version;
  const rewirings = insertion(state, phase, input);
  const inProject = {
    project,
    expectedVersion,
    phase,
    card,
    predecessors: input.predecessors,
    rewirings,
  };
  const inPhase = { project, phase, custody, policy, participants, epoch: epoch.opening };
  const sent = await context.sender.send({
    kind: 'phaseAdd',
    scopes: [projectLog(context, project), phaseLog(context, phase)],
    parts: [
      { scope: 0, content: encodePhaseAddProject(inProject) },
      { scope: 1, content: encodePhaseAddPhase(inPhase) },
    ],
    what: `add phase "${label}" to project ${short(project)}`,
  });
  return isReject(sent) ? sent : { ...sent, phase };
}

const VERBS = {
  phaseOpen: 'open',
  phaseClose: 'close',
  phaseReopen: 'reopen',
  phaseArchive: 'archive',
} as const;

export async function changeLifecycle(
  context: Context,
  kind: keyof typeof VERBS,
  phase: PhaseId,
): Promise<Committed | Refusal> {
  const state = context.access.phase(phase);
  if (state === null) return unknownPhase(phase);
  const deed: Deed | null = kind === 'phaseClose' ? { kind } : null;
  const waiting = deed === null ? null : await awaitApproval(context, state, deed);
  if (waiting !== null) return waiting;
  return context.sender.send({
    kind,
    scopes: [phaseLog(context, phase)],
    parts: [{ scope: 0, content: encodePhaseLifecycle({ phase, expectedVersion: state.version }) }],
    what: `${VERBS[kind]} ${phaseName(context, state)}`,
  });
}

/** By the owner or a steward; records can be written from now on. */
export function openPhase(context: Context, phase: PhaseId): Promise<Committed | Refusal> {
  return changeLifecycle(context, 'phaseOpen', phase);
}

/** By the owner or a steward; with approvals where the policy asks for them. */
export function closePhase(context: Context, phase: PhaseId): Promise<Committed | Refusal> {
  return changeLifecycle(context, 'phaseClose', phase);
}
