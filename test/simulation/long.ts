import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { trimOldest } from './checker-log.ts';
import { Cluster } from './cluster.ts';
import { drawOptions, type RunOptions } from './draw.ts';
import { remembering } from './remembering.ts';

const HOUR_MS = 3_600_000;
/** Blocks, bodies and leaves that the simulated disks keep; older ones would be on a real disk, not in memory. */
const COLD_KEYS_MAX = 20_000;
/** Transactions that are remembered as submitted: far more than can still be committed. */
const SUBMITTED_MAX = 20_000;
const OPEN_MAX = 40;
/** Tried every 20 ms. */
const ACTS = 8;
const PHASES_MAX = 8;
/** Blocks after which the checker forgets what no later event can ask for. */
const TIDY_BLOCKS = 2000;
const PRINTED_TIMES = 50;
/**
 * What is used after so many blocks is compared with what was used up to there: then the nodes' caches are full, of which that
 * of transactions takes longest, and the checker and the clients forget as much as they learn.
 */
const WARM_UP_BLOCKS = 250_000;
const WARM_UP_LOOKS = 5;
/** When an idle network has come to rest. */
const IDLE_FROM_MS = 10_000;

/** What must not grow with the length of a run: the largest of all nodes since the last look. */
export interface Usage {
  /** In use after a forced collection, with what is kept outside the heap. */
  readonly heapBytes: number;
  readonly logBytes: number;
  readonly slots: number;
}

/** Bounds, as multiples of what was in use at the end of the warm-up. */
const IDLE_BOUNDS: Usage = { heapBytes: 1.05, logBytes: 1, slots: 1 };
/** Log and slots breathe with the load, and a warm-up has not seen the most that there can be. */
const BUSY_BOUNDS: Usage = { heapBytes: 1.25, logBytes: 2, slots: 2 };
const NOTHING: Usage = { heapBytes: 0, logBytes: 0, slots: 0 };
const KEYS = ['heapBytes', 'logBytes', 'slots'] as const;
const WORDS: Readonly<Record<keyof Usage, string>> = {
  heapBytes: 'bytes of heap',
  logBytes: 'bytes of log',
  slots: 'slots',
};

/** @returns what is above its bound, with the figures; null when nothing is */
export function grown(warm: Usage, now: Usage, bounds: Usage): string | null {
  const above = KEYS.filter(key => now[key] > warm[key] * bounds[key]);
  if (above.length === 0) return null;
  return above
    .map(key => {
      const most = Math.floor(warm[key] * bounds[key]);
      return `${now[key]} ${WORDS[key]}, more than ${most} (${warm[key]} after the warm-up)`;
    })
    .join('; ');
}

/** Looks at what a cluster uses. */
class Gauge {
  private readonly collect: () => void;
  private logBytes = 0;
  private slots = 0;

  constructor(private readonly cluster: Cluster) {
    setFlagsFromString('--expose-gc');
    this.collect = runInNewContext('gc') as () => void;
  }

  /** Cheap: for after every few events. */
  see(): void {
    for (const { machine, engine } of this.cluster.nodes) {
      this.logBytes = Math.max(this.logBytes, machine.disk.logBytes);
      this.slots = Math.max(this.slots, engine?.slots.size ?? 0);
    }
  }

  /** The largest since the last time, and the heap as it is now. */
  take(): Usage {
    this.see();
    const { logBytes, slots } = this;
    this.logBytes = 0;
    this.slots = 0;
    this.collect();
    const { heapUsed, external } = process.memoryUsage();
    return { heapBytes: heapUsed + external, logBytes, slots };
  }
}

function calm(validators: number): RunOptions {
  const drawn = drawOptions(1);
  return {
    ...drawn,
    validators,
    observers: 0,
    lights: 0,
    governanceMs: 0,
    pruned: true,
    byzantine: [],
    eventMs: 0,
    flushMs: [0.1, 0.5],
    parameters: {
      ...drawn.parameters,
      checkpointIntervalBlocks: 8,
      windowBlocks: 32,
      viewTimeoutMs: 1000,
      rotationBlocks: 0,
    },
  };
}

