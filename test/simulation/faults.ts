import type { Cluster } from './cluster.ts';
import type { Machine } from './machine.ts';
import { CLEAN_LINK } from './network.ts';
import type { SimulatedNode } from './node.ts';
import { rot } from './rot.ts';

/** One kind of thing that goes wrong, or right again, and how likely it is beside the others. */
interface Fault {
  readonly name: string;
  readonly weight: number;
  /** Of a disk that is worn out: where disks are, it is more likely. */
  readonly isOfDisk?: true;
  /** Only lies in wait: what comes of it is counted where it happens (`disk: …`). */
  readonly waits?: true;
  /**
   * @param machine a node's, or a light node's
   * @returns whether it happened: there may be nothing to cut, to heal or to stop
   */
  readonly happen: (cluster: Cluster, node: SimulatedNode, machine: Machine) => boolean;
}

function cutOff(cluster: Cluster, isOneWay: boolean): boolean {
  const { random, nodes, lights, network } = cluster;
  const machines = [...nodes, ...lights].map(({ machine }) => machine);
  const inside = new Set(random.shuffled(machines).slice(0, random.between(1, nodes.length)));
  const inbound = random.chance(0.5);
  for (const a of inside)
    for (const b of machines) {
      if (inside.has(b)) continue;
      const [from, to] = [a.options.place, b.options.place];
      if (!isOneWay || !inbound) network.cut(from, to);
      if (!isOneWay || inbound) network.cut(to, from);
    }
  return inside.size < machines.length;
}

export function loseDisk(cluster: Cluster, node: SimulatedNode): boolean {
  // what mends a rotten value may be on this disk only
  const isNeeded = cluster.honest.some(({ machine }) => machine.disk.rotten.size > 0);
  if (isNeeded || !cluster.maySpare(node)) return false;
  cluster.coverage.hit(node.hasBackup ? 'disk: lost, an old one put in' : 'disk: lost, an empty one put in');
  node.loseDisk();
  return true;
}

/** What is down, starts; what is up, ends. */
function crashOrStart(node: SimulatedNode, losesPower: boolean): boolean {
  const { isUp } = node;
  if (isUp) node.crash(losesPower);
  else node.start();
  return isUp;
}

/** What needs no repair of any disk. */
const PASSING: readonly Fault[] = [
  { name: 'power lost', weight: 10, happen: (_, node) => crashOrStart(node, true) },
  { name: 'process killed', weight: 10, happen: (_, node) => crashOrStart(node, false) },
  {
    name: 'everything restarts',
    weight: 1,
    happen: ({ nodes }) => {
      for (const node of nodes) node.crash(true);
      for (const node of nodes) node.start();
      return true;
    },
  },
  {
    name: 'nodes come back',
    weight: 20,
    happen: ({ nodes, lights, random }) => {
      const down = [...nodes, ...lights].filter(({ machine }) => !machine.isOn);
      const back = down.filter(() => random.chance(0.7));
      for (const node of back) node.start();
      return back.length > 0;
    },
  },
  {
    name: 'rolling restart',
    weight: 2,
    happen: ({ nodes, random, schedule }) => {
      let delayMs = 0;
      for (const node of nodes) {
        schedule.after(delayMs, () => void node.stop().catch(error => node.failed(error)));
        schedule.after(delayMs + random.between(100, 400), () => node.start());
        delayMs += random.between(200, 800);
      }
      return nodes.some(({ isReady }) => isReady);
    },
  },
  { name: 'partition', weight: 6, happen: cluster => cutOff(cluster, false) },
  { name: 'one-way partition', weight: 4, happen: cluster => cutOff(cluster, true) },
  { name: 'partitions heal', weight: 15, happen: ({ network }) => network.healAll() },
  {
    name: 'bad links',
    weight: 6,
    happen: ({ network, random, nodes }) => {
      network.quality = {
        loss: random.chance(0.7) ? random.next() * 0.4 : 0,
        duplication: random.chance(0.7) ? 0.1 : 0,
        delayMsMin: 1,
        delayMsMax: random.between(5, 400),
      };
      return nodes.length > 1;
    },
  },
  {
    name: 'good links',
    weight: 6,
    happen: ({ network }) => {
      const wasBad = network.quality !== CLEAN_LINK;
      network.quality = CLEAN_LINK;
      return wasBad;
    },
  },
  {
    name: 'pause',
    weight: 5,
    happen: ({ random }, _, machine) => {
      machine.pause(random.between(100, 10_000));
      return machine.isOn;
    },
  },
  {
    name: 'clock jump',
    weight: 4,
    happen: ({ random }, _, machine) => {
      machine.skewMs += random.between(-2000, 2000);
      return machine.isOn;
    },
  },
  {
    name: 'clock drift',
    weight: 2,
    happen: ({ random }, _, machine) => {
      machine.slowness = 0.7 + random.next() * 0.6;
      return machine.isOn;
    },
  },
  {
    name: 'clock right',
    weight: 4,
    happen: (_, __, machine) => {
      const wasWrong = machine.skewMs !== 0 || machine.slowness !== 1;
      machine.skewMs = 0;
      machine.slowness = 1;
      return wasWrong;
    },
  },
  {
    name: 'replay',
    weight: 4,
    happen: ({ network }) => {
      let replayed = 0;
      for (let count = 0; count < 20; count += 1) replayed += network.replayOld();
      return replayed > 0;
    },
  },
  {
    name: 'light node loses power',
    weight: 3,
    happen: ({ lights, random, schedule }) => {
      const up = lights.filter(({ machine }) => machine.isOn);
      for (const light of lights) {
        light.crash();
        schedule.after(random.between(1, 3000), () => light.start());
      }
      return up.length > 0;
    },
  },
  {
    name: 'load burst',
    weight: 2,
    happen: ({ clients }) => {
      for (let count = 0; count < 30; count += 1) clients.act();
      return true;
    },
  },
];

