import { type BlockHash, type TransactionId, ZERO_HASH } from '../../src/core/base/ids.ts';
import { isReject } from '../../src/core/base/reject.ts';
import type { Reign } from '../../src/core/pbft/config.ts';
import type { Engine } from '../../src/core/pbft/engine.ts';
import { decodeMessage } from '../../src/core/pbft/message-codec.ts';
import type { MessageContent, SignedMessage, ViewChange } from '../../src/core/pbft/messages.ts';
import type { WalRecord } from '../../src/core/pbft/wal-record.ts';
import type { Header, Validator, ValidatorSet } from '../../src/core/types/chain.ts';
import type { KvOperation } from '../../src/ports/kv.ts';
import { decodeStoredBlock } from '../../src/store/chain-records.ts';
import { BodyRules } from './checker-bodies.ts';
import { BoundRules, type PoolParts } from './checker-bounds.ts';
import { ChainRules } from './checker-chain.ts';
import { DiskRules } from './checker-disk.ts';
import {
  EngineRules,
  type Kept,
  keptWith,
  type Life,
  later,
  NOTHING_KEPT,
  newLife,
} from './checker-engine.ts';
import { KeyRules } from './checker-keys.ts';
import { promiseOf, RecordReader, signedValue, slotOf, splitLog, trimOldest } from './checker-log.ts';
import { MessageRules } from './checker-messages.ts';
import { StepRules } from './checker-steps.ts';
import { ViewRules } from './checker-views.ts';
import type { Coverage } from './coverage.ts';
import { InvariantBroken } from './invariant.ts';
import { simulatedSuite as suite } from './suite.ts';

/** What the checker sees of a node. */
export interface Watched {
  readonly name: string;
  readonly isHonest: boolean;
  /** What its disk holds under a key. */
  stored(key: string): Uint8Array | null;
}

/** What the checker remembers of a node from life to life. */
interface Memory {
  life: Life;
  /** What its log holds, that of the file that is to take its place not counted. */
  kept: Kept;
  nextKept: Kept;
  /** What its log held when it was started. */
  begun: Kept;
  /** Everything its log has ever held durably, as promises. */
  readonly promises: Set<string>;
  /** Records of its log file, in order; of the file that is to take its place, until that was written to. */
  records: Uint8Array[];
  next: Uint8Array[] | null;
  height: number;
  hash: string;
}

const NOTHING = new Uint8Array(0);
const RECORDED_MAX = 400_000;

/**
 * Watches the wires, the disks and the steps of engines from outside and throws at the first broken property (SCENARIOS 11). What it
 * judges by is written apart from what it judges: signed bytes, hashes, quorums, certificates, view changes, windows, roots and caps
 * (`checker-certificate`, `checker-judge`, `checker-views`, `checker-bounds`, `checker-disk`). It shares decoders with the nodes
 * (messages, records of the log, stored blocks, transactions, operations, rows of logs, the system state), the encoder of a message's
 * content, where that only tells two apart, and the hash of a validator set; commit certificates are judged by the verifier of light
 * nodes too. `npm run mutants` gives modules that are named `checker…` the right source whatever the nodes run.
 */
export class Checker {
  readonly chain: ChainRules;
  readonly keys: KeyRules;
  readonly steps: StepRules;
  readonly convicted = new Set<string>();
  private readonly rules = new MessageRules(
    what => this.fail(what),
    height => this.chain.agreed.get(height)?.hash,
    signed => this.contentOf(signed),
  );
  private readonly recordReader = new RecordReader();
  private readonly views: ViewRules;
  private readonly disks: DiskRules;
  private readonly bounds: BoundRules;
  private readonly bodies: BodyRules;
  /** Signer and slot → value, for everything honest that was on the wire. */
  private readonly signed = new Map<string, string>();
  private readonly prepared = new Map<string, string>();
  private readonly highestAsked = new Map<string, number>();
  private readonly memories = new Map<string, Memory>();
  private readonly engines: EngineRules;
  private readonly contents = new WeakMap<SignedMessage, MessageContent | null>();
  private lastSent: SignedMessage | null = null;

