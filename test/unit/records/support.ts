import { strict as assert } from 'node:assert';
import { readableRanges } from '../../../src/core/access/visibility.ts';
import type { Hash, LogId, MemberId, PhaseId, ProjectId, TransactionId } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { decodeLeaf } from '../../../src/core/codec/transaction.ts';
import { checkAdmission } from '../../../src/core/ledger/admission.ts';
import { findMember, readPhase, readProject, readSystem } from '../../../src/core/ledger/read.ts';
import { DEFAULT_POLICY } from '../../../src/core/types/flow.ts';
import { CUSTODY, ROLES } from '../../../src/core/types/operation.ts';
import type { Span } from '../../../src/core/types/span.ts';
import type { Parameters, PhaseState, ProjectState } from '../../../src/core/types/state.ts';
import type { SignedTransaction, Transaction } from '../../../src/core/types/transaction.ts';
import { p256Unsealer } from '../../../src/crypto/hpke.ts';
import { phaseCrypto } from '../../../src/crypto/phase-crypto.ts';
import { generateSigningKey } from '../../../src/crypto/signer.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import type { Unsealer } from '../../../src/ports/sealing.ts';
import type { RecordContent } from '../../../src/services/records/payload.ts';
import type { HeldSpans, LedgerAccess, LogItem, SubmitResult } from '../../../src/services/records/ports.ts';
import type { RecordInput } from '../../../src/services/records/records.ts';
import type { Refusal } from '../../../src/services/records/refusal.ts';
import { Records } from '../../../src/services/records/service.ts';
import { type Actor, bytesOf, createActor, TestLedger, testGenesis } from '../../support/ledger-kit.ts';

/** What a value must not be: the message shows the refusal. */
export function granted<T>(value: T | Refusal): T {
  if (isReject(value)) throw new Error(`${value.reject}: ${value.detail}`);
  return value as T;
}

export function refused(value: unknown): string {
  assert(isReject(value), `not refused: ${JSON.stringify(value)}`);
  assert((value as Refusal).hint.length > 0, 'a refusal says what to do next');
  return value.reject;
}

/** The sealing key whose public half `createActor` puts on the card. */
export function unsealerOf(actor: Actor): Unsealer {
  const text = `sealing ${actor.id} ${actor.keyId}`;
  return p256Unsealer(generateSigningKey(length => bytesOf(text, length)));
}

/** Executes what is submitted by the real ledger and shows one member what it may read: the access of one node. */
export class MemoryAccess implements LedgerAccess {
  readonly chainId: Hash;
  /** Sizes of the batches that were submitted. */
  readonly submitted: number[] = [];
  /** Runs before a batch is executed: what others do meanwhile. */
  beforeSubmit: () => Promise<void> = async () => undefined;
  /** Set to see what this member is not served, as one who obtained the bytes by another way. */
  leaked = false;
  /** Positions that this node has still to fetch. */
  notYet: Span | null = null;

  constructor(
    private readonly world: World,
    private readonly member: MemberId,
  ) {
    this.chainId = world.ledger.chainId;
  }

  private get ledger(): TestLedger {
    return this.world.ledger;
  }

  head() {
    const { height, timeMs } = this.ledger.head.header;
    return { height, timeMs };
  }

  system() {
    return readSystem(this.ledger.state);
  }

  project(id: ProjectId): ProjectState | null {
    const state = readProject(this.ledger.state, id);
    return state?.owner === this.member ? state : null;
  }

  projects(): ProjectState[] {
    return this.world.projects.map(id => this.project(id)).filter(state => state !== null);
  }

  phase(id: PhaseId): PhaseState | null {
    const held = this.held(this.ledger.logId('phase', id));
    return held === null ? null : this.world.phaseAt(id, held.to);
  }

  phases(): PhaseState[] {
    return this.world.phases.map(id => this.phase(id)).filter(state => state !== null);
  }

  private ranges(logId: LogId): Span[] {
    const size = this.ledger.state.leaves.get(logId)?.length ?? 0;
    if (this.leaked) return size === 0 ? [] : [{ from: 0, to: size }];
    const ranges = readableRanges(this.ledger.state, this.member, logId);
    const whole = ranges.map(range => ({ from: range.from, to: range.to ?? size }));
    const { notYet } = this;
    if (notYet === null) return whole;
    return whole
      .flatMap(({ from, to }) => [
        { from, to: Math.min(to, notYet.from) },
        { from: Math.max(from, notYet.to), to },
      ])
      .filter(({ from, to }) => from < to);
  }

  held(logId: LogId): HeldSpans | null {
    const ranges = this.ranges(logId);
    return ranges.length === 0 ? null : { from: ranges[0]!.from, to: ranges.at(-1)!.to, ranges };
  }

  private itemAt(logId: LogId, position: number): LogItem {
    const stored = this.ledger.state.leaves.get(logId)![position]!;
    const leaf = decodeLeaf(stored.leaf);
    assert(!isReject(leaf));
    const whole = this.ledger.transactions.get(stored.transactionId)!;
    const own = (index: number) => whole.body.scopes[whole.body.parts[index]!.scope] === logId;
    const parts = whole.signed.parts.map((part, index) => (own(index) ? part : null));
    const transaction: Transaction = { ...whole, signed: { ...whole.signed, parts } };
    return { leaf, transaction };
  }