const OF_DISKS: readonly Fault[] = [
  {
    name: 'power lost in a flush',
    weight: 12,
    waits: true,
    happen: (_, __, { disk }) => {
      disk.losesPowerNext = true;
      return false;
    },
  },
  {
    name: 'flush fails',
    weight: 2,
    isOfDisk: true,
    waits: true,
    happen: (_, __, { disk }) => {
      disk.failsNext = true;
      return false;
    },
  },
  {
    name: 'disk full',
    weight: 2,
    isOfDisk: true,
    waits: true,
    happen: ({ schedule, random, nodes, lights }, _, machine) => {
      machine.disk.isFull = true;
      schedule.after(random.between(100, 3000), () => {
        machine.disk.isFull = false;
        for (const node of [...nodes, ...lights]) if (node.machine === machine) node.start();
      });
      return false;
    },
  },
  {
    name: 'wrong read',
    weight: 3,
    isOfDisk: true,
    waits: true,
    happen: ({ random }, _, { disk }) => {
      disk.wrongReadIn = random.between(0, 20);
      return false;
    },
  },
  {
    name: 'log read wrong',
    weight: 2,
    isOfDisk: true,
    waits: true,
    happen: ({ schedule }, node) => {
      node.crash(false);
      node.machine.disk.readsLogWrong = true;
      node.start();
      schedule.after(500, () => node.start());
      return false;
    },
  },
  { name: 'value rots', weight: 1, isOfDisk: true, happen: (cluster, node) => rot(cluster, node) },
  {
    name: 'backup taken',
    weight: 1,
    isOfDisk: true,
    happen: (_, node) => {
      node.backUp();
      return true;
    },
  },
  {
    name: 'disk lost',
    weight: 2,
    isOfDisk: true,
    happen: (cluster, node) => {
      // Few can be lost in a run; where blocks are pruned the settling loses one when others lack what it needs.
      const { options, random } = cluster;
      return (!options.pruned || random.chance(0.02)) && loseDisk(cluster, node);
    },
  },
];

const FAULTS: readonly Fault[] = [...PASSING, ...OF_DISKS];

/** How much more often a worn disk fails. */
const WORN = 5;

const weightOf = ({ weight, isOfDisk }: Fault, worn: boolean) =>
  isOfDisk === true && worn ? WORN * weight : weight;

const totalOf = (worn: boolean) => FAULTS.reduce((sum, fault) => sum + weightOf(fault, worn), 0);
const TOTALS = { calm: totalOf(false), worn: totalOf(true) };

export const FAULT_NAMES = FAULTS.filter(({ waits }) => waits !== true).map(({ name }) => `fault: ${name}`);

/** One thing happens, to one node or to all. */
export function disturb(cluster: Cluster): void {
  const { random, coverage, trace } = cluster;
  const { worn } = cluster.options;
  let dice = random.next() * (worn ? TOTALS.worn : TOTALS.calm);
  const fault = FAULTS.find(entry => {
    dice -= weightOf(entry, worn);
    return dice < 0;
  }) as Fault;
  const node = random.pick(cluster.nodes);
  const { machine } = cluster.lights.length === 0 ? node : random.pick([node, ...cluster.lights]);
  trace.line(`— ${fault.name} (${node.name} or ${machine.options.name})`);
  if (fault.happen(cluster, node, machine)) coverage.hit(`fault: ${fault.name}`);
}
