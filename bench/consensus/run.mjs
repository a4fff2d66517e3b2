// The course of one benchmark: ceilings, network, phase, then the measurements that were asked for.
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { pathToFileURL } from 'node:url';
import { environment } from '../files/report.mjs';
import { bars } from './bars.mjs';
import { measureCeilings } from './ceilings.mjs';
import { criticalPath } from './critical-path.mjs';
import { eventTexts } from './events.mjs';
import { faultsOf } from './faults.mjs';
import { Generator } from './generator.mjs';
import { Namespaces } from './namespaces.mjs';
import { ConsensusNetwork } from './network.mjs';
import { loadProgram } from './program.mjs';
import { curveRates } from './schedule.mjs';
import { setUp } from './setup.mjs';
import { Measuring } from './step.mjs';
import { Watcher } from './watcher.mjs';

const RESULT_VERSION = 1;
const IDLE_S = 4;
const TENTH_S = 8;
const CURVE_WARM_UP_S = 2;
/** Clients of the closed loop that finds the saturation for a curve. */
const CURVE_CLIENTS = 1_024;

export class BenchmarkFailure extends Error {
  constructor(message, stopped = false) {
    super(message);
    this.stopped = stopped;
  }
}

class Benchmark {
  #cleanUps = [];
  #context = {};

  constructor(options) {
    this.options = options;
  }

  async run() {
    const { main, dir, only, say } = this.options;
    if (!existsSync(main))
      throw new BenchmarkFailure(`there is no program at ${main}: build it with npm run build`);
    this.environment = environment();
    let ceilings = null;
    if (only.includes('ceilings')) {
      say('measuring what this machine could do at most');
      ceilings = await measureCeilings({ main, dir });
    }
    await this.#start();
    const measured = await this.#measure(ceilings);
    const { fallen } = this.#context.network;
    if (fallen.length > 0) throw new BenchmarkFailure(`${fallen.join(', ')} ended by itself`);
    return this.#result(ceilings, measured);
  }

  async #start() {
    const { main, dir, nodes, payloadBytes, eventLog, say, profile } = this.options;
    const events = eventLog === null ? null : await eventTexts(main, eventLog);
    const program = await loadProgram(main);
    const { createClient } = await import(new URL('../client/client.js', pathToFileURL(main)).href);
    const places = await this.#places();
    say(`starting ${nodes} consensus nodes in ${dir}`);
    const preload = new URL('profile.mjs', import.meta.url).href;
    const profiling = profile === null ? {} : { nodeArgs: () => ['--import', preload] };
    const network = new ConsensusNetwork(program, { main, dir, count: nodes, ...places, ...profiling });
    this.#cleanUps.push(() => network.stop());
    await network.start();
    const { phase, setup } = await setUp(program, network);
    const generator = new Generator();
    this.#cleanUps.push(() => generator.stop());
    const { genesisPath, member } = network;
    const input = { payloadBytes, events };
    await generator.start({ main, genesisPath, setup, member, phase, input }, availableParallelism());
    const watcher = new Watcher(createClient);
    this.#cleanUps.push(async () => watcher.stop());
    await watcher.follow(network.nodes.at(-1));
    this.#context = { network, generator, watcher, options: this.options };
    this.measuring = new Measuring(this.#context);
  }

