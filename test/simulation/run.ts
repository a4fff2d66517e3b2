import { faultsTolerated } from '../../src/core/quorum/quorum.ts';
import { Cluster, type ClusterOptions } from './cluster.ts';
import { CLEAN_LINK } from './network.ts';
import type { SimulatedNode } from './node.ts';
import { Random } from './random.ts';

export interface RunReport {
  readonly seed: number;
  readonly height: number;
  readonly viewsMax: number;
  readonly sets: number;
  readonly messages: number;
  readonly steps: number;
}

const SIZES = [4, 4, 4, 4, 5, 7, 7, 10, 1, 2, 3, 6];
const BEHAVIOURS = ['equivocator', 'voteDropper', 'amnesiac', 'capricious'] as const;
/** After healing, everything must be committed within this much simulated time. */
const SETTLE_MS = 120_000;
const IDLE_MS = 30_000;
const RUN_MS = 15_000;

function optionsOf(seed: number, random: Random): ClusterOptions {
  const validators = random.pick(SIZES);
  const faulty = random.between(0, faultsTolerated(validators));
  return {
    seed,
    validators,
    observers: random.chance(0.3) ? random.between(1, 3) : 0,
    byzantine: Array.from({ length: faulty }, () => random.pick(BEHAVIOURS)),
    parameters: {
      checkpointIntervalBlocks: random.pick([1, 2, 4, 10]),
      windowBlocks: random.pick([1, 2, 4, 8, 16]),
      viewTimeoutMs: random.pick([200, 500]),
      viewTimeoutMsMax: 4000,
      rotationBlocks: 0,
    },
  };
}

/** One thing that goes wrong, or right again. */
function disturb(cluster: Cluster, random: Random): void {
  const node = random.pick(cluster.nodes);
  const dice = random.next();
  if (dice < 0.3) {
    if (node.isUp) node.crash();
    else cluster.restart(node);
  } else if (dice < 0.5) {
    for (const other of cluster.nodes) if (!other.isUp && random.chance(0.7)) cluster.restart(other);
  } else if (dice < 0.6) {
    const cut = random.shuffled(cluster.nodes).slice(0, random.between(1, cluster.nodes.length));
    const oneWay = random.chance(0.3);
    for (const a of cut)
      for (const b of cluster.nodes)
        if (!cut.includes(b)) {
          cluster.network.block(a.identity.index, b.identity.index);
          if (!oneWay) cluster.network.block(b.identity.index, a.identity.index);
        }
  } else if (dice < 0.75) {
    cluster.network.unblockAll();
    for (const other of cluster.nodes) cluster.connect(other);
  } else if (dice < 0.85) {
    cluster.network.quality = random.chance(0.4)
      ? CLEAN_LINK
      : { loss: random.next() * 0.4, duplication: 0.1, delayMsMin: 1, delayMsMax: random.between(5, 400) };
  } else if (dice < 0.9) node.pausedUntilMs = cluster.schedule.nowMs + random.between(100, 10_000);
  else if (dice < 0.94) node.clockSkewMs = random.between(-500, 500);
  else if (dice < 0.97) for (let count = 0; count < 20; count += 1) cluster.network.replayOld();
  else node.complain();
}

/** Loss, crashes, partitions and pauses for a while, at random. */
function faults(cluster: Cluster, random: Random, durationMs: number, changesSet: boolean): void {
  const { schedule } = cluster;
  const calm = random.between(50, 2000);
  const next = (run: () => void, everyMs: number): void => {
    if (schedule.nowMs >= durationMs) return;
    schedule.after(random.between(1, everyMs), () => {
      if (schedule.nowMs >= durationMs) return;
      run();
      next(run, everyMs);
    });
  };
  next(() => cluster.submit(), random.pick([20, 100, 400]));
  next(() => disturb(cluster, random), calm);
  next(() => cluster.resubmit(), 3000);
  if (changesSet) next(() => cluster.submitSetChange(), 6000);
  cluster.runUntil(durationMs);
}

