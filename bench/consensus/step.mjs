// One measurement: a load of one kind against the network that runs, warmed up, with its faults.
import { setTimeout as delay } from 'node:timers/promises';
import { Load } from './load.mjs';
import { AHEAD_MS, Sampler } from './sample.mjs';

const DRAIN_MS_MAX = 10_000;
/** The load runs again for so long before the window opens, when records were made in between. */
const RAMP_MS = 1_000;
/** Records beyond those that a rate needs: what is sent while a window opens and closes. */
const SPARE = 1.05;
/** A closed loop may be faster than it was in the warm-up. */
const CLOSED_SPARE = 1.5;
/** Records of the warm-up of a closed loop, a second. */
const WARM_UP_RECORDS_PER_SECOND = 1_500;

export class Measuring {
  #context;

  /** @param context network, generator, watcher, createClient, options, say */
  constructor(context) {
    this.#context = context;
  }

  #targets() {
    const { network, options } = this.#context;
    return network.nodes.filter(node => node.alive && (options.to === 'all' || node.name === options.to));
  }

  async #make(count, signatures) {
    const { generator, watcher, network } = this.#context;
    const { rpc } = network.nodes.find(node => node.alive);
    const { head } = await rpc.call('chain_status');
    const short = count - generator.supply.left;
    if (short <= 0) return null;
    return generator.make(short, Math.max(watcher.height, head.height), signatures);
  }

  #load() {
    const { generator, watcher } = this.#context;
    const load = new Load(this.#targets(), generator.supply);
    watcher.onCommitted = (entries, atMs) => load.onCommitted(entries, atMs);
    this.#context.current = load;
    return load;
  }

  /** Transactions a second that the closed loop reached in its second half. */
  async #warmUp({ clients, rate, warmUpS, signatures }) {
    const perSecond = rate ?? Math.max(WARM_UP_RECORDS_PER_SECOND, clients / warmUpS);
    await this.#make(Math.ceil(perSecond * warmUpS * SPARE) + (clients ?? 0), signatures);
    const load = this.#load();
    const startMs = performance.now();
    const endMs = startMs + warmUpS * 1000;
    load.measure(startMs + warmUpS * 300, endMs);
    await (rate === null ? load.closed(clients, endMs) : load.open(rate, endMs));
    const seconds = (performance.now() - startMs) / 1000 - warmUpS * 0.3;
    const reached = seconds > 0 ? load.committedInWindow / seconds : 0;
    await load.drain(DRAIN_MS_MAX);
    return reached;
  }

  /**
   * @param given rate or clients (the other null), seconds, warmUpS, signatures, faults ((load, openedMs) => stop function)
   */
  async run(given) {
    const { rate, clients, seconds, signatures, profile = null, faults = () => async () => null } = given;
    const { network, watcher, generator } = this.#context;
    const reached = await this.#warmUp(given);
    generator.supply.clear();
    const ramp = RAMP_MS / 1000;
    const wanted =
      rate === null
        ? (Math.max(reached, WARM_UP_RECORDS_PER_SECOND / 3) * CLOSED_SPARE + 1) * (seconds + ramp) +
          2 * clients
        : rate * (seconds + ramp) * SPARE + 10;
    const generated = await this.#make(Math.ceil(wanted), signatures);
    const load = this.#load();
    const sampler = new Sampler(network, watcher);
    const openMs = performance.now() + RAMP_MS;
    const closeMs = openMs + seconds * 1000;
    load.measure(openMs, closeMs);
    const running = rate === null ? load.closed(clients, closeMs) : load.open(rate, closeMs);
    await delay(openMs - AHEAD_MS - performance.now());
    await sampler.begin(openMs);
    if (profile !== null) network.beginProfiles();
    const endFaults = faults(load, openMs);
    await running;
    const endMs = Math.min(closeMs, performance.now());
    load.measure(openMs, endMs);
    await sampler.end();
    if (profile !== null) await network.endProfiles(profile);
    const { committedInWindow } = load;
    await load.drain(DRAIN_MS_MAX);
    const fault = await endFaults();
    if (watcher.fault !== undefined) throw watcher.fault;
    return this.#result(given, {
      load,
      sampler,
      generated,
      committedInWindow,
      fault,
      windowS: (endMs - openMs) / 1000,
      openMs,
    });
  }

  #result({ rate, clients }, { load, sampler, generated, committedInWindow, fault, windowS, openMs }) {
    const failed = Object.values(load.failed).reduce((a, b) => a + b, 0);
    const first = Math.round((openMs - load.startMs) / 100);
    const tenths = Array.from({ length: Math.floor(windowS * 10) }, (_, at) => load.buckets[first + at] ?? 0);
    return {
      ...{ loop: rate === null ? 'closed' : 'open', rate, clients },
      seconds: windowS,
      offered: load.offered,
      accepted: load.accepted,
      committed: load.committed,
      failed,
      failedBy: load.failed,
      resent: load.resent,
      perSecond: committedInWindow / windowS,
      latency: load.latencies.summary(),
      ...sampler.perTransaction(committedInWindow),
      generated,
      tenths,
      fault,
    };
  }
}
