// One run: a consortium of a size on a network, under one load; what it commits, how fast, and what was busy meanwhile.
import { Consortium } from './consortium.mjs';
import { Disk } from './disk.mjs';
import { EventQueue } from './event-queue.mjs';
import { ModelLoad } from './load.mjs';
import { Machine } from './machine.mjs';
import { Network } from './network.mjs';
import { ModelNode } from './node.mjs';

/** Nothing commits any more: a run is not waited for longer than this. */
const SIMULATED_US_MAX = 20e6;

export function percentile(values, part) {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

/** Nodes on machines of their own, or all of them and the clients on one. */
function machinesOf(queue, prices, { nodes, machine }) {
  if (machine.shared) {
    const one = new Machine(queue, machine.cores);
    const disk = new Disk(queue, prices);
    const places = Array.from({ length: nodes }, () => ({ machine: one, disk }));
    return { places, client: one, all: [one] };
  }
  const places = Array.from({ length: nodes }, () => ({
    machine: new Machine(queue, machine.cores),
    disk: new Disk(queue, prices),
  }));
  const client = new Machine(queue, Number.POSITIVE_INFINITY);
  return { places, client, all: places.map(place => place.machine) };
}

function build(core, prices, options) {
  const { nodes, network, signatures = 'each', seed = 1 } = options;
  const queue = new EventQueue();
  const { places, client, all } = machinesOf(queue, prices, options);
  const world = {
    ...{ core, prices, queue, signatures, nodes: [], clientDelayUs: network.delayUs },
    network: new Network(queue, network, nodes, seed),
    consortium: new Consortium(core, nodes),
  };
  for (const [index, place] of places.entries())
    world.nodes.push(new ModelNode(index, world, place.machine, place.disk));
  const load = new ModelLoad(world, client);
  const watched = world.nodes.at(-1);
  world.onCommitted = (node, groups) => {
    if (node === watched) queue.after(world.clientDelayUs, () => load.onCommitted(groups));
  };
  return { world, load, machines: all, places };
}

function look({ world, machines, places }) {
  const { nodes, network, queue } = world;
  return {
    atUs: queue.nowUs,
    spent: nodes.map(node => ({ ...node.spent })),
    main: nodes.map(node => node.main.busyUs),
    store: nodes.map(node => node.store.busyUs),
    log: nodes.map(node => node.log.busyUs),
    machine: machines.map(machine => machine.busyUs),
    disk: places.map(place => place.disk.busyUs),
    sent: [...network.sentBytes],
    views: Math.max(...nodes.map(node => node.views)),
  };
}

const less = (after, before) => after.map((value, index) => value - before[index]);

function spentBetween(after, before) {
  return after.map((spent, index) =>
    Object.fromEntries(Object.entries(spent).map(([what, us]) => [what, us - (before[index][what] ?? 0)])),
  );
}

const sum = values => values.reduce((a, b) => a + b, 0);

function resultOf({ options, load, machines }, before, after) {
  const us = after.atUs - before.atUs;
  const { committedInWindow: committed, blocksInWindow: blocks } = load;
  const spent = spentBetween(after.spent, before.spent);
  const part = name => less(after[name], before[name]).map(busy => busy / us);
  return {
    nodes: options.nodes,
    seconds: us / 1e6,
    perSecond: (committed * 1e6) / us,
    blocks,
    transactionsPerBlock: blocks === 0 ? null : committed / blocks,
    p50Ms: load.latenciesUs.length === 0 ? null : percentile(load.latenciesUs, 0.5) / 1000,
    p99Ms: load.latenciesUs.length === 0 ? null : percentile(load.latenciesUs, 0.99) / 1000,
    processorUs: sum(spent.flatMap(Object.values)) / committed,
    wireBytes: sum(less(after.sent, before.sent)) / committed,
    callsPerPost: load.callsPerPost,
    viewChanges: after.views - before.views,
    spent,
    busy: {
      ...{ eventLoop: part('main'), store: part('store'), log: part('log'), disk: part('disk') },
      machine: machines.map((machine, index) => part('machine')[index] / machine.cores),
      wire: less(after.sent, before.sent).map(bytes => (bytes * 1e6) / us / options.network.bytesPerSecond),
    },
  };
}

/**
 * @param core of `loadCore`
 * @param prices name → number
 * @param options nodes, network (delayUs, jitter, bytesPerSecond), machine (shared, cores), signatures ('each' or 'batch'),
 * rate or clients, warmUpBlocks, blocks and secondsMin (of simulated time) that are measured, seed
 */
export function simulate(core, prices, options) {
  const model = { ...build(core, prices, options), options };
  const { world, load } = model;
  const { queue } = world;
  for (const node of world.nodes) node.start();
  if (options.rate === undefined) load.closed(options.clients);
  else load.open(options.rate);
  const { warmUpBlocks, blocks, secondsMin } = options;
  const runUntil = isDone => {
    while (!isDone() && queue.nowUs < SIMULATED_US_MAX && queue.next());
  };
  runUntil(() => load.blocks >= warmUpBlocks && queue.nowUs >= (secondsMin * 1e6) / 2);
  const before = look(model);
  load.measure();
  const endUs = queue.nowUs + secondsMin * 1e6;
  runUntil(() => load.blocksInWindow >= blocks && queue.nowUs >= endUs);
  return resultOf(model, before, look(model));
}
