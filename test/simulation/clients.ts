import { mayAct } from '../../src/core/access/standing.ts';
import type { MemberId, ProjectId, TransactionId } from '../../src/core/base/ids.ts';
import { isReject } from '../../src/core/base/reject.ts';
import { encodeSignedTransaction } from '../../src/core/codec/transaction.ts';
import { findMember, readPhase, readSystem } from '../../src/core/ledger/read.ts';
import { CUSTODY, LIFECYCLE } from '../../src/core/types/operation.ts';
import type { PhaseState, StateView } from '../../src/core/types/state.ts';
import type { ChainStore } from '../../src/ports/chain-store.ts';
import type { Checker } from './checker.ts';
import { type Actor, actorIn, actorOf, bytesOf, type Consortium, hashOf, ownKeyCount } from './consortium.ts';
import { type Draft, Drafts } from './drafts.ts';
import type { Readable } from './flow-drafts.ts';
import { FlowWork, type KnownPhase } from './flow-work.ts';
import { KeyWork } from './key-work.ts';
import type { World } from './machine.ts';
import type { SimulatedNode } from './node.ts';

/** A transaction that was submitted, until its end is known. */
export interface Submitted extends Draft {
  readonly kind: string;
}

/** Clients that may not write for so long of simulated time write again. */
const PATIENCE_MS = 1000;

/** What the clients write to. */
export interface Writable {
  readonly nodes: readonly SimulatedNode[];
}

/**
 * The members' programs: they look at the state of some node, which may be behind, draft what could be next, give it to some nodes
 * and ask again until its end is known.
 */
export class Clients {
  readonly drafts: Drafts;
  /** Everything that was ever submitted. */
  readonly ids = new Set<TransactionId>();
  readonly open = new Map<TransactionId, Submitted>();
  /** Once there are so many phases nothing but records is written, and the state stops growing. */
  phasesMax = Number.POSITIVE_INFINITY;
  private readonly projects: { id: ProjectId; owner: MemberId }[] = [];
  private readonly phases: KnownPhase[] = [];
  private readonly flow: FlowWork;
  private readonly keys: KeyWork;
  private readonly people: MemberId[];
  private made = 0;
  private executed = 0;
  /** Where too much was waiting when that was last counted. */
  private fullAt = { node: '', height: 0, made: 0, open: 0 };
  private fullSinceMs = 0;

  constructor(
    private readonly world: World,
    readonly consortium: Consortium,
    private readonly cluster: Writable,
    private readonly checker: () => Checker,
    /** Blocks after which a transaction expires, at most. */
    private readonly validBlocksMax: number,
  ) {
    this.drafts = new Drafts(consortium);
    this.flow = new FlowWork(world.random, this.drafts, (state, id) => this.actor(state, id));
    this.people = [...consortium.administrators, ...consortium.members].map(({ id }) => id);
    this.keys = new KeyWork(world.random, this.drafts, this.people);
  }

  private get ready(): SimulatedNode[] {
    return this.cluster.nodes.filter(node => node.isHonest && node.isReady);
  }

  /** Somebody does something. */
  act(): void {
    const node = this.ready.length === 0 ? null : this.world.random.pick(this.ready);
    if (node?.program === null || node?.program === undefined) return;
    const { state } = node.program.store;
    const until =
      node.height + this.world.random.between(Math.min(30, this.validBlocksMax), this.validBlocksMax);
    if (this.phases.length > 0 && !this.isFounded && this.world.random.chance(0.06)) {
      const { store } = node.program;
      for (const { kind, draft } of this.look(node, () => this.special(store, until)) ?? [])
        this.submit(kind, draft);
      return;
    }
    const isFlow = this.phases.length > 0 && !this.isFounded && this.world.random.chance(0.08);
    const draft = this.look(node, () =>
      isFlow ? this.changeFlow(node.program?.store, until) : this.draft(state, until),
    );
    if (draft === null) return;
    if (this.world.random.chance(0.02)) this.submitForged(draft.draft);
    else this.submit(draft.kind, draft.draft);
  }

