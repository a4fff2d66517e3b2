import type { BlockHash, TransactionId } from '../../src/core/base/ids.ts';
import { isReject } from '../../src/core/base/reject.ts';
import type { Engine } from '../../src/core/pbft/engine.ts';
import { decodeMessage } from '../../src/core/pbft/message-codec.ts';
import type { MessageContent, NewView, SignedMessage } from '../../src/core/pbft/messages.ts';
import { decodeWalRecord } from '../../src/core/pbft/wal-record.ts';
import type { Header, Validator, ValidatorSet } from '../../src/core/types/chain.ts';
import type { KvOperation } from '../../src/ports/kv.ts';
import { decodeStoredBlock } from '../../src/store/chain-records.ts';
import { ChainRules } from './checker-chain.ts';
import { EngineRules, type Life, newLife } from './checker-engine.ts';
import { KeyRules } from './checker-keys.ts';
import { promiseOf, signedValue, slotOf, splitLog, trimOldest } from './checker-log.ts';
import { MessageRules } from './checker-messages.ts';
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
 * Watches the wires and the disks from outside and throws at the first broken property (SCENARIOS 11). What it judges by is
 * written apart from what it judges, or taken from the verifier of light nodes.
 */
export class Checker {
  readonly chain: ChainRules;
  readonly keys: KeyRules;
  readonly convicted = new Set<string>();
  private readonly rules = new MessageRules(
    what => this.fail(what),
    height => this.chain.agreed.get(height)?.hash,
  );
  /** Signer and slot → value, for everything honest that was on the wire. */
  private readonly signed = new Map<string, string>();
  private readonly prepared = new Map<string, string>();
  private readonly highestAsked = new Map<string, number>();
  private readonly memories = new Map<string, Memory>();
  private readonly engines: EngineRules;
  private readonly contents = new WeakMap<SignedMessage, MessageContent>();
  private lastSent: SignedMessage | null = null;

  constructor(
    private readonly coverage: Coverage,
    genesisSet: ValidatorSet,
    isSubmitted: (id: TransactionId) => boolean,
    windowBlocksMax: number,
  ) {
    const fail = (what: string) => this.fail(what);
    const opens = (set: ValidatorSet, header: Header, startHeight: number, startHash: BlockHash) =>
      this.rules.opens(set, header.chainId, startHeight, startHash);
    this.chain = new ChainRules(coverage, genesisSet, isSubmitted, opens, fail);
    this.keys = new KeyRules(coverage, fail);
    this.engines = new EngineRules(windowBlocksMax, fail);
  }

  fail(what: string): never {
    throw new InvariantBroken(what);
  }

  private memory(name: string): Memory {
    let memory = this.memories.get(name);
    if (memory === undefined) {
      memory = { life: newLife(), promises: new Set(), records: [], next: null, height: 0, hash: '' };
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

  // Disks.

  batchDurable(node: Watched, operations: readonly KvOperation[]): void {
    if (!node.isHonest) return;
    const moves = operations.some(({ type, key }) => type === 'put' && key === 'meta/head');
    let found = false;
    for (const operation of operations) {
      if (operation.type !== 'put' || !operation.key.startsWith('block/')) continue;
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
    const { hash } = decodeStoredBlock(key, node.stored(key) ?? NOTHING);
    if (height <= memory.height) this.fail(`the snapshot of ${node.name} leads back to ${height}`);
    if (this.chain.agreed.get(height)?.hash !== hash)
      this.fail(`the snapshot of ${node.name} is of another chain`);
    memory.height = height;
    memory.hash = hash;
    this.coverage.hit('transition: state from a snapshot');
  }

  logDurable({ name, isHonest }: Watched, bytes: Uint8Array): void {
    if (!isHonest) return;
    const memory = this.memory(name);
    const { isNew, records } = splitLog(bytes);
    if (isNew) memory.next = records;
    else (memory.next ?? memory.records).push(...records);
    for (const bytes of records) {
      const record = decodeWalRecord(bytes);
      if (!isReject(record)) this.rules.durable(name, record);
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

  /** The file that took the log's place has its name for good. */
  namesDurable({ name }: Watched): void {
    const memory = this.memory(name);
    if (memory.next !== null) memory.records = memory.next;
    memory.next = null;
  }

  /** The node starts again from what its disk gives back. */
  reopened(
    node: Watched,
    head: { height: number; hash: string },
    records: readonly Uint8Array[] | null,
  ): void {
    if (!node.isHonest) return;
    const memory = this.memory(node.name);
    memory.life = newLife(head.height);
    if (memory.hash !== '' && (memory.height !== head.height || memory.hash !== head.hash))
      this.fail(`${node.name} had ${memory.height} on disk and starts at ${head.height}`);
    if (memory.hash === '') {
      memory.height = head.height;
      memory.hash = head.hash;
    }
    if (records === null) return;
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
      const record = decodeWalRecord(bytes);
      memory.promises.add(promiseOf(record) ?? '');
      if (!isReject(record)) this.rules.durable(node.name, record);
    }
  }

  // Wires.

  private contentOf(signed: SignedMessage): MessageContent {
    const known = this.contents.get(signed);
    if (known !== undefined) return known;
    const message = decodeMessage(signed);
    if (isReject(message)) return this.fail('an honest message cannot be decoded');
    this.contents.set(signed, message.content);
    return message.content;
  }

  /** An honest node puts a message on the wire. */
  sent({ name, isHonest }: Watched, signed: SignedMessage): void {
    // To all at once: one look is enough.
    if (!isHonest || signed === this.lastSent) return;
    this.lastSent = signed;
    const content = this.contentOf(signed);
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
    if (this.chain.onFork === null) this.rules.sent(name, signed, content, this.memory(name).height);
    if (content.kind === 'newView') this.checkNewView(name, set, content);
  }

  private checkDurable(name: string, set: number, content: MessageContent, promise: string): void {
    const { promises, height } = this.memory(name);
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
    const isVote = content.kind === 'prepare' || content.kind === 'commit' || content.kind === 'prePrepare';
    if (isVote && content.view < highest) this.fail(`${name} sends ${promise} after it asked for ${highest}`);
  }

  /** Whatever an honest node committed in an earlier view is below the base of this one or proposed again by it. */
  private checkNewView(name: string, set: number, { view, viewChanges, window }: NewView): void {
    let base = 0;
    let proofs = 0;
    for (const signed of viewChanges) {
      const content = this.contentOf(signed);
      if (content.kind !== 'viewChange')
        throw new InvariantBroken(`a NEW-VIEW of ${name} holds a ${content.kind}`);
      base = Math.max(base, content.head.header.height);
      for (const { header } of content.prepared) proofs = Math.max(proofs, header.height);
    }
    if (window.length > 0) this.coverage.hit('transition: NEW-VIEW proposes again', window.length);
    else this.coverage.hit('transition: NEW-VIEW with an empty window');
    if (proofs > base + window.length) this.coverage.hit('transition: NEW-VIEW cuts above a hole');
    for (let height = base + 1; height <= this.chain.height; height += 1) {
      const block = this.chain.agreed.get(height);
      if (block === undefined || block.header.validatorSetId !== set || block.view >= view) continue;
      if (window[height - base - 1] !== block.hash && this.chain.onFork === null)
        this.fail(`the NEW-VIEW of ${view} by ${name} leaves out committed ${height}`);
    }
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

  afterEvent(node: Watched, engine: Engine): void {
    const { name } = node;
    const memory = this.memory(name);
    this.engines.check(name, memory.life, engine, memory.height);
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