  constructor(
    private readonly coverage: Coverage,
    first: Reign,
    isSubmitted: (id: TransactionId) => boolean,
    windowBlocksMax: number,
    private readonly replayWindowBlocks: number,
  ) {
    const fail = (what: string) => this.fail(what);
    const opens = (set: ValidatorSet, { chainId, height: startHeight }: Header, startHash: BlockHash) =>
      this.rules.opens({ set, chainId, startHeight, startHash });
    this.rules.opens(first);
    this.chain = new ChainRules(coverage, first.set, isSubmitted, opens, fail);
    this.keys = new KeyRules(coverage, fail);
    this.engines = new EngineRules(fail);
    this.bounds = new BoundRules(windowBlocksMax, fail);
    this.disks = new DiskRules(fail);
    this.bodies = new BodyRules(fail);
    this.views = new ViewRules(coverage, () => this.chain.agreed.values(), fail);
    this.chain.onAgreed = block => this.views.committed(block);
    this.steps = new StepRules(
      (name, signed) => this.rules.mustBeGood(name, signed),
      signed => this.contentOf(signed),
      () => this.chain.onFork !== null,
      fail,
    );
  }

  fail(what: string): never {
    throw new InvariantBroken(what);
  }

  private memory(name: string): Memory {
    let memory = this.memories.get(name);
    if (memory === undefined) {
      const kept = { kept: NOTHING_KEPT, nextKept: NOTHING_KEPT, begun: NOTHING_KEPT };
      memory = {
        life: newLife(),
        ...kept,
        promises: new Set(),
        records: [],
        next: null,
        height: 0,
        hash: '',
      };
      this.memories.set(name, memory);
    }
    return memory;
  }

  /** Its disk was emptied or replaced by an old one: it has promised what it cannot know of, and must not vote with that key (SCENARIOS 16). */
  wiped(node: Watched): void {
    this.rules.forget(node.name);
    this.memories.delete(node.name);
    this.keys.wiped(node.name, this.chain.sets.values());
  }

  /** Its disk is damaged, and its state is built anew from genesis: what it has signed stands. */
  rebuilds(node: Watched): void {
    const memory = this.memory(node.name);
    memory.height = 0;
    memory.hash = '';
  }

  // Disks.

  batchDurable(node: Watched, operations: readonly KvOperation[]): void {
    if (!node.isHonest) return;
    const moves = operations.some(({ type, key }) => type === 'put' && key === 'meta/head');
    let found = false;
    for (const operation of operations) {
      if (operation.type !== 'put') continue;
      if (operation.key === 'views/index')
        this.bounds.archive(node.name, operation.value, key => node.stored(key));
      if (!operation.key.startsWith('block/')) continue;
      const stored = decodeStoredBlock(operation.key, operation.value);
      const { height } = stored.block.header;
      if (height !== Number(operation.key.slice('block/'.length)))
        this.fail(`${node.name} stores ${height} as ${operation.key}`);
      if (!moves) continue;
      found = true;
      const memory = this.memory(node.name);
      if (height > 0 && height !== memory.height + 1)
        this.fail(`${node.name} stores ${height} on ${memory.height}`);
      memory.height = height;
      memory.hash = stored.hash;
      if (height > this.chain.height) this.disks.written(operations);
      this.chain.committed(node, stored, operation.value, operations);
    }
    if (moves && !found) this.transferred(node);
  }

  /** The head moved to a block that was stored before: the state of a snapshot is in place. */
  private transferred(node: Watched): void {
    const memory = this.memory(node.name);
    const head = Buffer.from(node.stored('meta/head') ?? NOTHING);
    const height = Number(head.readBigUInt64BE());
    const key = `block/${String(height).padStart(16, '0')}`;
    const stored = decodeStoredBlock(key, node.stored(key) ?? NOTHING);
    if (height <= memory.height) this.fail(`the snapshot of ${node.name} leads back to ${height}`);
    if (!this.chain.stands(stored)) this.fail(`the snapshot of ${node.name} is of another chain`);
    memory.height = height;
    memory.hash = stored.hash;
    this.coverage.hit('transition: state from a snapshot');
  }

  logDurable({ name, isHonest }: Watched, bytes: Uint8Array): void {
    if (!isHonest) return;
    const memory = this.memory(name);
    const { isNew, records } = splitLog(bytes);
    if (isNew) {
      memory.next = records;
      memory.nextKept = NOTHING_KEPT;
    } else (memory.next ?? memory.records).push(...records);
    for (const bytes of records) {
      const record = this.recordReader.read(bytes);
      if (!isReject(record)) this.recordDurable(name, memory, record, memory.next !== null);
      const promise = promiseOf(record);
      if (promise === null) continue;
      if (promise.startsWith('!')) this.fail(`${name} writes a record that cannot be read: ${promise}`);
      memory.promises.add(promise);
      if (!promise.startsWith('prepared:')) continue;
      const [slot = '', digest = ''] = promise.split('=');
      const other = this.prepared.get(slot);
      if (other !== undefined && other !== digest && this.chain.onFork === null)
        this.fail(`two prepared digests at ${slot}`);
      this.prepared.set(slot, digest);
    }
    trimOldest(memory.promises, RECORDED_MAX);
    trimOldest(this.prepared, RECORDED_MAX);
  }