  /** Somebody does something unless much is waiting already. */
  actBelow(openMax: number): void {
    const { transactions } = this.checker().chain;
    if (transactions !== this.executed)
      for (const id of this.open.keys()) if (this.checker().chain.isExecuted(id)) this.open.delete(id);
    this.executed = transactions;
    if (this.open.size < openMax) {
      this.act();
      return;
    }
    // Some of these may never be committed; to find out costs more, so it is done once for each change.
    // By the newest state: a node that left the set may never learn what became of them.
    const node = this.foremost();
    if (node === null) return;
    const seen = { node: node.name, height: node.height, made: this.made, open: this.open.size };
    const { nowMs } = this.world.schedule;
    const { fullAt } = this;
    const isSeen = seen.node === fullAt.node && seen.height === fullAt.height && seen.made === fullAt.made;
    if (isSeen && seen.open === fullAt.open) {
      // Nothing moves: what waits may have been drafted by nodes that were left behind, and be refused.
      if (nowMs > this.fullSinceMs + PATIENCE_MS) this.act();
      return;
    }
    const waiting = this.look(node, () => this.unfinished(node).length);
    if (waiting !== null && waiting < openMax) this.act();
    else {
      this.fullAt = seen;
      this.fullSinceMs = nowMs;
    }
  }

  /** The first of those at the greatest height. */
  private foremost(): SimulatedNode | null {
    let foremost: SimulatedNode | null = null;
    for (const node of this.cluster.nodes)
      if (node.isHonest && node.isReady && node.height > (foremost?.height ?? -1)) foremost = node;
    return foremost;
  }

  /** What a node answers; null when its disk fails over it. */
  private look<T>(node: SimulatedNode, read: () => T): T | null {
    try {
      return read();
    } catch (error) {
      node.failed(error);
      return null;
    }
  }

  submit(kind: string, draft: Draft): void {
    const { id } = draft.transaction;
    this.ids.add(id);
    this.open.set(id, { ...draft, kind });
    this.world.coverage.hit(`transaction: ${kind}`);
    const { random } = this.world;
    const { nodes } = this.cluster;
    const everywhere = random.chance(0.1);
    const first = random.pick(nodes);
    for (const node of nodes) if (node === first || everywhere || random.chance(0.1)) this.give(node, draft);
  }

  private give(node: SimulatedNode, { bytes }: Draft): void {
    const delayMs = this.world.random.between(1, 20);
    this.world.schedule.after(delayMs, () =>
      node.machine.run(() => {
        if (!node.isReady || node.program === null) return;
        void node.program.pool.submit(bytes).catch(error => node.failed(error));
      }),
    );
  }

  /** Signed by somebody else: no node may take it, and the checker knows no such transaction. */
  private submitForged({ transaction }: Draft): void {
    const signature = transaction.signed.signature.slice();
    signature[7] = (signature[7] as number) ^ 1;
    const bytes = encodeSignedTransaction({ ...transaction.signed, signature });
    for (const node of this.ready)
      node.machine.run(() => {
        if (node.program === null) return;
        void node.program.pool.submit(bytes).then(
          taken => {
            if (isReject(taken)) this.world.coverage.hit(`client refused: ${taken.reject}`);
            else this.world.broken(new Error(`${node.name} takes a transaction with a bad signature`));
          },
          error => node.failed(error),
        );
      });
  }

  /** What is not over yet is asked for again; what is over is forgotten. */
  retry(): void {
    const { height } = this.checker().chain;
    for (const [id, submitted] of this.open) {
      const isExpired = submitted.transaction.body.lastValidHeight <= height;
      if (isExpired) this.world.coverage.hit('transaction: expired');
      if (isExpired || this.checker().chain.isExecuted(id)) this.open.delete(id);
      else
        for (const node of this.cluster.nodes) if (this.world.random.chance(0.5)) this.give(node, submitted);
    }
  }

