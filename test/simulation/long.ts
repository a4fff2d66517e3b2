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

function figures(cluster: Cluster): string {
  const heapMb = Math.round(process.memoryUsage().heapUsed / 1e6);
  const logBytes = Math.max(...cluster.nodes.map(({ machine }) => machine.disk.logBytes));
  const slots = Math.max(...cluster.nodes.map(({ engine }) => engine?.slots.size ?? 0));
  return `height ${cluster.checker.chain.height}, heap ${heapMb} MB, largest log ${logBytes} bytes, slots ${slots}, frames ${cluster.network.frames}`;
}

/** Four nodes with nothing to do: nothing may be sent, and nothing may grow (SCENARIOS 4). */
export async function idleFor(hours: number, print: (line: string) => void): Promise<void> {
  const cluster = await Cluster.create(calm(4));
  cluster.start();
  await cluster.runUntil(2000);
  for (let count = 0; count < 20; count += 1) cluster.clients.act();
  await cluster.runUntil(10_000);
  const { frames } = cluster.network;
  print(`idle from here: ${figures(cluster)}`);
  for (let hour = 1; hour <= hours; hour += 1) {
    await cluster.runUntil(10_000 + hour * HOUR_MS, Number.POSITIVE_INFINITY);
    if (hour % 4 === 0 || hour === hours) print(`${hour} h: ${figures(cluster)}`);
  }
  if (cluster.network.frames !== frames)
    throw new Error(`an idle network sent ${cluster.network.frames - frames} frames`);
}

/** Nodes that commit so many blocks: memory and log stay within bounds. */
export async function blocksFor(
  blocks: number,
  validators: number,
  print: (line: string) => void,
): Promise<void> {
  remembering.isOn = true;
  const cluster = await Cluster.create(calm(validators));
  const { checker, clients, schedule, nodes } = cluster;
  clients.phasesMax = PHASES_MAX;
  for (const { machine } of nodes) machine.disk.coldKeysMax = COLD_KEYS_MAX;
  cluster.start();
  const step = Math.max(1, Math.floor(blocks / PRINTED_TIMES));
  let next = step;
  let tidyAt = TIDY_BLOCKS;
  let logBytesMax = 0;
  while (checker.chain.height < blocks) {
    for (let count = 0; count < ACTS; count += 1) clients.actBelow(OPEN_MAX);
    await cluster.runUntil(schedule.nowMs + 20, Number.POSITIVE_INFINITY);
    logBytesMax = Math.max(logBytesMax, ...nodes.map(({ machine }) => machine.disk.logBytes));
    if (checker.chain.height >= tidyAt) {
      tidyAt = checker.chain.height + TIDY_BLOCKS;
      checker.forgetBelow(checker.chain.height - TIDY_BLOCKS);
      trimOldest(clients.ids, SUBMITTED_MAX);
      clients.retry();
    }
    if (checker.chain.height < next) continue;
    next += step;
    print(`${figures(cluster)}, log at most ${logBytesMax} bytes`);
  }
}
