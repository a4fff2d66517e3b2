import { bridged } from '../../core/access/flow.ts';
import type { PhaseId, ProjectId, TransactionId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { encodeFlowChange, encodePhasePolicyChange, encodePhaseSkipProject } from '../../core/codec/flow.ts';
import { encodePhaseLifecycle } from '../../core/codec/operation.ts';
import type { RecordType } from '../../core/types/card.ts';
import type { PhasePolicy, Rewiring } from '../../core/types/flow.ts';
import { LIFECYCLE } from '../../core/types/operation.ts';
import type { PhaseState, ProjectState } from '../../core/types/state.ts';
import {
  awaitApproval,
  listRequests,
  type RequestView,
  voteOnRequest,
  withdrawRequest,
} from './approvals.ts';
import { changePhaseCard, openPhaseCard, phaseLabel, phaseName } from './cards.ts';
import { type Context, phaseLog, projectLog } from './context.ts';
import { handover } from './handover.ts';
import { type HistoryEntry, phaseHistory, projectHistory } from './history.ts';
import { rotateEpoch } from './participants.ts';
import { addPhase, changeLifecycle, closePhase, openPhase, type PhaseInput } from './projects.ts';
import { checkTypes } from './record-types.ts';
import { type Refusal, refuse, short, unknownPhase, unknownProject } from './refusal.ts';
import type { Committed } from './sender.ts';

/** One step of a split or merge, as people read it. */
export interface FlowStep {
  readonly what: string;
  readonly height: number;
}

/** How far a split or merge came; without a refusal it is done. The same call again goes on where it stopped. */
export interface FlowResult {
  readonly phases: readonly PhaseId[];
  readonly steps: readonly FlowStep[];
  readonly refusal: Refusal | null;
}

export interface SplitPart {
  readonly label: string;
  /** What it receives; null for every record. */
  readonly records: readonly TransactionId[] | null;
}

/** A new phase that several others hand over to, or come before. */
interface Joint {
  readonly label: string;
  readonly predecessors: readonly PhaseId[];
  readonly successors: readonly { readonly id: PhaseId; readonly after: readonly PhaseId[] }[];
}

interface Place {
  readonly phase: PhaseState;
  readonly project: ProjectState;
}

function placeOf({ access }: Context, id: PhaseId): Place | Refusal {
  const phase = access.phase(id);
  if (phase === null) return unknownPhase(id);
  const project = access.project(phase.project);
  return project === null ? unknownProject(phase.project) : { phase, project };
}

function rewire(context: Context, project: ProjectState, changes: readonly Rewiring[], what: string) {
  const content = encodeFlowChange({ project: project.id, expectedVersion: project.version, changes });
  const scopes = [projectLog(context, project.id)];
  return context.sender.send({ kind: 'flowChange', scopes, parts: [{ scope: 0, content }], what });
}

/** What one member does with the flow of its projects while it runs. */
export class Flow {
  constructor(private readonly context: Context) {}

  /** Puts a phase behind others: these come before it from now on, and no others. */
  async move(id: PhaseId, after: readonly PhaseId[]): Promise<Committed | Refusal> {
    const place = placeOf(this.context, id);
    if (isReject(place)) return place;
    const before = place.project.phases.find(phase => phase.id === id)?.predecessors ?? [];
    const what = `move ${phaseName(this.context, place.phase)}`;
    return rewire(this.context, place.project, [{ phase: id, before, after }], what);
  }

  /** By the owner: its successors come after its predecessors. */
  async skip(id: PhaseId): Promise<Committed | Refusal> {
    const place = placeOf(this.context, id);
    if (isReject(place)) return place;
    const { phase, project } = place;
    const waiting = await awaitApproval(this.context, phase, { kind: 'phaseSkip' });
    if (waiting !== null) return waiting;
    const changes = bridged(project.phases, id);
    const flow = { project: project.id, expectedVersion: project.version, changes, phase: id };
    return this.context.sender.send({
      kind: 'phaseSkip',
      scopes: [projectLog(this.context, project.id), phaseLog(this.context, id)],
      parts: [
        { scope: 0, content: encodePhaseSkipProject(flow) },
        { scope: 1, content: encodePhaseLifecycle({ phase: id, expectedVersion: phase.version }) },
      ],
      what: `skip ${phaseName(this.context, phase)}`,
    });
  }

  /** By the owner or a steward. A frozen phase gets its next key epoch too, where this member can make it. */
  async reopen(id: PhaseId): Promise<Committed | Refusal> {
    const done = await changeLifecycle(this.context, 'phaseReopen', id);
    if (isReject(done) || this.context.access.phase(id)?.frozen !== true) return done;
    const rotated = await rotateEpoch(this.context, id);
    return isReject(rotated) ? done : rotated;
  }

  /** By the owner, for good. */
  archive(id: PhaseId): Promise<Committed | Refusal> {
    return changeLifecycle(this.context, 'phaseArchive', id);
  }

  /** By the owner. @param change makes the next policy from the present one */
  async setPolicy(id: PhaseId, change: (before: PhasePolicy) => PhasePolicy): Promise<Committed | Refusal> {
    const phase = await this.context.follower.catchUp(id);
    if (phase === null) return unknownPhase(id);
    const after = change(phase.policy);
    const waiting = await awaitApproval(this.context, phase, { kind: 'phasePolicy', policy: after });
    if (waiting !== null) return waiting;
    const { version: expectedVersion, policy: before } = phase;
    return this.context.sender.send({
      kind: 'phasePolicy',
      scopes: [phaseLog(this.context, id)],
      parts: [{ scope: 0, content: encodePhasePolicyChange({ phase: id, expectedVersion, before, after }) }],
      what: `change the policy of ${phaseName(this.context, phase)}`,
    });
  }

  async types(phase: PhaseId): Promise<readonly RecordType[]> {
    return (await openPhaseCard(this.context, phase))?.recordTypes ?? [];
  }

  /** By the owner or a steward who holds the keys. */
  async setTypes(phase: PhaseId, recordTypes: readonly RecordType[]): Promise<Committed | Refusal> {
    const fault = checkTypes(recordTypes);
    return fault ?? changePhaseCard(this.context, phase, card => ({ ...card, recordTypes }));
  }

  requests(phase: PhaseId): Promise<readonly RequestView[] | Refusal> {
    return listRequests(this.context, phase);
  }

  vote(phase: PhaseId, request: number, approve: boolean): Promise<Committed | Refusal> {
    return voteOnRequest(this.context, phase, request, approve);
  }

  phaseHistory(phase: PhaseId): Promise<readonly HistoryEntry[] | Refusal> {
    return phaseHistory(this.context, phase);
  }

  projectHistory(project: ProjectId): Promise<readonly HistoryEntry[] | Refusal> {
    return projectHistory(this.context, project);
  }

  withdraw(phase: PhaseId, request: number): Promise<Committed | Refusal> {
    return withdrawRequest(this.context, phase, request);
  }

  /**
   * One phase becomes several: they come between it and what came after it, take over its members and policy, receive their
   * records, and it is closed. What an earlier call did is not done again.
   */
  async split(id: PhaseId, parts: readonly SplitPart[]): Promise<FlowResult | Refusal> {
    const place = placeOf(this.context, id);
    if (isReject(place)) return place;
    const run = new FlowRun(this.context, place.project.id);
    const follow = place.project.phases.filter(phase => phase.predecessors.includes(id));
    const made: [PhaseId, SplitPart][] = [];
    for (const part of parts) {
      const successors = follow.map(phase => ({ id: phase.id, after: phase.predecessors }));
      const phase = await run.phase(place.phase, { label: part.label, predecessors: [id], successors });
      if (phase === null) return run.result();
      made.push([phase, part]);
    }
    for (const [phase, part] of made) {
      if (!(await run.handOver(id, phase, part.records))) return run.result();
    }
    const ids = made.map(([phase]) => phase);
    if (await run.close(id)) await run.passBy([id], ids, new Set(follow.map(phase => phase.id)));
    return run.result();
  }

  /** Several phases become one that follows them all: it receives their records, and they are closed. */
  async merge(ids: readonly PhaseId[], label: string): Promise<FlowResult | Refusal> {
    const first = ids[0] === undefined ? null : placeOf(this.context, ids[0]);
    if (first === null) return refuse('nothing_to_merge', 'no phase is named', 'Name two phases or more.');
    if (isReject(first)) return first;
    const stranger = ids.find(id => this.context.access.phase(id)?.project !== first.project.id);
    if (stranger !== undefined) {
      const detail = `phase ${short(stranger)} is not one of the same project`;
      return refuse('unknown_phase', detail, 'Merge phases of one project.');
    }
    const run = new FlowRun(this.context, first.project.id);
    const follow = first.project.phases.filter(phase => phase.predecessors.some(each => ids.includes(each)));
    const others = follow.filter(phase => !ids.includes(phase.id));
    const successors = others.map(phase => ({ id: phase.id, after: phase.predecessors }));
    const phase = await run.phase(first.phase, { label, predecessors: ids, successors });
    if (phase === null) return run.result();
    for (const id of ids) {
      if (!(await run.handOver(id, phase, null)) || !(await run.close(id))) return run.result();
    }
    await run.passBy(ids, [phase], new Set(others.map(entry => entry.id)));
    return run.result();
  }
}

/** The steps of one split or merge: each looks first whether it is done already. */
class FlowRun {
  private readonly made: PhaseId[] = [];
  private readonly steps: FlowStep[] = [];
  private refusal: Refusal | null = null;

  constructor(
    private readonly context: Context,
    private readonly project: ProjectId,
  ) {}

  result(): FlowResult | Refusal {
    const { made: phases, steps, refusal } = this;
    return refusal !== null && steps.length === 0 ? refusal : { phases, steps, refusal };
  }

  private note(what: string, sent: Committed | Refusal): boolean {
    if (isReject(sent)) this.refusal = sent;
    else this.steps.push({ what, height: sent.height });
    return !isReject(sent);
  }

  /** The phase of that label behind these, open; made with the members, custody and policy of `like`. */
  async phase(like: PhaseState, joint: Joint): Promise<PhaseId | null> {
    const { access } = this.context;
    const { label, predecessors } = joint;
    let id: PhaseId | null = null;
    for (const phase of access.project(this.project)?.phases ?? []) {
      const follows = predecessors.every(before => phase.predecessors.includes(before));
      if (follows && (await phaseLabel(this.context, phase.id, this.project)) === label) id = phase.id;
    }
    if (id === null) {
      const { custody, policy } = like;
      const participants = like.participants.map(({ member, roles }) => ({ member, roles }));
      const input: PhaseInput = { project: this.project, label, predecessors, custody, policy, participants };
      const sent = await addPhase(this.context, {
        ...input,
        successors: joint.successors.map(each => each.id),
      });
      if (!this.note(`added phase "${label}"`, sent) || isReject(sent)) return null;
      id = sent.phase;
    }
    this.made.push(id);
    if (access.phase(id)?.lifecycle !== LIFECYCLE.draft) return id;
    return this.note(`opened phase "${label}"`, await openPhase(this.context, id)) ? id : null;
  }

  async handOver(
    source: PhaseId,
    target: PhaseId,
    records: readonly TransactionId[] | null,
  ): Promise<boolean> {
    const { index, follower } = this.context;
    await follower.catchUp(source);
    const open = records?.filter(id => !index.wasHandedOver(source, target, id)) ?? null;
    if (open?.length === 0) return true;
    const done = await handover(this.context, { source, target, records: open, targetEpoch: null });
    if (isReject(done)) {
      if (done.reject === 'nothing_to_hand_over') return true;
      this.refusal = done;
      return false;
    }
    const last = done.transactions.at(-1)!;
    this.note(`handed ${done.items} record(s) to phase ${short(target)}`, last);
    this.refusal = done.refusal;
    return done.refusal === null;
  }

  async close(id: PhaseId): Promise<boolean> {
    const phase = this.context.access.phase(id);
    if (phase !== null && phase.lifecycle > LIFECYCLE.open) return true;
    return this.note(`closed phase ${short(id)}`, await closePhase(this.context, id));
  }

  /** What came after the old phases comes after the new ones only. */
  async passBy(old: readonly PhaseId[], now: readonly PhaseId[], of: ReadonlySet<PhaseId>): Promise<void> {
    const project = this.context.access.project(this.project);
    if (project === null) return;
    const changes = project.phases
      .filter(
        ({ id, predecessors }) =>
          of.has(id) && !now.includes(id) && predecessors.some(each => old.includes(each)),
      )
      .map(({ id, predecessors }) => {
        const rest = predecessors.filter(each => !old.includes(each));
        return { phase: id, before: predecessors, after: [...new Set([...rest, ...now])] };
      });
    if (changes.length === 0) return;
    const what = 'let what follows come after the new phases';
    this.note(what, await rewire(this.context, project, changes, what));
  }
}