  async items(logId: LogId, from: number, to: number): Promise<LogItem[]> {
    return this.ranges(logId).flatMap(range => {
      const start = Math.max(from, range.from);
      const count = Math.max(0, Math.min(to, range.to) - start);
      return Array.from({ length: count }, (_, index) => this.itemAt(logId, start + index));
    });
  }

  async itemOf(logId: LogId, id: TransactionId): Promise<LogItem | null> {
    const held = this.held(logId);
    const items = held === null ? [] : await this.items(logId, held.from, held.to);
    return items.find(item => item.transaction.id === id) ?? null;
  }

  async submit(signed: readonly SignedTransaction[]): Promise<SubmitResult[]> {
    this.submitted.push(signed.length);
    await this.beforeSubmit();
    const { ledger } = this;
    const transactions = signed.map(entry => ledger.decode(entry));
    const rejects = transactions.map(transaction =>
      checkAdmission(nodeSuite, ledger.state, ledger.height, transaction),
    );
    const admitted = transactions.filter((_, index) => rejects[index] === null);
    if (admitted.length > 0) ledger.commit(...admitted);
    this.world.remember();
    const { entries } = ledger.blocks.at(-1)!.block;
    return transactions.map(({ id }, index) => {
      const fault = rejects[index];
      if (fault) return { id, end: 'invalid', reject: fault };
      const entry = entries.find(candidate => candidate.id === id)!;
      return { id, end: 'block', outcome: entry.outcome, height: ledger.height };
    });
  }
}

/** One ledger and the members who use it, each with its own access and keys. */
export class World {
  readonly ledger: TestLedger;
  readonly projects: ProjectId[] = [];
  readonly phases: PhaseId[] = [];
  private readonly actors = new Map<string, Actor>();
  private readonly history = new Map<PhaseId, Map<number, PhaseState>>();

  constructor(
    names: readonly string[],
    parameters: Partial<Parameters> = {},
    change: (actor: Actor) => Actor = actor => actor,
  ) {
    const [administrator, ...members] = names.map(name => change(createActor(name)));
    for (const actor of [administrator!, ...members]) this.actors.set(actor.id, actor);
    this.ledger = new TestLedger(testGenesis([administrator!], members, parameters));
  }

  actor(name: string): Actor {
    return this.actors.get(name) ?? createActor(name);
  }

  access(name: string): MemoryAccess {
    return new MemoryAccess(this, name as MemberId);
  }

  records(name: string, access = this.access(name)): Records {
    const actor = this.actor(name);
    return new Records({
      access,
      crypto: phaseCrypto,
      suite: nodeSuite,
      member: actor.id,
      signer: actor.signer,
      unsealers: [unsealerOf(actor)],
    });
  }

  /** The states that members keep who are removed later. */
  remember(): void {
    for (const id of this.phases) {
      const state = readPhase(this.ledger.state, id);
      const sizes = this.history.get(id) ?? new Map<number, PhaseState>();
      if (state !== null) sizes.set(this.ledger.leavesOf('phase', id).length, state);
      this.history.set(id, sizes);
    }
  }

  phaseAt(id: PhaseId, size: number): PhaseState | null {
    const sizes = [...(this.history.get(id) ?? [])].filter(([held]) => held >= size);
    return sizes[0]?.[1] ?? readPhase(this.ledger.state, id);
  }

  member(name: string) {
    return findMember(readSystem(this.ledger.state), name as MemberId);
  }

  async project(owner: Records): Promise<ProjectId> {
    const { project } = granted(await owner.createProject('permits'));
    this.projects.push(project);
    return project;
  }

  /** An open phase. @param participants roles by member name */
  async phase(
    owner: Records,
    project: ProjectId,
    participants: Readonly<Record<string, number>>,
    options: { predecessors?: readonly PhaseId[]; custody?: number; label?: string } = {},
  ): Promise<PhaseId> {
    const added = granted(
      await owner.addPhase({
        project,
        label: options.label ?? (this.phases.length === 0 ? 'intake' : `phase ${this.phases.length}`),
        predecessors: options.predecessors ?? [],
        custody: options.custody ?? CUSTODY.manager,
        policy: DEFAULT_POLICY,
        participants: Object.entries(participants).map(([member, roles]) => ({
          member: member as MemberId,
          roles,
        })),
      }),
    );
    this.phases.push(added.phase);
    this.remember();
    granted(await owner.openPhase(added.phase));
    return added.phase;
  }
}

export const WRITER = ROLES.reader | ROLES.contributor;
export const STEWARD = WRITER | ROLES.steward;

export function record(
  phase: PhaseId,
  text: string,
  more: Partial<RecordContent & Pick<RecordInput, 'references'>> = {},
): RecordInput {
  const data = new TextEncoder().encode(text);
  return {
    phase,
    type: 'note',
    title: text,
    mediaType: 'text/plain',
    data,
    files: [],
    references: [],
    ...more,
  };
}

/** What a member reads of a record: its text, or why it cannot. */
export async function textOf(records: Records, phase: PhaseId, id: TransactionId): Promise<string> {
  const view = await records.getRecord(phase, id);
  if (isReject(view)) return view.reject;
  return view.content === null ? view.unreadable! : new TextDecoder().decode(view.content.data);
}
