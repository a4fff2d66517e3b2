// Blocks of one node of the model: built, executed, stored, committed (`builder.ts`, `executions.ts`, `committer.ts`).
import { sumOf, TREE_SIZE } from './bodies.mjs';

const ENTRY_BYTES = 66;
/** Of leaf, location, leaf hash and the block's entry, with their keys, for each transaction. */
const COMMITTED_BYTES = 600;
/** Of a request of state transfer, and what its answer holds at most. */
const REQUEST_BYTES = 64;
const TRANSFERRED_BLOCKS = 8;

export class Blocks {
  #node;
  #world;
  #batchMin;
  /** In flight, by hash: executed and not committed. */
  #overlays = new Map();
  #wanted = null;
  /** Waiting for bodies, by hash. */
  #missing = new Map();
  #commits = [];
  #committing = false;
  #storedHeight = 0;
  #syncing = false;

  constructor(node, world) {
    this.#node = node;
    this.#world = world;
    const { CONSENSUS_LIMITS, DEFAULT_PARAMETERS } = world.core;
    this.#batchMin = Math.min(CONSENSUS_LIMITS.batchTransactionsMin, DEFAULT_PARAMETERS.blockTransactionsMax);
  }

  build(effect) {
    this.#wanted = effect;
    this.reconsider();
  }

