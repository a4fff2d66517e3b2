import type { Hash, LogId, MemberId, PhaseId, ProjectId } from '../../src/core/base/ids.ts';
import { isReject } from '../../src/core/base/reject.ts';
import { decodeOperation, kindName } from '../../src/core/codec/operation.ts';
import { decodeTransaction } from '../../src/core/codec/transaction.ts';
import { readPhase, readProject } from '../../src/core/ledger/read.ts';
import type { PhasePolicy, Rewiring } from '../../src/core/types/flow.ts';
import { type Contents, CUSTODY, LIFECYCLE, ROLES } from '../../src/core/types/operation.ts';
import type { StateView } from '../../src/core/types/state.ts';
import type { Executed } from './checker-light.ts';
import { InvariantBroken } from './invariant.ts';
import { simulatedSuite as suite } from './suite.ts';

interface ModelPhase {
  readonly project: ProjectId;
  readonly owner: MemberId;
  readonly custody: number;
  readonly roles: Map<MemberId, number>;
  /** Who has a share of its recovery key. */
  holders: Set<MemberId>;
  /** What it may hand over. */
  readonly records: Set<Hash>;
  lifecycle: number;
  policy: PhasePolicy;
  /** Number of the current key epoch. */
  epoch: number;
  isFrozen: boolean;
}

interface ModelProject {
  readonly owner: MemberId;
  readonly before: Map<PhaseId, readonly PhaseId[]>;
}

/** A key of a member, and between which heights it may sign. */
interface ModelKey {
  readonly user: Hash | null;
  readonly addedAt: number;
  endedAt: number;
}

/** Of an accepted transaction, beside its parts. */
interface Envelope {
  readonly height: number;
  readonly id: Hash;
  readonly sender: MemberId;
  readonly scopes: readonly LogId[];
}

/** What an accepted transaction does to the model; it throws where it should have been refused. */
type Effects = {
  readonly [K in keyof Contents]?: (model: LedgerModel, parts: Contents[K], envelope: Envelope) => void;
};

/**
 * What the ledger should be, told from the accepted transactions alone, by rules that are written apart from those of `core/access`:
 * who is in which phase, under which key epoch, what comes after what, and which records a phase has.
 */
export class LedgerModel {
  readonly phases = new Map<PhaseId, ModelPhase>();
  readonly projects = new Map<ProjectId, ModelProject>();
  readonly revoked = new Set<MemberId>();
  readonly suspended = new Set<MemberId>();
  private readonly keys = new Map<MemberId, ModelKey[]>();
  /** How many of each kind were accepted. */
  readonly accepted = new Map<string, number>();
  /** Phases by their logs. */
  readonly logs = new Map<LogId, PhaseId>();
  private at = '';

  /** @param executed everything, in the order of the chain */
  constructor(executed: readonly Executed[]) {
    for (const { height, id, outcome, bytes } of executed) {
      if (outcome !== 0) continue;
      const transaction = decodeTransaction(suite.sha256, bytes);
      if (isReject(transaction)) throw new InvariantBroken(`what ${height} executed cannot be decoded`);
      const { body, signed } = transaction;
      const operation = decodeOperation(body.kind, signed.parts);
      if (isReject(operation)) throw new InvariantBroken(`${height} accepts what cannot be decoded`);
      const kind = kindName(body.kind);
      this.at = `${height} accepts a ${kind}`;
      this.accepted.set(`${kind}`, (this.accepted.get(`${kind}`) ?? 0) + 1);
      if (this.revoked.has(body.sender)) this.fail('of a revoked member');
      if (this.suspended.has(body.sender)) this.fail('of a suspended member');
      if (kind !== 'evidence') this.signed(body.sender, body.keyId, height, `${kind}`);
      const effect = kind === null ? undefined : EFFECTS[kind];
      const { sender, scopes } = body;
      (effect as ((...given: unknown[]) => void) | undefined)?.(this, operation.contents, {
        ...{ height, id, sender, scopes },
      });
    }
  }

