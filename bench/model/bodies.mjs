// Transactions of one node of the model: taken from clients, passed on, received, checked, fetched (`services/pool`).
import { ModelPool } from './pool.mjs';

/** Transactions that share a signature where members sign batches. */
export const TREE_SIZE = 64;
/** Of a fetch, for each transaction. */
const REFERENCE_BYTES = 64;

export const sumOf = groups => groups.reduce((sum, group) => sum + group.count, 0);

export class Bodies {
  #node;
  #world;
  #pendingGiven = false;
  #outgoing = [];
  #checking = false;

  constructor(node, world) {
    this.#node = node;
    this.#world = world;
    const { core, prices } = world;
    const { blockTransactionsMax, blockBytesMax } = core.DEFAULT_PARAMETERS;
    this.pool = new ModelPool({
      ...{ blockTransactionsMax, blockBytesMax, checksPerTurn: core.POOL_LIMITS.checksPerTurn },
      transactionBytes: prices['transaction.bytes'],
    });
  }

  /** An HTTP request with the calls of one group. */
  submit(group, answered) {
    const node = this.#node;
    node.task(() => {
      node.charge('RPC', 'rpc.post');
      node.charge('RPC', 'rpc.transaction', group.count);
      node.charge('transaction codec', 'transaction.decode', group.count);
      this.#admit([group], group.count);
      this.#outgoing.push({ group, answered });
      if (this.#outgoing.length === 1) node.afterwards(() => node.task(() => this.#passOn()));
    });
  }

  #admit(groups, checked) {
    const node = this.#node;
    const trees = this.#world.signatures === 'batch' ? TREE_SIZE : 1;
    node.charge("members' signatures", 'signature.verify', checked / trees);
    node.charge('pool', 'transaction.admit', checked);
    node.charge('unexplained', 'node.transaction', checked);
    let some = false;
    for (const group of groups) some = this.pool.add(group) || some;
    if (some) this.pending();
    node.blocks.bodiesCame();
  }

  #passOn() {
    const waiting = this.#outgoing;
    this.#outgoing = [];
    this.#node.outboxes.toAll('pool', this.#frame(waiting.map(({ group }) => group)));
    this.#node.afterwards(() => {
      for (const { answered } of waiting) answered();
    });
  }

  #frame(groups) {
    const count = sumOf(groups);
    this.#node.charge('transaction codec', 'transaction.frame', count);
    return { kind: 'bodies', groups, bytes: Math.ceil(count * this.#world.prices['transaction.bytes']) };
  }

  receive({ groups }) {
    this.#node.charge('transaction codec', 'transaction.decode', sumOf(groups));
    for (const group of groups) this.pool.arrive(group);
    this.#checkInbox();
  }

  #checkInbox() {
    if (this.#checking || this.pool.inboxIsEmpty) return;
    this.#checking = true;
    this.#node.task(() => {
      this.#checking = false;
      const { checked, whole } = this.pool.check(false);
      this.#admit(whole, checked);
      this.#checkInbox();
    });
  }

  /** Bodies travel ahead of proposals: what is missing is most often still in the inbox. */
  drain() {
    const { checked, whole } = this.pool.check(true);
    this.#admit(whole, checked);
  }

  fetch(peer, groups) {
    this.#node.outboxes.to(peer, 'pool', { kind: 'fetch', groups, bytes: REFERENCE_BYTES * sumOf(groups) });
  }

  answer(peer, { groups }) {
    this.#node.outboxes.to(peer, 'pool', this.#frame(groups));
  }

  /** One input for all transactions that arrive in one turn of the event loop. */
  pending() {
    if (this.#pendingGiven) return;
    this.#pendingGiven = true;
    const node = this.#node;
    node.give({ type: 'pending', waiting: true });
    node.blocks.reconsider();
    node.afterwards(() =>
      node.task(() => {
        this.#pendingGiven = false;
        node.blocks.reconsider();
      }),
    );
  }
}