  /** Those that could still be committed at the state of this node. */
  unfinished(node: SimulatedNode): Submitted[] {
    const { program } = node;
    if (program === null || !node.isReady) return [];
    const system = readSystem(program.store.state);
    return [...this.open.values()].filter(({ transaction: { id, body } }) => {
      if (program.store.locate(id) !== null || body.lastValidHeight <= node.height) return false;
      const member = findMember(system, body.sender);
      return member !== null && mayAct(member) && member.keys[body.keyId]?.untilHeight === 0;
    });
  }

  private get isFounded(): boolean {
    return this.phases.length >= this.phasesMax;
  }

  private draft(state: StateView, until: number): { kind: string; draft: Draft } | null {
    const { random } = this.world;
    if (this.projects.length === 0) return this.createProject(state, until);
    if (this.phases.length === 0) return this.addPhase(state, until);
    const dice = random.next();
    if (dice < 0.68 || this.isFounded) return this.put(state, until);
    if (dice < 0.7) return this.createProject(state, until);
    if (dice < 0.74) return this.addPhase(state, until);
    if (dice < 0.8) return this.changePeople(state, until);
    if (dice < 0.86) return this.keys.next(state, random.pick(this.phases).id, until);
    return this.changePhase(state, until);
  }

  /** As the state knows the member now. */
  private actor(state: StateView, id: MemberId): Actor {
    return actorIn(readSystem(state), id);
  }

  private someone(): MemberId {
    return this.world.random.pick(this.people);
  }

  private createProject(state: StateView, until: number) {
    this.made += 1;
    const id = hashOf(`project ${this.made}`);
    const owner = this.someone();
    this.projects.push({ id, owner });
    return { kind: 'projectCreate', draft: this.drafts.createProject(this.actor(state, owner), id, until) };
  }

  private addPhase(state: StateView, until: number) {
    const { random } = this.world;
    const project = random.pick(this.projects);
    this.made += 1;
    const id = hashOf(`phase ${this.made}`);
    const some = random.shuffled(this.people).slice(0, random.between(1, Math.min(4, this.people.length)));
    const custody = random.chance(0.25) ? CUSTODY.participants : CUSTODY.manager;
    const members = random.chance(0.3) ? [...new Set([...some, project.owner])] : some;
    this.phases.push({ id, project: project.id, owner: project.owner });
    if (this.phases.length > 12) this.phases.shift();
    const owner = this.actor(state, project.owner);
    const draft = this.drafts.addPhase(state, owner, project.id, id, members, until, custody);
    return { kind: 'phaseAdd', draft };
  }

  private put(state: StateView, until: number) {
    const { random } = this.world;
    const { id, owner } = random.pick(this.phases);
    const phase = readPhase(state, id);
    if (phase?.lifecycle === LIFECYCLE.draft) {
      const draft = this.drafts.lifecycle(state, 'phaseOpen', this.actor(state, owner), id, until);
      return { kind: 'phaseOpen', draft };
    }
    const inside = phase?.participants.map(({ member }) => member) ?? [];
    const by = inside.length > 0 && random.chance(0.95) ? random.pick(inside) : this.someone();
    this.made += 1;
    const length = random.chance(0.02) ? 3000 : random.between(20, 120);
    const payload = bytesOf(`payload ${this.made}`, length);
    const files = random.chance(0.1)
      ? [{ cid: `bafk${hashOf(`file ${this.made}`)}`, ciphertextBytes: 1000, keyCommitment: hashOf('key') }]
      : [];
    return {
      kind: 'recordPut',
      draft: this.drafts.put(state, this.actor(state, by), id, payload, files, until),
    };
  }