  /** Founders have one key of their own. */
  keysOf(member: MemberId): ModelKey[] {
    const keys = this.keys.get(member) ?? [];
    if (keys.length === 0) keys.push(newKey(null, -1));
    this.keys.set(member, keys);
    return keys;
  }

  registered(member: MemberId, height: number): void {
    this.keys.set(member, [newKey(null, height)]);
  }

  ended(member: MemberId, height: number, isChosen: (key: ModelKey) => boolean): void {
    for (const key of this.keysOf(member))
      if (key.endedAt === Number.POSITIVE_INFINITY && isChosen(key)) key.endedAt = height;
  }

  /** A key counts from the block after the one that brings it, to the end of the one that ends it; less in the system log. */
  private signed(sender: MemberId, keyId: number, height: number, kind: string): void {
    const key = this.keysOf(sender)[keyId] ?? this.fail(`with key ${keyId}, which is not there`);
    const isSystem = /^(member|proposal)/.test(kind);
    this.expect(key.addedAt < height, 'with a key that does not count yet');
    this.expect(isSystem ? height < key.endedAt : height <= key.endedAt, 'with a key that has ended');
    if (key.user === null) return;
    this.expect(!isSystem, 'of a user, in the system log');
    this.accepted.set('signed by a user', (this.accepted.get('signed by a user') ?? 0) + 1);
  }

  fail(why: string): never {
    throw new InvariantBroken(`${this.at}: ${why}`);
  }

  expect(isSo: boolean, why: string): void {
    if (!isSo) this.fail(why);
  }

  phase(id: PhaseId): ModelPhase {
    return this.phases.get(id) ?? this.fail('of a phase that is not there');
  }

  project(id: ProjectId): ModelProject {
    return this.projects.get(id) ?? this.fail('of a project that is not there');
  }

  /** The owner, or a participant that is a steward. */
  expectManager(phase: ModelPhase, member: MemberId): void {
    const isSteward = ((phase.roles.get(member) ?? 0) & ROLES.steward) !== 0;
    this.expect(phase.owner === member || isSteward, 'by one who may not');
  }

  moved(id: PhaseId, from: readonly number[], to: number): void {
    const phase = this.phase(id);
    this.expect(from.includes(phase.lifecycle), `from ${phase.lifecycle}`);
    phase.lifecycle = to;
  }

  opened(phase: ModelPhase, number: number): void {
    this.expect(number === phase.epoch + 1, `with epoch ${number} after ${phase.epoch}`);
    phase.epoch = number;
    phase.isFrozen = false;
  }

  rewire(id: ProjectId, changes: readonly Rewiring[]): void {
    const { before } = this.project(id);
    for (const { phase, after } of changes) before.set(phase, after);
    for (const phase of before.keys())
      this.expect(!this.isBefore(before, phase, phase), 'that closes a circle');
  }

  /** Whether `early` comes somewhere before `late`. */
  private isBefore(before: ModelProject['before'], early: PhaseId, late: PhaseId): boolean {
    const seen = new Set<PhaseId>();
    const look = [...(before.get(late) ?? [])];
    for (let next = look.pop(); next !== undefined; next = look.pop()) {
      if (next === early) return true;
      if (seen.has(next)) continue;
      seen.add(next);
      look.push(...(before.get(next) ?? []));
    }
    return false;
  }

  /** The state of a node that has executed all of it must say the same. */
  compare(state: StateView, name: string): void {
    this.at = name;
    for (const [id, { before }] of this.projects) {
      const phases = readProject(state, id)?.phases ?? [];
      const held = phases.map(phase => [phase.id, phase.predecessors]);
      this.expect(sameText(held, [...before]), `has another flow of ${id}`);
    }
    for (const [id, { lifecycle, roles, epoch, isFrozen, policy, holders }] of this.phases) {
      const held = readPhase(state, id);
      const shared = held?.recovery?.holders.map(entry => entry.member) ?? [];
      this.expect(sameText(shared, [...holders].sort()), `has other holders of shares of ${id}`);
      const sorted = [...roles].sort(([a], [b]) => (a < b ? -1 : 1));
      const members = held?.participants.map(entry => [entry.member, entry.roles]);
      this.expect(sameText(members, sorted), `has other participants of ${id}`);
      this.expect(
        held?.lifecycle === lifecycle,
        `has ${id} in lifecycle ${held?.lifecycle}, not ${lifecycle}`,
      );
      this.expect(held?.epochs.at(-1)?.number === epoch, `has another epoch of ${id}`);
      this.expect(held?.frozen === isFrozen, `has ${id} ${isFrozen ? 'not ' : ''}frozen`);
      this.expect(sameText(held?.policy, policy), `has another policy of ${id}`);
    }
  }
}

