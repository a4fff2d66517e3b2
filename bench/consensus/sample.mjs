// What the nodes used between two moments, and the most memory that each had meanwhile.
import { setTimeout as delay } from 'node:timers/promises';

const SAMPLE_MS = 250;
/** `begin` is called so long before the window opens. */
export const AHEAD_MS = 300;

export class Sampler {
  /** Largest resident memory seen since `begin`, in bytes by node. */
  residentBytes = {};
  #network;
  #watcher;
  #timer = null;

  constructor(network, watcher) {
    this.#network = network;
    this.#watcher = watcher;
  }

  /** What is slow to ask for, or stops this process for a moment. */
  async #slow() {
    const { nodes } = this.#network;
    return {
      views: await this.#network.counter('phaseline_view_changes_total'),
      wireBytes: this.#network.wireBytes(),
      diskBytes: this.#network.diskBytes(),
      rpcBytes: nodes.reduce((sum, { rpc }) => sum + rpc.bytes, 0),
    };
  }

  #quick() {
    return {
      atMs: performance.now(),
      usage: this.#network.usage(),
      own: process.cpuUsage(),
      blocks: this.#watcher.blocks,
    };
  }

  /** Somewhat before the window opens, at `openMs`: asking costs time. */
  async begin(openMs) {
    const slow = await this.#slow();
    await delay(openMs - performance.now());
    const look = () => {
      for (const [name, { residentBytes }] of Object.entries(this.#network.usage())) {
        if (residentBytes === null) continue;
        this.residentBytes[name] = Math.max(this.residentBytes[name] ?? 0, residentBytes);
      }
    };
    look();
    this.#timer = setInterval(look, SAMPLE_MS);
    this.before = { ...slow, ...this.#quick() };
  }

  async end() {
    const quick = this.#quick();
    this.stop();
    this.after = { ...quick, ...(await this.#slow()) };
  }

  stop() {
    clearInterval(this.#timer);
  }

  /** @param transactions that were committed between the two moments */
  perTransaction(transactions) {
    const { before, after } = this;
    const each = value => (transactions === 0 || value === null ? null : value / transactions);
    const between = (name, field) => {
      const from = before.usage[name]?.[field];
      const to = after.usage[name]?.[field];
      return from === null || from === undefined || to === null || to === undefined ? null : to - from;
    };
    const names = Object.keys(before.usage);
    const sum = field => {
      const parts = names.map(name => between(name, field));
      return parts.some(part => part === null) ? null : parts.reduce((a, b) => a + b, 0);
    };
    const difference = field =>
      before[field] === null || after[field] === null ? null : after[field] - before[field];
    const spentMs = sum('processorMs');
    const milli = ms => (ms === null ? null : ms * 1000);
    const ownUs = after.own.user + after.own.system - before.own.user - before.own.system;
    const viewChanges = Object.entries(after.views).map(([name, count]) => count - (before.views[name] ?? 0));
    return {
      processorUs: each(milli(spentMs)),
      processorUsByNode: Object.fromEntries(
        names.map(name => {
          return [name, each(milli(between(name, 'processorMs')))];
        }),
      ),
      mainThreadUs: each(milli(sum('mainThreadMs'))),
      loadProcessorUs: each(ownUs),
      wireBytes: each(difference('wireBytes')),
      rpcBytes: each(difference('rpcBytes')),
      keptBytes: each(difference('diskBytes')),
      writtenBytes: each(sum('writtenBytes')),
      residentBytesMax: this.residentBytes,
      blocks: after.blocks - before.blocks,
      transactionsPerBlock:
        after.blocks === before.blocks ? null : transactions / (after.blocks - before.blocks),
      viewChanges: viewChanges.length === 0 ? null : Math.max(...viewChanges),
      busy:
        spentMs === null
          ? null
          : {
              processors: spentMs / (after.atMs - before.atMs),
              load: ownUs / 1000 / (after.atMs - before.atMs),
            },
    };
  }
}
