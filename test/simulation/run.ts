import type { TransactionId } from '../../src/core/base/ids.ts';
import { faultsOf } from './checker-certificate.ts';
import { LedgerModel } from './checker-flow.ts';
import { StarvingRules } from './checker-starving.ts';
import { Cluster, promisesSettled } from './cluster.ts';
import { collude, isConspiracy } from './collusion.ts';
import type { RunOptions } from './draw.ts';
import { disturb, loseDisk } from './faults.ts';
import { Minority } from './minority.ts';
import type { SimulatedNode } from './node.ts';
import { adoptRejections } from './rejections.ts';
import { remembering } from './remembering.ts';
import { settleRot } from './rot.ts';
import { LightWatch, settleLights } from './settle-light.ts';

export interface RunReport {
  readonly seed: number;
  readonly options: RunOptions;
  readonly height: number;
  readonly transactions: number;
  readonly sets: number;
  readonly frames: number;
  readonly steps: number;
  /** Simulated milliseconds. */
  readonly elapsedMs: number;
  /** Of everything that happened, in order. */
  readonly traceHash: string;
  readonly coverage: readonly (readonly [string, number])[];
}

/** After healing, everything must be over within this much simulated time. */
const SETTLE_MS = 120_000;
const IDLE_MS = 30_000;
/** In one of so many seeds nodes share no work (`shared-work.ts`). */
const OWN_WORK_SEEDS = 8;
/** Calls `work` again and again at random times until `untilMs`. */
function repeat(cluster: Cluster, everyMs: number, isOver: () => boolean, work: () => void): void {
  const { schedule, random } = cluster;
  schedule.after(1 + random.next() * everyMs, () => {
    if (isOver()) return;
    work();
    repeat(cluster, everyMs, isOver, work);
  });
}

/** Loss, crashes, partitions and pauses for a while, at random, with load; most of the blocks may come of it. */
async function faults(cluster: Cluster, options: RunOptions): Promise<void> {
  const { faultsMs, calmMs, loadMs, openMax, blocks, governanceMs } = options;
  const { schedule, checker, clients, governors } = cluster;
  const isOver = () => schedule.nowMs >= faultsMs || checker.chain.height >= 0.8 * blocks;
  repeat(cluster, loadMs, isOver, () => clients.actBelow(openMax));
  repeat(cluster, 3000, isOver, () => clients.retry());
  repeat(cluster, calmMs, isOver, () => disturb(cluster));
  if (governanceMs > 0) repeat(cluster, governanceMs, isOver, () => governors.act());
  const watch = new LightWatch(cluster);
  while (!isOver()) {
    await cluster.runUntil(Math.min(faultsMs, schedule.nowMs + 250));
    watch.look();
  }
}

/** Everything submitted is over on every honest node that is up, and they are at one height. */
function isSettled(cluster: Cluster, out: Minority): boolean {
  const set = [...cluster.checker.chain.sets.values()].at(-1);
  const names = new Set(set?.validators.map(({ name }) => name));
  const up = cluster.honest.filter(node => node.isUp && names.has(node.name) && !out.has(node));
  const height = Math.max(...up.map(node => node.height));
  return up.every(
    node => node.isReady && node.height === height && cluster.clients.unfinished(node).length === 0,
  );
}

/** What is submitted and not known to be over, each with its last valid height. */
function* waitingFor({ clients }: Cluster): Iterable<readonly [TransactionId, number]> {
  for (const [id, { transaction }] of clients.open) yield [id, transaction.body.lastValidHeight];
}

/** Blocks within which one that nothing stands in the way of is committed. */
const PATIENCE_BLOCKS = 30;
/** Views of a supervised primary; it is left after four timeouts. */
const PATIENCE_TIMEOUTS = 8;

/**
 * Members have their turns: for each that waits ahead, of its own member or of others, there is room in every block. A faulty primary may
 * leave out what it likes until the others notice; where blocks are full they notice only that a member has no turn at all, unless
 * the primary changes by itself.
 */
function starvingRules({ checker, faulty }: Cluster, options: RunOptions): StarvingRules {
  const { blockTransactionsMax, memberTransactionsPerBlockMax, rotationBlocks, viewTimeoutMs } =
    options.parameters;
  const room = Math.min(blockTransactionsMax, memberTransactionsPerBlockMax);
  const turns = faulty.size === 0 ? 1 : options.validators;
  const isSupervised = rotationBlocks > 0 || 2 * options.openMax < blockTransactionsMax;
  const patience = {
    blocks:
      faulty.size > 0 && !isSupervised
        ? Number.POSITIVE_INFINITY
        : turns * (PATIENCE_BLOCKS + rotationBlocks),
    blocksEach: (2 * turns) / room,
    ms: faulty.size === 0 ? 0 : (1 + faulty.size) * PATIENCE_TIMEOUTS * viewTimeoutMs,
  };
  return new StarvingRules(
    patience,
    id => checker.chain.isExecuted(id),
    what => checker.fail(what),
  );
}

/** Share of a run after which whoever loses its disk lacks what the others have pruned. */
const LATE = 0.6;

/**
 * A fixed core of at least a quorum comes back; with the faulty ones, up to f others stay out for good.
 *
 * @returns the ones that stay out
 */