const sameText = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

const newKey = (user: Hash | null, addedAt: number): ModelKey => ({
  user,
  addedAt,
  endedAt: Number.POSITIVE_INFINITY,
});

const EFFECTS: Effects = {
  memberRegister: (model, [{ card }], { height }) => model.registered(card.id, height),
  memberRotate: (model, _, { sender, height }) => {
    model.ended(sender, height, key => key.user === null);
    model.keysOf(sender).push(newKey(null, height));
  },
  memberUserAdd: (model, [{ user }], { sender, height }) => {
    model.keysOf(sender).push(newKey(user, height));
  },
  memberUserRevoke: (model, [{ user }], { sender, height }) => {
    model.ended(sender, height, key => key.user === user);
  },
  memberSuspend: (model, [{ member }]) => {
    model.expect(!model.revoked.has(member) && !model.suspended.has(member), 'of one who is out already');
    model.suspended.add(member);
  },
  memberRevoke: (model, [{ member }], { height }) => {
    model.revoked.add(member);
    model.ended(member, height, () => true);
    for (const phase of model.phases.values()) {
      const holdsAsOwner = phase.owner === member && phase.custody === CUSTODY.manager;
      if (phase.roles.has(member) || holdsAsOwner) phase.isFrozen = true;
    }
  },
  projectCreate: (model, [{ project }], { sender: owner }) => {
    model.expect(!model.projects.has(project), 'of one that is there');
    model.projects.set(project, { owner, before: new Map() });
  },
  flowChange: (model, [{ project, changes }], { sender }) => {
    model.expect(model.project(project).owner === sender, 'by one who does not own it');
    model.rewire(project, changes);
  },
  phaseAdd: (model, [inProject, inPhase], { sender: owner, scopes }) => {
    const { phase, project, policy, participants, custody } = inPhase;
    const { before, owner: projectOwner } = model.project(project);
    model.expect(projectOwner === owner && !model.phases.has(phase), 'by another, or again');
    before.set(phase, inProject.predecessors);
    model.rewire(project, inProject.rewirings);
    const roles = new Map(participants.map(entry => [entry.member, entry.roles]));
    // an owner that stays outside has made the first epoch, and nobody writes under it
    const isFrozen = custody === CUSTODY.participants && !roles.has(owner);
    const fresh = { lifecycle: LIFECYCLE.draft, epoch: 0, isFrozen, records: new Set<Hash>() };
    const holders = new Set<MemberId>();
    model.phases.set(phase, { project, owner, roles, policy, custody, holders, ...fresh });
    model.logs.set(scopes[1] as LogId, phase);
  },
  phaseOpen: (model, [{ phase }]) => model.moved(phase, [LIFECYCLE.draft], LIFECYCLE.open),
  phaseClose: (model, [{ phase }]) => model.moved(phase, [LIFECYCLE.draft, LIFECYCLE.open], LIFECYCLE.closed),
  phaseReopen: (model, [{ phase }]) =>
    model.moved(phase, [LIFECYCLE.closed, LIFECYCLE.skipped], LIFECYCLE.open),
  phaseArchive: (model, [{ phase }]) =>
    model.moved(phase, [LIFECYCLE.closed, LIFECYCLE.skipped], LIFECYCLE.archived),
  phaseSkip: (model, [{ project, changes }, { phase }]) => {
    model.moved(phase, [LIFECYCLE.draft, LIFECYCLE.open], LIFECYCLE.skipped);
    model.rewire(project, changes);
    for (const before of model.project(project).before.values())
      model.expect(!before.includes(phase), 'that something still comes after');
  },
  phasePolicy: (model, [{ phase, after }], { sender }) => {
    const changed = model.phase(phase);
    model.expect(changed.owner === sender, 'by one who does not own it');
    changed.policy = after;
  },
  participantAdd: (model, [{ phase: id, member, roles, epoch, envelope }], { sender }) => {
    const phase = model.phase(id);
    model.expectManager(phase, sender);
    model.expect(!phase.roles.has(member) && !model.revoked.has(member), 'of one who is in or revoked');
    phase.roles.set(member, roles);
    if (epoch !== null) model.opened(phase, epoch.number);
    else if (envelope === null) phase.isFrozen = true;
  },
  participantRemove: (model, [{ phase: id, member, epoch }]) => {
    const phase = model.phase(id);
    model.expect(phase.roles.delete(member), 'of one who is not in');
    phase.holders.delete(member);
    if (epoch === null) phase.isFrozen = true;
    else model.opened(phase, epoch.number);
  },
  participantRole: (model, [{ phase: id, member, roles }], { sender }) => {
    const phase = model.phase(id);
    model.expectManager(phase, sender);
    model.expect(phase.roles.has(member), 'of one who is not in');
    phase.roles.set(member, roles);
  },
  epochRotate: (model, [{ phase, epoch }]) => model.opened(model.phase(phase), epoch.number),
  epochComplaint: (model, [{ phase: id, epoch }], { sender }) => {
    const phase = model.phase(id);
    model.expect(phase.roles.has(sender) || phase.owner === sender, 'by one who holds no key');
    model.expect(epoch === phase.epoch, `about epoch ${epoch} of ${phase.epoch}`);
  },
  recoveryShares: (model, [{ phase: id, threshold, shares }], { sender }) => {
    const phase = model.phase(id);
    model.expectManager(phase, sender);
    model.expect(threshold >= 2 && shares.length >= threshold, 'that are too few');
    phase.holders = new Set(shares.map(({ member }) => member));
    for (const member of phase.holders)
      model.expect(!model.revoked.has(member) && !model.suspended.has(member), 'for one who is out');
  },
  recoveryAsk: (model, [{ phase }], { sender }) => {
    const { roles, holders } = model.phase(phase);
    model.expect(roles.has(sender) && holders.size > 0, 'by one who is not in, or where nobody has a share');
  },
  recoveryOffer: (model, [{ phase }], { sender }) => {
    model.expect(model.phase(phase).holders.has(sender), 'by one who has no share');
  },
  recordPut: (model, [{ epoch }], { sender, id, scopes }) => {
    const phase = model.phase(model.logs.get(scopes[0] as LogId) ?? ('' as PhaseId));
    model.expect(((phase.roles.get(sender) ?? 0) & phase.policy.writers) !== 0, 'by one who may not write');
    model.expect(phase.lifecycle === LIFECYCLE.open && !phase.isFrozen, 'where nothing is written now');
    model.expect(epoch === phase.epoch, `under epoch ${epoch} of ${phase.epoch}`);
    phase.records.add(id);
  },
  phaseHandover: (model, [source, target], { sender }) => {
    const [from, to] = [model.phase(source.phase), model.phase(target.phase)];
    model.expectManager(from, sender);
    const before = model.project(from.project).before.get(target.phase) ?? [];
    model.expect(before.includes(source.phase), 'to one that does not follow');
    model.expect(
      from.lifecycle !== LIFECYCLE.draft && from.lifecycle !== LIFECYCLE.archived,
      'too early or late',
    );
    model.expect(to.lifecycle <= LIFECYCLE.open && !to.isFrozen, 'to one that takes nothing');
    model.expect(target.epoch === to.epoch, `under epoch ${target.epoch} of ${to.epoch}`);
    for (const { id } of source.records) {
      model.expect(from.records.has(id), 'of a record that it has not');
      to.records.add(id);
    }
  },
};
