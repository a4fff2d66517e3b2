// Sends records as members' nodes would, in JSON-RPC batches over kept connections, and books what becomes of each.
import { setTimeout as delay } from 'node:timers/promises';
import { Latencies } from './histogram.mjs';
import { dueBy, dueMs } from './schedule.mjs';

/** `RPC_LIMITS.batchCallsMax` of the nodes. */
const BATCH_CALLS_MAX = 100;
const BATCH_CHARACTERS_MAX = 8 * 1024 * 1024;
/** Batches on their way to one node at a time: what is due meanwhile goes together. */
const POSTS_IN_FLIGHT_MAX = 4;
/** A client whose transaction was refused waits so long before it sends the next one. */
const REFUSED_PAUSE_MS = 20;
const BUCKET_MS = 100;
const COMMITTED = 0;

/** Everything that is due for one node. */
class Lane {
  #waiting = [];
  #inFlight = 0;

  constructor(node, load) {
    this.node = node;
    this.load = load;
    this.open = true;
  }

  add(item) {
    item.lane = this;
    this.#waiting.push(item);
    if (this.#waiting.length === 1) setImmediate(() => this.#flush());
  }

  /** A dead node: what it still had to get goes elsewhere. */
  close() {
    this.open = false;
    return this.#waiting.splice(0);
  }

  #flush() {
    while (this.open && this.#waiting.length > 0 && this.#inFlight < POSTS_IN_FLIGHT_MAX) {
      let count = 0;
      let characters = 0;
      while (count < Math.min(this.#waiting.length, BATCH_CALLS_MAX)) {
        characters += this.#waiting[count].base64.length;
        if (count > 0 && characters > BATCH_CHARACTERS_MAX) break;
        count += 1;
      }
      this.#inFlight += 1;
      void this.#post(this.#waiting.splice(0, count)).finally(() => {
        this.#inFlight -= 1;
        this.#flush();
      });
    }
  }

  async #post(items) {
    const calls = items.map(
      ({ base64 }, id) =>
        `{"jsonrpc":"2.0","id":${id},"method":"tx_submit","params":{"transaction":"${base64}"}}`,
    );
    let answers;
    try {
      answers = await this.node.rpc.post(`[${calls.join(',')}]`);
    } catch (error) {
      this.load.unreached(items, error);
      return;
    }
    if (!Array.isArray(answers)) answers = items.map((_, id) => ({ id, ...answers }));
    for (const { id, error } of answers) this.load.answered(items[id], error ?? null);
  }
}

export class Load {
  offered = 0;
  accepted = 0;
  committed = 0;
  /** Not committed, by reason. */
  failed = {};
  /** Of those that were due inside the window. */
  latencies = new Latencies();
  /** Committed in each tenth of a second since `startMs`. */
  buckets = [];
  resent = 0;
  /** Commits whose time was inside the window. */
  committedInWindow = 0;
  #pending = new Map();
  #lanes = [];
  #turn = 0;
  #supply;
  #next = null;
  #stopped = false;
  #window = { fromMs: Number.POSITIVE_INFINITY, toMs: Number.POSITIVE_INFINITY };

  constructor(nodes, supply) {
    this.#supply = supply;
    this.#lanes = nodes.map(node => new Lane(node, this));
    this.startMs = performance.now();
  }

  get pending() {
    return this.#pending.size;
  }

  /** Only what is due, and what commits, between these times counts. */
  measure(fromMs, toMs) {
    this.#window = { fromMs, toMs };
  }

  get isShort() {
    return this.#supply.left === 0;
  }

  #inWindow(ms) {
    return ms >= this.#window.fromMs && ms < this.#window.toMs;
  }

  #lane() {
    for (let tries = 0; tries < this.#lanes.length; tries += 1) {
      this.#turn += 1;
      const lane = this.#lanes[this.#turn % this.#lanes.length];
      if (lane.open) return lane;
    }
    throw new Error('no node is left to send to');
  }

  /** @returns false when no record is left */
  #send(intendedMs) {
    const made = this.#supply.take();
    if (made === null) return false;
    const item = { ...made, intendedMs, accepted: false, lane: null };
    this.#pending.set(item.id, item);
    if (this.#inWindow(intendedMs)) this.offered += 1;
    this.#lane().add(item);
    return true;
  }

  #fail(item, reason) {
    if (!this.#pending.delete(item.id)) return;
    if (this.#inWindow(item.intendedMs)) this.failed[reason] = (this.failed[reason] ?? 0) + 1;
    if (this.#next !== null) setTimeout(() => this.#next?.(), REFUSED_PAUSE_MS);
  }

  answered(item, error) {
    if (error !== null) return this.#fail(item, error.data?.reason ?? error.message);
    if (item.accepted) return;
    item.accepted = true;
    if (this.#inWindow(item.intendedMs)) this.accepted += 1;
  }

  /** A node that does not answer: the same transactions go to another one, which is idempotent. */
  unreached(items, error) {
    for (const item of items) {
      if (!this.#pending.has(item.id)) continue;
      if (this.#lanes.some(lane => lane.open && lane !== item.lane)) this.#again(item);
      else this.#fail(item, error.code ?? error.message);
    }
  }

  #again(item) {
    this.resent += 1;
    this.#lane().add(item);
  }

  /** The node is dead, or will be: what only it may have is sent again. */
  abandon(node) {
    const lane = this.#lanes.find(one => one.node === node);
    if (lane === undefined) return;
    lane.close();
    for (const item of this.#pending.values()) if (item.lane === lane) this.#again(item);
  }

  onCommitted(entries, atMs) {
    const bucket = Math.floor((atMs - this.startMs) / BUCKET_MS);
    for (const { id, outcome } of entries) {
      const item = this.#pending.get(id);
      if (item === undefined) continue;
      if (outcome !== COMMITTED) {
        this.#fail(item, `outcome ${outcome}`);
        continue;
      }
      this.#pending.delete(id);
      this.buckets[bucket] = (this.buckets[bucket] ?? 0) + 1;
      if (this.#inWindow(atMs)) this.committedInWindow += 1;
      if (this.#inWindow(item.intendedMs)) {
        this.committed += 1;
        this.latencies.record(atMs - item.intendedMs);
      }
      this.#next?.();
    }
  }

  /** Sends `rate` a second until `endMs`; late ones go at once, and their latency counts from when they were due. */
  async open(rate, endMs) {
    const beginMs = performance.now();
    let sent = 0;
    for (let nowMs = beginMs; nowMs < endMs && !this.#stopped; nowMs = performance.now()) {
      const due = dueBy(nowMs - beginMs, rate);
      for (; sent < due; sent += 1) if (!this.#send(beginMs + dueMs(sent, rate))) return;
      await delay(Math.max(0, beginMs + dueMs(sent, rate) - performance.now()));
    }
  }

  /** `clients` that each send the next record when the one before is committed, until `endMs`. */
  async closed(clients, endMs) {
    const send = () => {
      if (!this.#stopped && performance.now() < endMs) this.#send(performance.now());
    };
    this.#next = send;
    for (let index = 0; index < clients; index += 1) send();
    while (performance.now() < endMs && !this.#stopped && !this.isShort) await delay(10);
    this.#next = null;
  }

  stop() {
    this.#stopped = true;
  }

  /** Waits for what is under way; what does not come counts as failed. */
  async drain(patienceMs) {
    const endMs = performance.now() + patienceMs;
    while (this.#pending.size > 0 && performance.now() < endMs && !this.#stopped) await delay(10);
    for (const item of [...this.#pending.values()]) this.#fail(item, 'no outcome');
  }
}
