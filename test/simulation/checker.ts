import { type BlockHash, type TransactionId, ZERO_HASH } from '../../src/core/base/ids.ts';
import { isReject } from '../../src/core/base/reject.ts';
import { headerHash, validatorSetHash } from '../../src/core/codec/chain.ts';
import { decodeSystemState, STATE_KEYS } from '../../src/core/codec/state.ts';
import { decodeTransaction } from '../../src/core/codec/transaction.ts';
import { ENGINE_LIMITS } from '../../src/core/pbft/config.ts';
import type { Engine } from '../../src/core/pbft/engine.ts';
import { decodeMessage } from '../../src/core/pbft/message-codec.ts';
import type { MessageContent, NewView, SignedMessage } from '../../src/core/pbft/messages.ts';
import { decodeWalRecord } from '../../src/core/pbft/wal-record.ts';
import type { Certificate, Header, Validator, ValidatorSet } from '../../src/core/types/chain.ts';
import { KINDS } from '../../src/core/types/operation.ts';
import type { KvOperation } from '../../src/ports/kv.ts';
import { decodeStoredBlock } from '../../src/store/chain-records.ts';
import { faultOf } from './checker-certificate.ts';
import type { Executed } from './checker-light.ts';
import { promiseOf, signedValue, slotOf, splitLog, trimOldest } from './checker-log.ts';
import { MessageRules } from './checker-messages.ts';
import type { Coverage } from './coverage.ts';
import { InvariantBroken } from './invariant.ts';
import { simulatedSuite as suite } from './suite.ts';

/** A block of the chain of the simulation, as the first honest node made it durable. */
interface Agreed {
  readonly header: Header;
  readonly hash: BlockHash;
  /** View of the first certificate seen. */
  readonly view: number;
}

/** What the checker sees of a node. */
export interface Watched {
  readonly name: string;
  readonly isHonest: boolean;
  /** What its disk holds under a key. */
  stored(key: string): Uint8Array | null;
}

/** What the checker remembers of a node from life to life. */
interface Memory {
  /** Everything its log has ever held durably, as promises. */
  readonly promises: Set<string>;
  /** Records of its log file, in order; of the file that is to take its place, until that was written to. */
  records: Uint8Array[];
  next: Uint8Array[] | null;
  height: number;
  hash: string;
  headOfLife: number;
  setOfLife: number;
  viewOfLife: number;
  stableOfLife: number;
}

const NOTHING = new Uint8Array(0);
const RECORDED_MAX = 400_000;

/**
 * Watches the wires and the disks from outside and throws at the first broken property (SCENARIOS 11). What it judges by is
 * written apart from what it judges, or taken from the verifier of light nodes.
 */
export class Checker {
  readonly agreed = new Map<number, Agreed>();
  readonly sets = new Map<number, ValidatorSet>();
  readonly convicted = new Set<string>();
  height = 0;
  transactions = 0;
  /** Everything that was executed, in order, where light nodes are to be checked against it. */
  history: Executed[] | null = null;
  /** Of two blocks at one height, where more than f collude on purpose; otherwise that is a broken property. */
  onFork: ((certificate: Certificate) => void) | null = null;
  private readonly rules = new MessageRules(what => this.fail(what));
  private readonly executedAt = new Map<TransactionId, number>();
  /** Signer and slot → value, for everything honest that was on the wire. */
  private readonly signed = new Map<string, string>();
  private readonly prepared = new Map<string, string>();
  private readonly highestAsked = new Map<string, number>();
  private readonly memories = new Map<string, Memory>();
  /** By node, the consensus keys that it has signed with. */
  private readonly keysOf = new Map<string, Set<string>>();
  private readonly barred = new Set<string>();
  private readonly contents = new WeakMap<SignedMessage, MessageContent>();
  private lastSent: SignedMessage | null = null;

  constructor(
    private readonly coverage: Coverage,
    private readonly genesisSet: ValidatorSet,
    private readonly isSubmitted: (id: TransactionId) => boolean,
    private readonly windowBlocksMax: number,
  ) {
    this.sets.set(0, genesisSet);
  }

  fail(what: string): never {
    throw new InvariantBroken(what);
  }

  private memory(name: string): Memory {
    let memory = this.memories.get(name);
    if (memory === undefined) {
      const life = { headOfLife: 0, setOfLife: 0, viewOfLife: 0, stableOfLife: 0 };
      memory = { promises: new Set(), records: [], next: null, height: 0, hash: '', ...life };
      this.memories.set(name, memory);
    }
    return memory;
  }

  /** Its disk was emptied or replaced by an old one: it has promised what it cannot know of, and must not vote with that key (SCENARIOS 16). */
  wiped(node: Watched): void {
    this.rules.forget(node.name);
    this.memories.delete(node.name);
    for (const key of this.keysOf.get(node.name) ?? []) this.barred.add(key);
  }