  /** What needs more than the state: records under one signature, or what is said of an earlier leaf. */
  private special(
    store: Pick<ChainStore, 'state' | 'leaves'>,
    until: number,
  ): { kind: string; draft: Draft }[] {
    const { random } = this.world;
    const { state } = store;
    const { id } = random.pick(this.phases);
    const inside = readPhase(state, id)?.participants.map(({ member }) => member) ?? [];
    const by = this.actor(state, inside.length > 0 ? random.pick(inside) : this.someone());
    if (random.chance(0.4)) {
      const payloads = [1, 2, 3].map(() => {
        this.made += 1;
        return bytesOf(`payload ${this.made}`, 40);
      });
      const drafts = this.drafts.putTogether(state, by, id, payloads, until);
      return drafts.map(draft => ({ kind: 'records under one signature', draft }));
    }
    const leaves = store.leaves(this.consortium.logId('phase', id), 0, 1000, 1000);
    if (leaves.length === 0) return [];
    const position = random.between(0, leaves.length - 1);
    const { leaf, transactionId: record } = leaves[position] as (typeof leaves)[number];
    const cid = `bafk${hashOf('file')}`;
    const dice = random.between(0, 2);
    const claim = { position, record, leaf };
    if (dice === 0) return [{ kind: 'filePurge', draft: this.drafts.purge(by, id, cid, claim, until) }];
    if (dice === 1)
      return [{ kind: 'filePurgeAck', draft: this.drafts.purgeAcknowledged(by, id, cid, claim, until) }];
    const receipt = this.drafts.receipt(by, id, { ...claim, cids: [cid] }, until);
    return [{ kind: 'fileReceipt', draft: receipt }];
  }

  /** How phases follow each other and what they ask for; records go from one to the next. */
  private changeFlow(store: Readable | undefined, until: number) {
    return store === undefined ? null : this.flow.next(store, this.world.random.pick(this.phases), until);
  }

  private changePeople(state: StateView, until: number) {
    const { random } = this.world;
    const administrator = this.actor(state, random.pick(readSystem(state).administrators));
    const dice = random.next();
    if (dice < 0.5 && this.people.length < 24) {
      this.made += 1;
      const actor = actorOf(`member-${this.made}`);
      this.people.push(actor.id);
      return { kind: 'memberRegister', draft: this.drafts.register(administrator, actor, until) };
    }
    const actor = this.actor(state, this.someone());
    if (dice < 0.9) {
      const next = actorOf(actor.id, ownKeyCount(readSystem(state), actor.id));
      return { kind: 'memberRotate', draft: this.drafts.rotate(state, actor, next, until) };
    }
    return { kind: 'memberRevoke', draft: this.drafts.revoke(administrator, actor.id, until) };
  }

  private changePhase(state: StateView, until: number) {
    const { random } = this.world;
    const { id, owner, project } = random.pick(this.phases);
    const by = this.actor(state, owner);
    const phase: PhaseState | null = readPhase(state, id);
    const inside = phase?.participants.map(({ member }) => member) ?? [];
    const dice = random.next();
    const { drafts } = this;
    if (dice < 0.35) {
      const [former] = random.shuffled(phase?.former ?? []);
      // One who was in it comes back (SCENARIOS 83).
      const who = former !== undefined && random.chance(0.4) ? former.member : this.someone();
      return { kind: 'participantAdd', draft: drafts.addParticipant(state, by, id, who, until) };
    }
    const member = inside.length > 0 ? random.pick(inside) : this.someone();
    if (dice < 0.6)
      return { kind: 'participantRemove', draft: drafts.removeParticipant(state, by, id, member, until) };
    if (dice < 0.72)
      return { kind: 'participantRole', draft: drafts.changeRole(state, by, id, member, 3, until) };
    if (dice < 0.92) return { kind: 'epochRotate', draft: drafts.rotateEpoch(state, by, id, until) };
    if (dice < 0.98)
      return { kind: 'phaseClose', draft: drafts.lifecycle(state, 'phaseClose', by, id, until) };
    return { kind: 'projectArchive', draft: drafts.archiveProject(state, by, project, until) };
  }
}