async function settle(cluster: Cluster, options: RunOptions): Promise<Minority> {
  const { blocks, openMax, governanceMs, sizes } = options;
  const { schedule, checker, honest, random } = cluster;
  const set = [...checker.chain.sets.values()].at(-1)?.validators ?? [];
  // A proposal under way may take two away.
  const least = set.length - (governanceMs > 0 ? 2 : 0);
  const spare = least < 1 ? 0 : Math.max(0, faultsOf(least) - cluster.unable(set).length);
  const isAble = ({ name }: SimulatedNode) => !cluster.unable(set).some(entry => entry.name === name);
  const isNeeded = (node: SimulatedNode) => (node.isArchive && cluster.lights.length > 0) || !isAble(node);
  const isIn = ({ name }: SimulatedNode) => set.some(validator => validator.name === name);
  const mayStayDown = honest.filter(node => isIn(node) && !isNeeded(node));
  let losesDisk = options.worn && options.pruned;
  // Who loses its disk has lost its votes with it, and a set that is brought to fewer has nobody to spare.
  const down =
    losesDisk || sizes !== undefined
      ? []
      : random
          .shuffled(mayStayDown)
          .slice(0, random.chance(0.2) ? 0 : random.between(Math.min(1, spare), spare));
  cluster.heal();
  // a program that is ended in the turn in which it was started would go on in the next one's life
  await promisesSettled();
  const out = new Minority(cluster);
  out.leave(down);
  const starving = starvingRules(cluster, options);
  const watch = new LightWatch(cluster);
  const core = honest.filter(node => isIn(node) && !out.has(node) && isAble(node));
  let isLoaded = true;
  repeat(
    cluster,
    8,
    () => !isLoaded,
    () => cluster.clients.actBelow(openMax),
  );
  let lastMs = schedule.nowMs;
  let height = checker.chain.height;
  while (isLoaded || !isSettled(cluster, out)) {
    if (isLoaded && checker.chain.height >= blocks) isLoaded = false;
    if (losesDisk && checker.chain.height >= blocks * LATE) {
      losesDisk = false;
      for (const node of honest.filter(({ isArchive }) => !isArchive)) loseDisk(cluster, node);
    }
    if (checker.chain.height > height) {
      height = checker.chain.height;
      lastMs = schedule.nowMs;
    }
    if (schedule.nowMs > lastMs + SETTLE_MS) {
      const open = honest.map(node => cluster.clients.unfinished(node).length).join(', ');
      checker.fail(
        `no progress after healing; unfinished ${open}\n${cluster.nodes.map(node => node.describe()).join('\n')}`,
      );
    }
    watch.look();
    starving.look({ height, ms: schedule.nowMs }, waitingFor(cluster), core);
    if (random.chance(isLoaded ? 0.05 : 0.2)) cluster.clients.retry();
    // Whoever looks after a machine starts a program again that ended of what its disk did before.
    for (const node of honest) if (!out.has(node)) node.start();
    await cluster.runUntil(schedule.nowMs + (isLoaded ? 50 : 200));
  }
  return out;
}

/**
 * An idle network sends nothing and changes no view (SCENARIOS 4); only honest nodes that hear each other can be held to
 * that. One that was removed and not told looks on for those that it knows, and others that were removed answer it.
 */
async function idle(cluster: Cluster, out: Minority): Promise<void> {
  if (cluster.faulty.size > 0 || !out.isSilent) return;
  const { schedule, network, checker, honest } = cluster;
  await cluster.runUntil(schedule.nowMs + IDLE_MS);
  const before = new Map(network.framesFrom);
  await cluster.runUntil(schedule.nowMs + IDLE_MS);
  if (honest.some(node => node.height < checker.chain.height)) return;
  const sent = [...network.framesFrom]
    .filter(([place, frames]) => frames !== before.get(place))
    .map(([place, frames]) => `${frames - (before.get(place) ?? 0)} by place ${place}`);
  if (sent.length === 0) return;
  const nodes = honest.map(node => node.describe()).join('\n');
  checker.fail(`idle, and frames were sent: ${sent.join(', ')}\n${nodes}`);
}

/** What was accepted adds up to the state that the nodes have. */
function checkLedger({ checker: { chain }, honest, coverage }: Cluster): void {
  const history = chain.history ?? [];
  // A transaction is missing where its body was nowhere to be read when its block was stored.
  if (history.length !== chain.transactions) return;
  const model = new LedgerModel(history);
  for (const [kind, times] of model.accepted) coverage.hit(`accepted: ${kind}`, times);
  const node = honest.find(({ height, isReady }) => isReady && height === chain.height);
  if (node?.program != null) model.compare(node.program.store.state, node.name);
}

/** Agreement may break here, and the run ends with it. */
async function underCollusion(cluster: Cluster, { loadMs, openMax }: RunOptions): Promise<void> {
  repeat(
    cluster,
    loadMs,
    () => false,
    () => cluster.clients.actBelow(openMax),
  );
  await collude(cluster);
}

/** One run with these options. Throws what was broken, with the options and the last events. */
export async function runWith(options: RunOptions): Promise<RunReport> {
  remembering.isOn = options.seed % OWN_WORK_SEEDS !== 0;
  const cluster = await Cluster.create(options);
  const { checker, network, schedule } = cluster;
  const release = adoptRejections(error => cluster.broken(error));
  try {
    cluster.start();
    checker.chain.history = [];
    if (isConspiracy(options)) await underCollusion(cluster, options);
    else {
      await faults(cluster, options);
      const out = await settle(cluster, options);
      await settleRot(cluster, out);
      checkLedger(cluster);
      await settleLights(cluster);
      await idle(cluster, out);
    }
  } catch (error) {
    const { message, stack } = error as Error;
    throw new Error(
      `seed ${options.seed}: ${message}\n${JSON.stringify(options)}\n${cluster.trace.recent}\n${stack}`,
      {
        cause: error,
      },
    );
  } finally {
    release();
  }
  return {
    seed: options.seed,
    options,
    height: checker.chain.height,
    transactions: checker.chain.transactions,
    sets: checker.chain.sets.size,
    frames: network.frames,
    steps: cluster.steps,
    elapsedMs: schedule.nowMs,
    traceHash: cluster.trace.digest(),
    coverage: cluster.coverage.sorted(),
  };
}