function figures({ checker, network }: Cluster, { heapBytes, logBytes, slots }: Usage): string {
  const heapMb = (heapBytes / 1e6).toFixed(1);
  return `height ${checker.chain.height}, heap ${heapMb} MB, largest log ${logBytes} bytes, slots ${slots}, frames ${network.frames}`;
}

/** Four nodes with nothing to do: nothing may be sent, and nothing may grow (SCENARIOS 4). */
export async function idleFor(hours: number, print: (line: string) => void): Promise<void> {
  const cluster = await Cluster.create(calm(4));
  const gauge = new Gauge(cluster);
  cluster.start();
  await cluster.runUntil(2000);
  for (let count = 0; count < 20; count += 1) cluster.clients.act();
  await cluster.runUntil(IDLE_FROM_MS);
  const { frames } = cluster.network;
  const warm = gauge.take();
  print(`idle from here: ${figures(cluster, warm)}`);
  for (let hour = 1; hour <= hours; hour += 1) {
    await cluster.runUntil(IDLE_FROM_MS + hour * HOUR_MS, Number.POSITIVE_INFINITY);
    if (hour % 4 !== 0 && hour !== hours) continue;
    const now = gauge.take();
    print(`${hour} h: ${figures(cluster, now)}`);
    const fault = grown(warm, now, IDLE_BOUNDS);
    if (fault !== null) throw new Error(`an idle network has grown after ${hour} h: ${fault}`);
  }
  if (cluster.network.frames !== frames)
    throw new Error(`an idle network sent ${cluster.network.frames - frames} frames`);
}

function most(one: Usage, other: Usage): Usage {
  const larger = (key: keyof Usage) => Math.max(one[key], other[key]);
  return { heapBytes: larger('heapBytes'), logBytes: larger('logBytes'), slots: larger('slots') };
}

/** Nodes that commit so many blocks: memory, log and slots stay within bounds. */
export async function blocksFor(
  blocks: number,
  validators: number,
  print: (line: string) => void,
): Promise<void> {
  remembering.isOn = true;
  const cluster = await Cluster.create(calm(validators));
  const { checker, clients, schedule, nodes } = cluster;
  const gauge = new Gauge(cluster);
  const startMs = performance.now();
  let warm = NOTHING;
  clients.phasesMax = PHASES_MAX;
  for (const { machine } of nodes) machine.disk.coldKeysMax = COLD_KEYS_MAX;
  cluster.start();
  const step = Math.max(1, Math.floor(Math.min(blocks / PRINTED_TIMES, WARM_UP_BLOCKS / WARM_UP_LOOKS)));
  let next = step;
  let tidyAt = TIDY_BLOCKS;
  while (checker.chain.height < blocks) {
    for (let count = 0; count < ACTS; count += 1) clients.actBelow(OPEN_MAX);
    await cluster.runUntil(schedule.nowMs + 20, Number.POSITIVE_INFINITY);
    gauge.see();
    if (checker.chain.height >= tidyAt) {
      tidyAt = checker.chain.height + TIDY_BLOCKS;
      checker.forgetBelow(checker.chain.height - TIDY_BLOCKS);
      trimOldest(clients.ids, SUBMITTED_MAX);
      clients.retry();
    }
    if (checker.chain.height < next) continue;
    next += step;
    const now = gauge.take();
    print(figures(cluster, now));
    const isWarm = checker.chain.height > WARM_UP_BLOCKS;
    const fault = isWarm ? grown(warm, now, BUSY_BOUNDS) : null;
    if (fault !== null) throw new Error(`a network has grown after ${checker.chain.height} blocks: ${fault}`);
    if (!isWarm) warm = most(warm, now);
  }
  const seconds = (performance.now() - startMs) / 1000;
  print(`${(checker.chain.height / seconds).toFixed(0)} blocks/s with ${validators} nodes`);
  if (blocks <= WARM_UP_BLOCKS)
    print(`too short to be judged: what is used after ${WARM_UP_BLOCKS} blocks is compared with that before`);
}
