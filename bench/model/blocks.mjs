// Blocks of one node of the model: built, executed, stored, committed (`builder.ts`, `executions.ts`, `committer.ts`).
import { sumOf } from './bodies.mjs';

const ENTRY_BYTES = 66;
/** Of leaf, location, leaf hash and the block's entry, with their keys, for each transaction. */
const COMMITTED_BYTES = 600;

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

  commit(effect) {
    this.#commits.push(effect);
    if (!this.#committing) this.#commitNext();
  }

  #commitNext() {
    const effect = this.#commits.shift();
    if (effect === undefined) return;
    this.#committing = true;
    const node = this.#node;
    const { groups } = this.#overlays.get(effect.blockHash);
    const count = sumOf(groups);
    node.charge('store', 'store.block');
    node.charge('store', 'store.commit', count);
    const item = { price: 'store.commitWriter', count };
    node.afterwards(() =>
      node.store.write(item, COMMITTED_BYTES * count, () => node.task(() => this.#committed(effect, groups))),
    );
  }

  #committed({ block }, groups) {
    const { height } = block.header;
    const { consortium, onCommitted } = this.#world;
    const node = this.#node;
    this.#committing = false;
    node.pool.committed(groups);
    node.afterwards(() => onCommitted(node, groups));
    node.give({ type: 'pending', waiting: node.pool.size > 0 });
    node.give({ type: 'committed', height, parameters: consortium.parameters });
    for (const [hash, overlay] of this.#overlays)
      if (overlay.block.header.height <= height) this.#overlays.delete(hash);
    this.reconsider();
    this.#commitNext();
  }
}