  private checkKey(name: string, { signer, validatorSetId }: SignedMessage): void {
    const validator = this.sets.get(validatorSetId)?.validators[signer];
    if (validator === undefined) return;
    const key = keyOf(validator);
    if (this.barred.has(key)) this.fail(`${name} signs with a key whose votes it has lost`);
    const keys = this.keysOf.get(name) ?? new Set();
    if (keys.has(key)) return;
    if ([...keys].some(known => this.barred.has(known)))
      this.coverage.hit('transition: votes with a new key after its disk was lost');
    this.keysOf.set(name, keys.add(key));
  }

  /** Validators that cannot vote any more because their disk was lost. */
  isBarred(validator: Validator): boolean {
    return this.barred.has(keyOf(validator));
  }

  // Disks.

  batchDurable(node: Watched, operations: readonly KvOperation[]): void {
    if (!node.isHonest) return;
    const moves = operations.some(({ type, key }) => type === 'put' && key === 'meta/head');
    let found = false;
    for (const operation of operations) {
      if (operation.type !== 'put' || !operation.key.startsWith('block/')) continue;
      const { block, hash, certificate } = decodeStoredBlock(operation.key, operation.value);
      const { height } = block.header;
      if (height !== Number(operation.key.slice('block/'.length)))
        this.fail(`${node.name} stores ${height} as ${operation.key}`);
      if (!moves) continue;
      found = true;
      const memory = this.memory(node.name);
      if (height > 0 && height !== memory.height + 1)
        this.fail(`${node.name} stores ${height} on ${memory.height}`);
      memory.height = height;
      memory.hash = hash;
      if (certificate !== null) this.committed(node, block.header, hash, certificate, operations);
      if (this.agreed.get(height)?.hash === hash) this.executed(node, block, height);
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
    if (this.agreed.get(height)?.hash !== hash) this.fail(`the snapshot of ${node.name} is of another chain`);
    memory.height = height;
    memory.hash = hash;
    this.coverage.hit('transition: state from a snapshot');
  }

  private committed(
    { name }: Watched,
    header: Header,
    hash: BlockHash,
    certificate: NonNullable<ReturnType<typeof decodeStoredBlock>['certificate']>,
    operations: readonly KvOperation[],
  ): void {
    const { height } = header;
    const set = this.sets.get(header.validatorSetId);
    if (set === undefined) throw new InvariantBroken(`${name} commits ${height} under an unknown set`);
    const fault = faultOf(header, hash, certificate, set);
    if (fault !== null) this.fail(`${name} commits ${height}: ${fault}`);
    const known = this.agreed.get(height);
    if (known !== undefined) {
      if (known.hash !== hash && this.onFork !== null) this.onFork(certificate);
      else if (known.hash !== hash) this.fail(`two blocks at height ${height}: ${name} commits another`);
      return;
    }
    const parent = this.agreed.get(height - 1);
    if (parent !== undefined && parent.hash !== header.parentHash) this.fail(`${height} has another parent`);
    this.agreed.set(height, { header, hash, view: certificate.view });
    this.height = Math.max(this.height, height);
    if (height === 1) this.rules.opens(this.genesisSet, header.chainId, 0, header.parentHash);
    if (header.nextValidatorSetHash !== header.validatorSetHash) this.changeSet(header, operations);
  }

  /** The next set is read from the state that the block leaves, and must be what its header names. */
  private changeSet(header: Header, operations: readonly KvOperation[]): void {
    const isSystem = (key: string) => key.startsWith('state/') && key.endsWith(`/${STATE_KEYS.system}`);
    const written = operations.find(operation => isSystem(operation.key));
    if (written?.type !== 'put') throw new InvariantBroken(`${header.height} changes the set and no state`);
    const system = decodeSystemState(written.value);
    if (isReject(system)) throw new InvariantBroken(`the state at ${header.height} cannot be read`);
    const { validatorSet: set } = system;
    if (validatorSetHash(suite.sha256, set) !== header.nextValidatorSetHash)
      this.fail(`${header.height} names another next set than its state has`);
    if (set.id !== header.validatorSetId + 1) this.fail(`set ${set.id} follows ${header.validatorSetId}`);
    this.sets.set(set.id, set);
    this.rules.opens(set, header.chainId, header.height, headerHash(suite.sha256, header));
  }

  private executed(
    node: Watched,
    block: ReturnType<typeof decodeStoredBlock>['block'],
    height: number,
  ): void {
    for (const { id, wrapperHash, outcome } of block.entries) {
      const before = this.executedAt.get(id);
      if (before !== undefined && before !== height)
        this.fail(`a transaction of height ${before} is executed again at ${height}`);
      if (before !== undefined) continue;
      if (!this.isSubmitted(id) && !this.isEvidence(node.stored(`tx/${wrapperHash}`)))
        this.fail(`${height} holds a transaction that nobody submitted`);
      this.executedAt.set(id, height);
      this.transactions += 1;
      const bytes = node.stored(`tx/${wrapperHash}`);
      if (this.history !== null && bytes !== null) this.history.push({ height, id, outcome, bytes });
    }
  }

  /** Nodes make these themselves; they prove what they say. */
  private isEvidence(wrapper: Uint8Array | null): boolean {
    const transaction = wrapper === null ? null : decodeTransaction(suite.sha256, wrapper);
    if (transaction === null || isReject(transaction)) return false;
    const isEvidence = transaction.body.kind === KINDS.evidence;
    if (isEvidence) this.coverage.hit('transaction: evidence');
    return isEvidence;
  }

  isExecuted(id: TransactionId): boolean {
    return this.executedAt.has(id);
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
      if (other !== undefined && other !== digest && this.onFork === null)
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
    Object.assign(memory, { headOfLife: head.height, setOfLife: 0, viewOfLife: 0, stableOfLife: 0 });
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
    for (const record of records) memory.promises.add(promiseOf(decodeWalRecord(record)) ?? '');
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
    if (slot === '' || this.sets.get(set)?.validators[signed.signer]?.name !== name) return;
    this.checkKey(name, signed);
    const value = signedValue(content);
    const key = `${name}:${slot}`;
    const before = this.signed.get(key);
    if (before !== undefined && before !== value) this.fail(`${key} is signed for two values`);
    this.signed.set(key, value);
    trimOldest(this.signed, RECORDED_MAX);
    this.checkDurable(name, set, content, `${slot}=${value}`);
    if (this.onFork === null) this.rules.sent(name, signed, content, this.memory(name).height);
    if (content.kind === 'newView') this.checkNewView(name, set, content);
  }

  private checkDurable(name: string, set: number, content: MessageContent, promise: string): void {
    const { promises } = this.memory(name);
    if (content.kind !== 'checkpoint' && !promises.has(promise))
      this.fail(`${name} sends ${promise} before it is durable`);
    if (content.kind === 'commit') {
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
    for (let height = base + 1; height <= this.height; height += 1) {
      const block = this.agreed.get(height);
      if (block === undefined || block.header.validatorSetId !== set || block.view >= view) continue;
      if (window[height - base - 1] !== block.hash && this.onFork === null)
        this.fail(`the NEW-VIEW of ${view} by ${name} leaves out committed ${height}`);
    }
  }

  /** Convicts faulty validators only. */
  evidence(first: SignedMessage, second: SignedMessage, isHonest: (name: string) => boolean): void {
    const set = this.sets.get(first.validatorSetId);
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
    const height = engine.head.header.height;
    if (height < memory.headOfLife) this.fail(`the head of ${name} goes back to ${height}`);
    if (height > memory.height)
      this.fail(`the head of ${name} is at ${height}, its disk at ${memory.height}`);
    memory.headOfLife = height;
    this.checkMonotone(memory, name, engine);
    if (engine.stableHeight > Math.max(height, engine.reign.startHeight))
      this.fail(`the low watermark of ${name} is above its head`);
    const { windowBlocks } = engine.parameters;
    if (engine.slots.size > Math.max(windowBlocks, this.windowBlocksMax) + ENGINE_LIMITS.windowBlocksMax)
      this.fail('slots unbounded');
    if (engine.future.count > ENGINE_LIMITS.futureMessagesTotal) this.fail('future messages unbounded');
    if (engine.future.count > 0) this.checkFuture(engine);
    if (engine.viewChanges.size > engine.reign.set.validators.length) this.fail('view changes unbounded');
    if (engine.complaints.size > engine.reign.set.validators.length) this.fail('complaints unbounded');
    if (engine.signedValues.size > 16 * windowBlocks + 64) this.fail('signed values unbounded');
    if (memory.records.length > 64 * windowBlocks + 256) this.fail(`the log of ${name} is not trimmed`);
    if (!engine.active && engine.digest !== ZERO_HASH) this.fail('a view that is not open has a digest');
  }

  private checkFuture(engine: Engine): void {
    const share =
      ENGINE_LIMITS.futurePerSignerWindows * Math.max(engine.parameters.windowBlocks, this.windowBlocksMax);
    for (const { messages } of engine.future.bySigner.values())
      if (messages.length > share) this.fail('a signer fills more than its share');
  }

  private checkMonotone(memory: Memory, name: string, engine: Engine): void {
    const { view, stableHeight: stable } = engine;
    const { id: set } = engine.reign.set;
    if (set < memory.setOfLife) this.fail(`${name} goes back to set ${set}`);
    const isSame = set === memory.setOfLife;
    if (isSame && view < memory.viewOfLife) this.fail(`the view of ${name} goes back to ${view}`);
    if (isSame && stable < memory.stableOfLife) this.fail(`the low watermark of ${name} goes back`);
    memory.setOfLife = set;
    memory.viewOfLife = view;
    memory.stableOfLife = stable;
  }

  /** Drops what no later event can ask for, so that a run of any length fits into memory. */
  forgetBelow(height: number): void {
    for (const at of this.agreed.keys()) {
      if (at >= height) break;
      this.agreed.delete(at);
    }
    for (const [id, at] of this.executedAt) {
      if (at >= height) break;
      this.executedAt.delete(id);
    }
    this.rules.forgetBelow(height);
    const { signed, prepared, memories } = this;
    for (const record of [signed, prepared, ...[...memories.values()].map(({ promises }) => promises)])
      trimOldest(record, RECORDED_MAX / 10);
  }
}

function keyOf({ name, publicKey }: Validator): string {
  return `${name}:${Buffer.from(publicKey).toString('hex')}`;
}
