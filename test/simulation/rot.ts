import type { LogId, TransactionId } from '../../src/core/base/ids.ts';
import { OperatingError } from '../../src/ports/lifecycle.ts';
import { decodeLocation } from '../../src/store/chain-records.ts';
import { LEAF_HASHES_PER_PAGE } from '../../src/store/keyspaces.ts';
import type { Cluster } from './cluster.ts';
import type { Minority } from './minority.ts';
import type { SimulatedNode } from './node.ts';

/** What a node fetches from its peers when it reads it damaged (docs/PROTOCOL.md, repair): blocks below the head and what is theirs. */
function repaired({ height, machine }: SimulatedNode): string[] {
  const keys: string[] = [];
  for (const [key, value] of machine.disk.values) {
    const [room, first] = key.split('/', 2);
    if (room === 'leaf' || room === 'hashes' || (room === 'block' && Number(first) < height)) keys.push(key);
    if (room !== 'at') continue;
    const at = decodeLocation(key, value);
    const body = `tx/${at.wrapperHash}`;
    if (at.height < height && machine.disk.values.has(body)) keys.push(body);
  }
  return keys;
}

/** After healing, what has rotted is whole again within this much simulated time. */
const REPAIR_MS = 60_000;

/**
 * One stored value of the node is damaged for good that another honest one has too, and keeps.
 *
 * @returns whether there was any
 */
export function rot({ honest, random, coverage }: Cluster, node: SimulatedNode): boolean {
  const isElsewhere = honest.some(
    ({ machine: { disk } }) => disk !== node.machine.disk && disk.rotten.size > 0,
  );
  const keepers = honest.filter(other => other !== node && other.isArchive);
  if (!node.isHonest || isElsewhere) return false;
  const keys = repaired(node).filter(key => keepers.some(({ machine }) => machine.disk.values.has(key)));
  if (keys.length === 0) return false;
  const key = random.pick(keys);
  node.machine.disk.rotten.add(key);
  coverage.hit(`disk: rot in ${key.slice(0, key.indexOf('/'))}`);
  return true;
}

/** Reads the value as anybody would who asks the node for it. */
function read({ program, machine }: SimulatedNode, key: string): void {
  const store = program?.store;
  const [room, first = '', second] = key.split('/');
  if (room === 'block') store?.block(Number(first));
  if (room === 'leaf') store?.leaves(first as LogId, Number(second), Number(second) + 1, 1);
  if (room === 'hashes') {
    const from = Number(second) * LEAF_HASHES_PER_PAGE;
    store?.leafHashes(first as LogId, from, from + 1);
  }
  if (room !== 'tx') return;
  for (const [at, value] of machine.disk.values)
    if (at.startsWith('at/') && decodeLocation(at, value).wrapperHash === first)
      store?.transaction(at.slice('at/'.length) as TransactionId);
}

/** Whatever is read damaged comes back from a peer that has it (SCENARIOS 68). */
export async function settleRot(cluster: Cluster, out: Minority): Promise<void> {
  const { schedule, checker } = cluster;
  const set = [...checker.chain.sets.values()].at(-1)?.validators ?? [];
  // One that was removed and not told reaches nobody.
  const isIn = ({ name }: SimulatedNode) => set.some(validator => validator.name === name);
  const honest = cluster.honest.filter(node => isIn(node) && !out.has(node));
  const isHeld = (key: string) =>
    honest.some(({ machine: { disk } }) => disk.values.has(key) && !disk.rotten.has(key));
  const damaged = () =>
    honest.flatMap(node => [...node.machine.disk.rotten].filter(isHeld).map(key => ({ node, key })));
  // What is in memory would not be read.
  for (const node of new Set(damaged().map(({ node }) => node))) node.crash(false);
  const untilMs = schedule.nowMs + REPAIR_MS;
  for (let left = damaged(); left.length > 0; left = damaged()) {
    const names = left.map(({ node, key }) => `${key} of ${node.name}`);
    if (schedule.nowMs > untilMs) checker.fail(`rotten, and not repaired: ${names.join(', ')}`);
    for (const { node, key } of left) {
      node.start();
      if (node.isReady) node.machine.run(() => readDamaged(node, key));
    }
    await cluster.runUntil(schedule.nowMs + 500);
  }
}

function readDamaged(node: SimulatedNode, key: string): void {
  try {
    read(node, key);
  } catch (error) {
    if (!(error instanceof OperatingError) || error.code !== 'corrupt') throw error;
  }
}