  /** Loopback, or a network namespace for each node where delay, loss or a partition is wanted. */
  async #places() {
    const { delayMs, loss, partition, nodes } = this.options;
    if (delayMs === 0 && loss === 0 && partition === null) return {};
    const namespaces = new Namespaces(nodes, { delayMs, loss });
    this.#cleanUps.push(() => namespaces.remove());
    const fault = namespaces.create();
    if (fault !== null) throw new BenchmarkFailure(fault);
    this.namespaces = namespaces;
    return { places: namespaces.places };
  }

  async #step(what, given) {
    const { say, signatures, warmUpS } = this.options;
    say(what);
    const step = await this.measuring.run({ signatures, warmUpS, rate: null, clients: null, ...given });
    const { p50Ms, p99Ms } = step.latency ?? {};
    const latency = p50Ms === undefined ? '' : `, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`;
    say(`  ${step.perSecond.toFixed(0)} committed/s${latency}`);
    return step;
  }

  async #measure() {
    const { only, curve, seconds, rate, clients, deadReplica, repeat } = this.options;
    const measured = { idle: null, load: null, last: null, tenth: null, dead: null, curve: null };
    if (curve !== null) {
      measured.curve = await this.#curve();
      measured.idle = await this.#idle();
      return measured;
    }
    if (only.includes('load')) {
      const kind = rate === null ? `${clients} clients` : `${rate} transactions a second`;
      const faults = faultsOf(this.options, { ...this.#context, namespaces: this.namespaces });
      measured.load = await this.#step(`${kind}, ${seconds} s`, {
        ...{ rate, clients, seconds, faults },
        profile: this.options.profile,
      });
    }
    if (measured.load !== null && repeat > 1) {
      measured.last = await this.#again(measured.load, { rate, clients, seconds });
    }
    if (only.includes('tenth') && measured.load !== null && rate === null) {
      const tenth = Math.max(1, Math.round(measured.load.perSecond / 10));
      measured.tenth = await this.#step(`${tenth} transactions a second, a tenth of that`, {
        rate: tenth,
        seconds: TENTH_S,
      });
    }
    // last: a node that has been at work for a while is what a quiet network has
    measured.idle = await this.#idle();
    if (deadReplica) measured.dead = await this.#withDeadReplica({ rate, clients, seconds });
    return measured;
  }

  /** The same load until it has been measured as often as was asked for; records are made in between. */
  async #again(first, given) {
    const { repeat } = this.options;
    let committed = first.committed;
    let step = first;
    for (let round = 2; round <= repeat; round += 1) {
      step = await this.#step(`the same, ${round} of ${repeat}, after ${committed} records`, given);
      committed += step.committed;
    }
    return { ...step, committedBefore: committed - step.committed };
  }

  async #idle() {
    if (!this.options.only.includes('idle')) return null;
    const what = 'one transaction at a time in an idle network';
    return this.#step(what, { clients: 1, seconds: IDLE_S });
  }

  async #withDeadReplica(given) {
    const { network, watcher } = this.#context;
    const leader = await network.leader();
    const victim = network.nodes.find(node => node !== leader && node !== watcher.node);
    await network.kill(victim);
    return this.#step(`the same without ${victim.name}`, given);
  }

  async #curve() {
    const { curve, seconds, warmUpS } = this.options;
    let rates = curve;
    let saturation = null;
    if (curve === 'auto') {
      saturation = await this.#step(`saturation: ${CURVE_CLIENTS} clients`, {
        clients: CURVE_CLIENTS,
        seconds,
      });
      rates = curveRates(saturation.perSecond);
    }
    const points = [];
    for (const rate of rates) {
      points.push(
        await this.#step(`${rate} transactions a second`, {
          rate,
          seconds,
          warmUpS: Math.min(warmUpS, CURVE_WARM_UP_S),
        }),
      );
    }
    return { saturation, points };
  }

  #result(ceilings, measured) {
    const { nodes, payloadBytes, signatures, rate, clients, seconds, warmUpS, to, eventLog } = this.options;
    const { killLeaderAtS, slow, partition, delayMs, loss, deadReplica } = this.options;
    const result = {
      ...{ kind: 'consensus', version: RESULT_VERSION, environment: this.environment },
      parameters: {
        ...{
          nodes,
          payloadBytes: eventLog === null ? payloadBytes : null,
          eventLog: eventLog !== null,
          signatures,
        },
        ...{ rate, clients, seconds, warmUpS, to, repeat: this.options.repeat },
        ...{ killLeaderAtS, slow, partition, delayMs, loss, deadReplica },
      },
      ceilings,
      criticalPath: ceilings === null ? null : criticalPath(ceilings, nodes, delayMs),
      ...measured,
    };
    return { ...result, bars: bars(result) };
  }

  async cleanUp() {
    this.#context.current?.stop();
    for (const cleanUp of this.#cleanUps.splice(0).reverse()) await cleanUp().catch(() => {});
  }
}

/** @returns the result's promise, and what stops the run: every process ends, then the promise rejects */
export function runBenchmark(options) {
  const benchmark = new Benchmark(options);
  let abort;
  const aborted = new Promise((_, reject) => {
    abort = () => reject(new BenchmarkFailure('stopped', true));
  });
  const result = Promise.race([benchmark.run(), aborted]).finally(() => benchmark.cleanUp());
  return { result, abort };
}