  /** @param isNext in the file that is to take the log's place */
  private recordDurable(name: string, memory: Memory, record: WalRecord, isNext: boolean): void {
    this.rules.durable(name, record);
    if (isNext) memory.nextKept = keptWith(memory.nextKept, record);
    else memory.kept = keptWith(memory.kept, record);
    const block = this.bodies.durable(record);
    if (block !== null) memory.promises.add(block);
    if (record.type !== 'message') return;
    const { signed, content } = record.message;
    if (content.kind !== 'newView') return;
    memory.promises.add(this.rules.viewName(signed, content.view));
    this.viewOpened(name, signed);
  }

  /** The file that took the log's place has its name for good. */
  namesDurable({ name }: Watched): void {
    const memory = this.memory(name);
    if (memory.next === null) return;
    memory.records = memory.next;
    memory.kept = later(memory.kept, memory.nextKept);
    memory.next = null;
  }

  /** The node starts again from what its disk gives back. */
  reopened(
    node: Watched,
    { header, hash }: { readonly header: Header; readonly hash: string },
    records: readonly Uint8Array[] | null,
  ): void {
    if (!node.isHonest) return;
    const memory = this.memory(node.name);
    if (memory.hash !== '' && (memory.height !== header.height || memory.hash !== hash))
      this.fail(`${node.name} had ${memory.height} on disk and starts at ${header.height}`);
    if (memory.hash === '') {
      memory.height = header.height;
      memory.hash = hash;
    }
    this.disks.opened(node, header, this.chain.executedAt, this.replayWindowBlocks);
    if (records === null && memory.records.length > 0) this.fail(`${node.name} has lost its log`);
    if (records !== null) this.logReopened(node, memory, records);
    memory.begun = memory.kept;
    memory.life = newLife(header.height);
  }

  private logReopened(node: Watched, memory: Memory, records: readonly Uint8Array[]): void {
    const holds = (flushed: readonly Uint8Array[]) =>
      flushed.every((record, index) => Buffer.compare(records[index] ?? NOTHING, record) === 0);
    if (!holds(memory.records) && (memory.next === null || !holds(memory.next)))
      this.fail(
        `the log of ${node.name} has ${records.length} records that are not the ${memory.records.length} (or ${memory.next?.length}) that were flushed`,
      );
    memory.records = [...records];
    memory.next = null;
    // What survived unflushed is durable from now on.
    for (const bytes of records) {
      const record = this.recordReader.read(bytes);
      memory.promises.add(promiseOf(record) ?? '');
      if (!isReject(record)) this.recordDurable(node.name, memory, record, false);
    }
  }

  // Wires.

  private contentOf(signed: SignedMessage): MessageContent | null {
    const known = this.contents.get(signed);
    if (known !== undefined) return known;
    const message = decodeMessage(signed);
    const content = isReject(message) ? null : message.content;
    this.contents.set(signed, content);
    return content;
  }

  /** An honest node puts a message on the wire. */
  sent(node: Watched, signed: SignedMessage): void {
    const { name, isHonest } = node;
    // To all at once: one look is enough.
    if (!isHonest || signed === this.lastSent) return;
    this.lastSent = signed;
    const content = this.contentOf(signed) ?? this.fail('an honest message cannot be decoded');
    const set = signed.validatorSetId;
    const slot = slotOf(set, content);
    const validators = this.chain.sets.get(set);
    if (slot === '' || validators?.validators[signed.signer]?.name !== name) return;
    const value = signedValue(content);
    const key = `${name}:${slot}`;
    const before = this.signed.get(key);
    this.keys.signs(name, validators, signed.signer, before === value);
    if (this.keys.isBarred(validators.validators[signed.signer] as Validator)) return;
    if (before !== undefined && before !== value) this.fail(`${key} is signed for two values`);
    this.signed.set(key, value);
    trimOldest(this.signed, RECORDED_MAX);
    this.checkDurable(name, set, content, `${slot}=${value}`);
    this.bodies.sent(node, content, this.memory(name).promises, this.memory(name).height);
    if (this.chain.onFork !== null) return;
    this.rules.sent(name, signed, content, this.memory(name).height);
    if (content.kind === 'newView') this.viewOpened(name, signed);
  }