  /** Blocks above the head up to this one, the newest first; null when one is not here. */
  #inFlight(parentHash) {
    const { head } = this.#node.engine;
    const overlays = [];
    for (let hash = parentHash; hash !== head.hash; ) {
      const overlay = this.#overlays.get(hash);
      if (overlay === undefined || overlay.block.header.height <= head.header.height) return null;
      overlays.push(overlay);
      hash = overlay.block.header.parentHash;
    }
    return overlays;
  }

  /** With blocks in flight, a batch is waited for, or the next commit. */
  reconsider() {
    const build = this.#wanted;
    const { engine, pool } = this.#node;
    const inFlight = build === null ? null : this.#inFlight(build.parentHash);
    if (inFlight === null) return;
    const waiting = pool.size - inFlight.reduce((sum, { groups }) => sum + sumOf(groups), 0);
    if (inFlight.length > 0 && waiting > 0 && waiting < this.#batchMin) return;
    this.#wanted = null;
    const groups = pool.take(new Set(inFlight.flatMap(overlay => overlay.groups)));
    const { buildId, parentHash } = build;
    if (groups.length === 0) this.#node.give({ type: 'buildEmpty', buildId });
    else this.#fill(buildId, inFlight[0]?.block.header ?? engine.head.header, parentHash, groups);
  }

  #fill(buildId, parent, parentHash, groups) {
    const { queue, consortium } = this.#world;
    const node = this.#node;
    const { block, hash } = consortium.block(parent, parentHash, queue.nowUs, groups);
    node.charge('execution', 'ledger.block');
    node.charge('execution', 'ledger.build', sumOf(groups));
    this.#overlays.set(hash, { block, groups });
    this.#storeAhead(groups, () => node.give({ type: 'built', buildId, block, nextSet: null }));
  }

  #storeAhead(groups, afterwards) {
    const node = this.#node;
    const count = sumOf(groups);
    node.charge('store', 'store.ahead', count);
    const item = { price: 'store.aheadWriter', count };
    const bytes = count * this.#world.prices['transaction.bytes'];
    node.afterwards(() => node.store.write(item, bytes, () => node.task(afterwards)));
  }

  execute(effect) {
    const { block, blockHash, executionId, proposerPeerId } = effect;
    const node = this.#node;
    const { consortium } = this.#world;
    if (block.header.height <= node.engine.head.header.height) return;
    const groups = consortium.groupsOf(blockHash);
    if (this.#lacking(groups).length > 0) {
      this.#missing.set(blockHash, { effect, groups });
      node.bodies.drain();
      const lacking = this.#lacking(groups);
      if (lacking.length > 0) node.bodies.fetch(consortium.indexOf.get(proposerPeerId), lacking);
      return;
    }
    node.charge('execution', 'ledger.block');
    node.charge('execution', 'ledger.execute', sumOf(groups));
    this.#overlays.set(blockHash, { block, groups });
    const executed = { type: 'executed', executionId, verdict: null, nextSet: null };
    this.#storeAhead(groups, () => node.give(executed));
  }

  #lacking(groups) {
    return groups.filter(group => !this.#node.pool.has(group));
  }

  bodiesCame() {
    for (const [hash, { effect, groups }] of this.#missing) {
      if (this.#lacking(groups).length > 0) continue;
      this.#missing.delete(hash);
      this.execute(effect);
    }
  }

  /** A block that the engine lacks, from another node that has it. */
  fetch({ blockHash }) {
    const { nodes } = this.#world;
    const holder = nodes.find(node => node !== this.#node && node.blocks.inFlight(blockHash) !== null);
    if (holder === undefined) return;
    const block = holder.blocks.inFlight(blockHash);
    const frame = { kind: 'block', block, bytes: ENTRY_BYTES * block.entries.length };
    holder.task(() => holder.outboxes.to(this.#node.index, 'consensus', frame));
  }

  inFlight(hash) {
    return this.#overlays.get(hash)?.block ?? null;
  }

  discard(hashes) {
    for (const hash of hashes) {
      this.#overlays.delete(hash);
      this.#missing.delete(hash);
    }
  }

  // The one way into the store: blocks of the engine and of state transfer, one after the other.

  commit(effect) {
    this.#commits.push({
      ...effect,
      groups: this.#overlays.get(effect.blockHash)?.groups,
      transferred: false,
    });
    if (!this.#committing) this.#commitNext();
  }

  #commitNext() {
    const next = this.#commits.shift();
    if (next === undefined) return;
    const node = this.#node;
    const { block, groups, transferred } = next;
    if (block.header.height <= this.#storedHeight) {
      this.#settled(next);
      return;
    }
    this.#committing = true;
    const count = sumOf(groups);
    if (transferred) this.#chargeTransferred(next, count);
    node.charge('store', 'store.block');
    node.charge('store', 'store.commit', count);
    const item = { price: 'store.commitWriter', count };
    node.afterwards(() =>
      node.store.write(item, COMMITTED_BYTES * count, () => node.task(() => this.#committed(next))),
    );
  }

  #committed(next) {
    const { block, groups, certificate, blockHash } = next;
    const { height } = block.header;
    const { consortium, onCommitted } = this.#world;
    const node = this.#node;
    this.#committing = false;
    this.#storedHeight = height;
    consortium.committed(height, { block, blockHash, certificate, groups });
    node.pool.committed(groups);
    node.afterwards(() => onCommitted(node, groups));
    node.give({ type: 'pending', waiting: node.pool.size > 0 });
    this.#settled(next);
    for (const [hash, overlay] of this.#overlays)
      if (overlay.block.header.height <= height) this.#overlays.delete(hash);
    this.reconsider();
  }

  #settled({ block, blockHash, certificate, transferred }) {
    const { height } = block.header;
    const { consortium } = this.#world;
    const { reign } = this.#node.engine;
    const { parameters } = consortium;
    if (transferred) {
      const head = { header: block.header, blockHash, certificate, reign, parameters };
      this.#node.give({ type: 'synced', head });
    } else this.#node.give({ type: 'committed', height, parameters });
    this.#commitNext();
  }

  // State transfer (`services/sync`): a few blocks at a time from the node that has most.

  sync() {
    const { nodes } = this.#world;
    if (this.#syncing) return;
    const source = nodes.reduce((best, node) => (node.blocks.height > best.blocks.height ? node : best));
    if (source.blocks.height <= this.#storedHeight) return;
    this.#syncing = true;
    const frame = { kind: 'sync', from: this.#storedHeight + 1, bytes: REQUEST_BYTES };
    this.#node.outboxes.to(source.index, 'sync', frame);
  }

  get height() {
    return this.#storedHeight;
  }

  answerSync(peer, { from }) {
    const { consortium, prices } = this.#world;
    const to = Math.min(this.#storedHeight, from + TRANSFERRED_BLOCKS - 1);
    const blocks = Array.from({ length: to - from + 1 }, (_, at) => consortium.blockAt(from + at));
    const count = blocks.reduce((sum, { groups }) => sum + sumOf(groups), 0);
    this.#node.charge('transaction codec', 'transaction.frame', count);
    const bytes = Math.ceil(count * (prices['transaction.bytes'] + ENTRY_BYTES));
    this.#node.outboxes.to(peer, 'sync', { kind: 'transfer', blocks, bytes });
  }

  receiveTransfer({ blocks }) {
    this.#syncing = false;
    for (const block of blocks) this.#commits.push({ ...block, transferred: true });
    if (!this.#committing) this.#commitNext();
  }

  #chargeTransferred({ certificate, groups }, count) {
    const node = this.#node;
    const trees = this.#world.signatures === 'batch' ? TREE_SIZE : 1;
    const fresh = sumOf(groups.filter(group => !node.pool.has(group)));
    node.charge("validators' signatures", 'signature.verify', certificate.signatures.length);
    node.charge('transaction codec', 'transaction.decode', count);
    node.charge("members' signatures", 'signature.verify', fresh / trees);
    node.charge('execution', 'ledger.block');
    node.charge('execution', 'ledger.execute', count);
  }
}
