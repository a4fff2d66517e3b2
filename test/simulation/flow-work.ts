import type { MemberId, PhaseId, ProjectId } from '../../src/core/base/ids.ts';
import { readPhase, readProject } from '../../src/core/ledger/read.ts';
import { type ApprovalRule, DEFAULT_POLICY, type Deed, type PhasePolicy } from '../../src/core/types/flow.ts';
import { ROLES } from '../../src/core/types/operation.ts';
import type { PhaseState } from '../../src/core/types/state.ts';
import type { Actor } from './consortium.ts';
import type { Draft, Drafts } from './drafts.ts';
import { FlowDrafts, type Readable } from './flow-drafts.ts';
import type { Random } from './random.ts';

/** A phase as the clients remember it. */
export interface KnownPhase {
  readonly id: PhaseId;
  readonly project: ProjectId;
  readonly owner: MemberId;
}

export interface Named {
  readonly kind: string;
  readonly draft: Draft;
}

/** Where something is to be changed, and by whom. */
interface Place extends KnownPhase {
  readonly store: Readable;
  readonly state: PhaseState | null;
  /** The owner, with the key that the state knows. */
  readonly by: Actor;
  readonly until: number;
}

const RECORDS_MAX = 3;

/** What owners and approvers do with phases beside their records and members. */
export class FlowWork {
  private readonly flow: FlowDrafts;

  constructor(
    private readonly random: Random,
    private readonly drafts: Drafts,
    /** A member with the key that the state knows. */
    private readonly actor: (state: Readable['state'], id: MemberId) => Actor,
  ) {
    this.flow = new FlowDrafts(drafts);
  }

  /** Null when what was drawn cannot be drafted for what the node has. */
  next(store: Readable, phase: KnownPhase, until: number): Named | null {
    const state = readPhase(store.state, phase.id);
    const place = { ...phase, store, state, by: this.actor(store.state, phase.owner), until };
    const { random } = this;
    const isAsked = state !== null && state.requests.length > 0;
    if (isAsked && random.chance(0.6)) return this.decide(place);
    const dice = random.next();
    if (dice < 0.4) return this.handOver(place);
    if (dice < 0.55) return this.rewire(place);
    if (dice < 0.7) return this.lifecycle(place);
    if (dice < 0.82) return this.policy(place);
    if (dice < 0.94) return this.request(place);
    return this.card(place);
  }

  /** To a phase that comes after this one, where there is one. */
  private handOver({ store, id, project, by, until }: Place): Named | null {
    const { random } = this;
    const phases = readProject(store.state, project)?.phases ?? [];
    const after = phases.filter(({ predecessors }) => predecessors.includes(id));
    const target = (after.length > 0 && random.chance(0.9) ? after : phases).at(-1);
    if (target === undefined || target.id === id) return null;
    const draft = this.flow.handover(store, by, id, target.id, random.between(1, RECORDS_MAX), until);
    return draft === null ? null : { kind: 'phaseHandover', draft };
  }

  /** Mostly after others of its project; now and then in a circle. */
  private rewire({ store, id, project, by, until }: Place): Named {
    const { random } = this;
    const others = (readProject(store.state, project)?.phases ?? []).filter(phase => phase.id !== id);
    const after = random
      .shuffled(others)
      .slice(0, random.between(0, 2))
      .map(phase => phase.id);
    return { kind: 'flowChange', draft: this.flow.rewire(store.state, by, project, id, after, until) };
  }

  private lifecycle({ store, id, project, by, until }: Place): Named | null {
    const kind = this.random.pick(['phaseReopen', 'phaseReopen', 'phaseSkip', 'phaseArchive'] as const);
    if (kind !== 'phaseSkip') return { kind, draft: this.drafts.lifecycle(store.state, kind, by, id, until) };
    const draft = this.flow.skip(store.state, by, project, id, until);
    return draft === null ? null : { kind, draft };
  }

  private policy({ store, id, by, until }: Place): Named | null {
    const { random } = this;
    const rule = (): ApprovalRule => ({ roles: ROLES.contributor | ROLES.steward, k: random.pick([0, 1]) });
    const approvals = { close: rule(), handover: rule(), add: rule(), remove: rule() };
    const copiesTarget = random.between(1, 3);
    const change: Partial<PhasePolicy> = random.chance(0.5) ? DEFAULT_POLICY : { approvals, copiesTarget };
    const draft = this.flow.policy(store.state, by, id, change, until);
    return draft === null ? null : { kind: 'phasePolicy', draft };
  }

  private request({ store, state, id, project, by, until }: Place): Named | null {
    const { random } = this;
    const member = state === null ? undefined : random.shuffled(state.participants)[0]?.member;
    const target = readProject(store.state, project)?.phases.at(-1)?.id ?? id;
    const deeds: Deed[] = [{ kind: 'phaseClose' }, { kind: 'phaseHandover', target, records: [] }];
    if (member !== undefined) deeds.push({ kind: 'participantRemove', member });
    const draft = this.flow.request(store.state, by, id, random.pick(deeds), until);
    return draft === null ? null : { kind: 'approvalRequest', draft };
  }

  private decide({ store, state, id, by, until }: Place): Named | null {
    const { random } = this;
    const asked = state?.requests.at(-1);
    if (state === null || asked === undefined) return null;
    if (random.chance(0.15))
      return { kind: 'approvalWithdraw', draft: this.flow.withdraw(by, id, asked.number, until) };
    const [voter] = random.shuffled(state.participants);
    if (voter === undefined) return null;
    const approver = this.actor(store.state, voter.member);
    const draft = this.flow.vote(approver, id, asked.number, random.chance(0.85), until);
    return { kind: 'approvalVote', draft };
  }

  private card({ store, id, project, by, until }: Place): Named | null {
    if (this.random.chance(0.5))
      return { kind: 'projectCard', draft: this.flow.projectCard(store.state, by, project, until) };
    const draft = this.flow.phaseCard(store.state, by, id, until);
    return draft === null ? null : { kind: 'phaseCard', draft };
  }
}