  private checkDurable(name: string, set: number, content: MessageContent, promise: string): void {
    const { promises, height, begun } = this.memory(name);
    // The block on disk, which nobody votes for again, takes the place of the log's record: a new set begins an empty log.
    const isOver = 'height' in content && content.height <= height;
    if (content.kind !== 'checkpoint' && !isOver && !promises.has(promise))
      this.fail(`${name} sends ${promise} before it is durable`);
    if (content.kind === 'commit' && !isOver) {
      const at = `${set}:${content.view}:${content.height}=${content.blockHash}`;
      if (!promises.has(`prepare:${at}`)) this.fail(`${name} commits ${at} without a durable PREPARE`);
      if (!promises.has(`prepared:${at}`)) this.fail(`${name} commits ${at} without a prepared proof`);
    }
    const asked = `${name}:${set}`;
    const highest = this.highestAsked.get(asked) ?? 0;
    if (content.kind === 'viewChange') this.highestAsked.set(asked, Math.max(highest, content.view));
    if (content.kind !== 'prepare' && content.kind !== 'commit' && content.kind !== 'prePrepare') return;
    const { view, newViewDigest } = content;
    if (view < highest) this.fail(`${name} sends ${promise} after it asked for ${highest}`);
    if (set === begun.set && view < begun.view)
      this.fail(`${name} sends ${promise} and was in view ${begun.view} before it was started`);
    const isOpen =
      view === 0 ? newViewDigest === ZERO_HASH : promises.has(`view:${set}:${view}:${newViewDigest}`);
    if (!isOver && !isOpen) this.fail(`${name} sends ${promise} without the NEW-VIEW of its view in its log`);
  }

  /** By a NEW-VIEW that an honest node made, or entered: others may be on the wire that nobody follows. */
  private viewOpened(name: string, signed: SignedMessage): void {
    const { validatorSetId: set, signer, body, signature } = signed;
    const key = `${set}:${signer}:${suite.sha256(body)}:${Buffer.from(signature).toString('hex')}`;
    if (this.chain.onFork !== null || this.views.knows(key)) return;
    this.rules.mustBeGood(name, signed);
    const content = this.contentOf(signed);
    if (content?.kind !== 'newView') throw new InvariantBroken(`${name} enters a view by a ${signed.kind}`);
    const asked = content.viewChanges.map(nested => this.contentOf(nested) as ViewChange);
    this.views.opens(key, name, set, content, asked);
  }

  /** Convicts faulty validators only. */
  evidence(first: SignedMessage, second: SignedMessage, isHonest: (name: string) => boolean): void {
    const set = this.chain.sets.get(first.validatorSetId);
    const bodies = [first, second].map(({ kind, body }) => `${kind}:${suite.sha256(body)}`);
    if (bodies[0] === bodies[1] || first.signer !== second.signer) this.fail('evidence that convicts nobody');
    const name = set?.validators[first.signer]?.name ?? '';
    if (isHonest(name)) this.fail(`evidence against honest ${name}`);
    this.convicted.add(name);
    this.coverage.hit(`evidence: ${first.kind}`);
  }

  // Nodes.

  /** @param evidence pairs that the node lists */
  afterEvent(node: Watched, engine: Engine, pool: PoolParts, evidence: number): void {
    const { name } = node;
    const memory = this.memory(name);
    this.engines.check(name, memory.life, memory.begun, engine, memory.height);
    this.bounds.check(name, engine, pool, evidence);
    const { windowBlocks } = engine.parameters;
    if (memory.records.length > 64 * windowBlocks + 256) this.fail(`the log of ${name} is not trimmed`);
  }

  /** Drops what no later event can ask for, so that a run of any length fits into memory. */
  forgetBelow(height: number): void {
    this.chain.forgetBelow(height);
    this.rules.forgetBelow(height);
    const { signed, prepared, memories } = this;
    for (const record of [signed, prepared, ...[...memories.values()].map(({ promises }) => promises)])
      trimOldest(record, RECORDED_MAX / 10);
  }
}
