import type { Cluster } from './cluster.ts';
import { CLEAN_LINK } from './network.ts';
import type { SimulatedNode } from './node.ts';

/** One kind of thing that goes wrong, or right again, and how likely it is beside the others. */
interface Fault {
  readonly name: string;
  readonly weight: number;
  /** Of a disk that is worn out: where disks are, it is more likely. */
  readonly isOfDisk?: true;
  readonly happen: (cluster: Cluster, node: SimulatedNode) => void;
}

function cutOff(cluster: Cluster, isOneWay: boolean): void {
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
}

export function loseDisk(cluster: Cluster, node: SimulatedNode): void {
  if (!cluster.maySpare(node)) return;
  cluster.coverage.hit(node.hasBackup ? 'disk: lost, an old one put in' : 'disk: lost, an empty one put in');
  node.loseDisk();
}

const FAULTS: readonly Fault[] = [
  { name: 'power lost', weight: 10, happen: (_, node) => (node.isUp ? node.crash(true) : node.start()) },
  { name: 'process killed', weight: 10, happen: (_, node) => (node.isUp ? node.crash(false) : node.start()) },
  {
    name: 'power lost in a flush',
    weight: 12,
    happen: (_, { machine }) => {
      machine.disk.losesPowerNext = true;
    },
  },
  {
    name: 'everything restarts',
    weight: 1,
    happen: ({ nodes }) => {
      for (const node of nodes) node.crash(true);
      for (const node of nodes) node.start();
    },
  },
  {
    name: 'nodes come back',
    weight: 20,
    happen: ({ nodes, random }) => {
      for (const node of nodes) if (random.chance(0.7)) node.start();
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
    },
  },
  { name: 'partition', weight: 6, happen: cluster => cutOff(cluster, false) },
  { name: 'one-way partition', weight: 4, happen: cluster => cutOff(cluster, true) },
  { name: 'partitions heal', weight: 15, happen: ({ network }) => network.healAll() },
  {
    name: 'bad links',
    weight: 6,
    happen: ({ network, random }) => {
      network.quality = {
        loss: random.chance(0.7) ? random.next() * 0.4 : 0,
        duplication: random.chance(0.7) ? 0.1 : 0,
        delayMsMin: 1,
        delayMsMax: random.between(5, 400),
      };
    },
  },
  {
    name: 'good links',
    weight: 6,
    happen: ({ network }) => {
      network.quality = CLEAN_LINK;
    },
  },
  {
    name: 'pause',
    weight: 5,
    happen: ({ random }, { machine }) => machine.pause(random.between(100, 10_000)),
  },
  {
    name: 'clock jump',
    weight: 4,
    happen: ({ random }, { machine }) => {
      machine.skewMs += random.between(-2000, 2000);
    },
  },
  {
    name: 'clock drift',
    weight: 2,
    happen: ({ random }, { machine }) => {
      machine.slowness = 0.7 + random.next() * 0.6;
    },
  },
  {
    name: 'clock right',
    weight: 4,
    happen: (_, { machine }) => {
      machine.skewMs = 0;
      machine.slowness = 1;
    },
  },
  {
    name: 'replay',
    weight: 4,
    happen: ({ network }) => {
      for (let count = 0; count < 20; count += 1) network.replayOld();
    },
  },
  {
    name: 'flush fails',
    weight: 2,
    isOfDisk: true,
    happen: (_, { machine }) => {
      machine.disk.failsNext = true;
    },
  },
  {
    name: 'disk full',
    weight: 2,
    isOfDisk: true,
    happen: ({ schedule, random }, node) => {
      node.machine.disk.isFull = true;
      schedule.after(random.between(100, 3000), () => {
        node.machine.disk.isFull = false;
        node.start();
      });
    },
  },
  {
    name: 'wrong read',
    weight: 3,
    isOfDisk: true,
    happen: ({ random }, { machine }) => {
      machine.disk.wrongReadIn = random.between(0, 20);
    },
  },
  {
    name: 'log read wrong',
    weight: 2,
    isOfDisk: true,
    happen: ({ schedule }, node) => {
      node.crash(false);
      node.machine.disk.flipsLog = true;
      node.start();
      schedule.after(500, () => node.start());
    },
  },
  { name: 'backup taken', weight: 1, isOfDisk: true, happen: (_, node) => node.backUp() },
  {
    name: 'disk lost',
    weight: 2,
    isOfDisk: true,
    happen: (cluster, node) => {
      // Few can be lost in a run; where blocks are pruned the settling loses one when others lack what it needs.
      const { options, random } = cluster;
      if (!options.pruned || random.chance(0.02)) loseDisk(cluster, node);
    },
  },
  {
    name: 'light node loses power',
    weight: 3,
    happen: ({ lights, random, schedule }) => {
      for (const light of lights) {
        light.crash();
        schedule.after(random.between(1, 3000), () => light.start());
      }
    },
  },
  {
    name: 'load burst',
    weight: 2,
    happen: ({ clients }) => {
      for (let count = 0; count < 30; count += 1) clients.act();
    },
  },
];

/** How much more often a worn disk fails. */
const WORN = 5;

const weightOf = ({ weight, isOfDisk }: Fault, worn: boolean) =>
  isOfDisk === true && worn ? WORN * weight : weight;

const totalOf = (worn: boolean) => FAULTS.reduce((sum, fault) => sum + weightOf(fault, worn), 0);
const TOTALS = { calm: totalOf(false), worn: totalOf(true) };

export const FAULT_NAMES = FAULTS.map(({ name }) => `fault: ${name}`);

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
  coverage.hit(`fault: ${fault.name}`);
  trace.line(`— ${fault.name} (${node.name})`);
  fault.happen(cluster, node);
}