/** What one needs to see of a node that is stuck. */
function describeNode({ disk, identity, engine }: SimulatedNode): string {
  if (engine === null) return `${identity.name} down at ${disk.height}`;
  const slots = [...engine.slots.values()].map(
    slot =>
      `${slot.height}:${slot.execution}${slot.proposed ? '+proposed' : ''}${slot.accepted ? '+accepted' : ''}` +
      `${slot.preparedHere ? '+prepared' : ''}${slot.decided ? '+decided' : ''} ${slot.prepares.size}/${slot.commits.size}`,
  );
  return (
    `${identity.name} height ${disk.height}/${engine.head.header.height} stable ${engine.stableHeight} ` +
    `set ${engine.reign.set.id} seat ${engine.seat?.index} view ${engine.view} ${engine.active ? 'active' : 'waiting'} ` +
    `pool ${engine.waiting}/${engine.buildable} build ${engine.build?.height} tickets ${engine.tickets.length} ` +
    `committed ${disk.committedIds.size} slots [${slots.join(', ')}]`
  );
}

/** A fixed core of at least a quorum comes back; with the faulty ones, up to f others stay down for good. */
function settle(cluster: Cluster, random: Random, mayStayDown: boolean): void {
  const { schedule, checker, options, honest, faulty } = cluster;
  const spare = faultsTolerated(options.validators) - faulty.size;
  const validators = honest.filter(({ identity }) => identity.index < options.validators);
  cluster.heal(new Set(mayStayDown ? random.shuffled(validators).slice(0, random.between(0, spare)) : []));
  const healedMs = schedule.nowMs;
  while (!cluster.isSettled) {
    if (schedule.nowMs > healedMs + SETTLE_MS) {
      const missing = cluster.honest.map(describeNode);
      checker.fail(`not settled: ${cluster.submitted.size} submitted\n${missing.join('\n')}`);
    }
    if (random.chance(0.2)) cluster.resubmit();
    cluster.runUntil(schedule.nowMs + 500);
  }
}

/** An idle network sends nothing and changes no view (SCENARIOS 4); only honest nodes can be held to that. */
function idle(cluster: Cluster): void {
  if (cluster.faulty.size > 0) return;
  const { schedule, network, checker } = cluster;
  cluster.runUntil(schedule.nowMs + IDLE_MS);
  const sent = network.sent;
  cluster.runUntil(schedule.nowMs + IDLE_MS);
  if (network.sent === sent) return;
  const nodes = cluster.honest.map(describeNode).join('\n');
  checker.fail(`idle, and ${network.sent - sent} messages were sent\n${nodes}`);
}

/** One random run. Throws what was broken, with the seed and the last events. */
export function runSeed(seed: number, durationMs = RUN_MS): RunReport {
  const random = new Random(seed ^ 0x5eed);
  const cluster = new Cluster(optionsOf(seed, random));
  try {
    cluster.start();
    const changesSet = random.chance(0.4);
    faults(cluster, random, durationMs, changesSet);
    settle(cluster, random, !changesSet);
    idle(cluster);
  } catch (error) {
    const { message, stack } = error as Error;
    const options = JSON.stringify(cluster.options);
    throw new Error(`seed ${seed}: ${message}\n${options}\n${cluster.recent}\n${stack}`, { cause: error });
  }
  const { checker, network, steps } = cluster;
  const sets = Math.max(...cluster.honest.map(({ disk }) => disk.head.reign.set.id));
  return {
    seed,
    height: checker.agreed.size,
    viewsMax: checker.viewsMax,
    sets,
    messages: network.sent,
    steps,
  };
}

/** Many seeds, one after the other; stops at the first that fails. */
export function runSeeds(first: number, count: number, durationMs?: number): RunReport[] {
  return Array.from({ length: count }, (_, index) => runSeed(first + index, durationMs));
}
