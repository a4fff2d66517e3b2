import { traceConflict } from '../../src/core/pbft/forensics.ts';
import type { SignedMessage } from '../../src/core/pbft/messages.ts';
import type { Certificate } from '../../src/core/types/chain.ts';
import { decodeStoredBlock } from '../../src/store/chain-records.ts';
import { KvViewArchive } from '../../src/store/kv-view-archive.ts';
import { faultsOf } from './checker-certificate.ts';
import type { Cluster } from './cluster.ts';
import type { SimulatedNode } from './node.ts';
import { simulatedSuite as suite } from './suite.ts';

/** Two honest nodes hold two blocks at one height: the end of a run in which more than f collude. */
class Forked extends Error {
  constructor(readonly certificate: Certificate) {
    super(`two blocks at height ${certificate.height}`);
  }
}

const TRY_MS = 15_000;

export function isConspiracy({ byzantine, validators }: Cluster['options']): boolean {
  return byzantine.filter(kind => kind === 'conspirator').length > faultsOf(validators);
}

function cutOff(cluster: Cluster, some: readonly SimulatedNode[], others: readonly SimulatedNode[]): void {
  for (const { options: a } of some)
    for (const { options: b } of others) {
      cluster.network.cut(a.place, b.place);
      cluster.network.cut(b.place, a.place);
    }
}

/** The camps talk to the conspirators only, who show them two blocks in one view. */
async function showTwoBlocks(cluster: Cluster, camps: readonly SimulatedNode[][]): Promise<void> {
  const [first = [], second = []] = camps;
  cutOff(cluster, first, second);
  for (const { options } of second) cluster.conspiracy.misled.add(options.identity.index);
  await cluster.runUntil(cluster.schedule.nowMs + TRY_MS);
}

/** They commit with the one camp, go back to a backup of before, and commit with the other. */
async function forgetTogether(cluster: Cluster, camps: readonly SimulatedNode[][]): Promise<void> {
  const { nodes, network, schedule, random } = cluster;
  const [first = [], second = []] = camps;
  const conspirators = nodes.filter(({ isHonest }) => !isHonest);
  const backups = conspirators.map(({ machine }) => machine.disk.backup());
  cutOff(cluster, second, nodes);
  await cluster.runUntil(schedule.nowMs + random.between(500, 3000));
  for (const [at, node] of conspirators.entries()) {
    node.crash(true);
    backups[at]?.(true);
    node.keys.markAgain();
  }
  network.healAll();
  cutOff(cluster, first, nodes);
  for (const node of conspirators) node.start();
  await cluster.runUntil(schedule.nowMs + TRY_MS);
}

/** What was archived on this disk. */
function archiveOf({ machine: { disk } }: SimulatedNode): readonly SignedMessage[] {
  disk.wrongReadIn = null;
  return new KvViewArchive(disk).list();
}

function committedBy(node: SimulatedNode, height: number): Certificate | null {
  const key = `block/${String(height).padStart(16, '0')}`;
  const stored = node.stored(key);
  return stored === null ? null : decodeStoredBlock(key, stored).certificate;
}

/** At least f + 1 of the conspirators are convicted by what honest nodes keep, and nobody else by any part of it. */
function convict(cluster: Cluster, second: Certificate): void {
  const { checker, honest, faulty, consortium, coverage } = cluster;
  const { chainId, genesisHash: startHash } = consortium;
  const set = checker.chain.sets.get(0);
  const first = honest
    .map(node => committedBy(node, second.height))
    .find(certificate => certificate !== null && certificate.blockHash !== second.blockHash);
  if (set === undefined || first === null || first === undefined)
    throw new Error('a fork of which one side is gone');
  const reign = { chainId, set, startHeight: 0, startHash };
  const archives = honest.map(archiveOf);
  for (const archive of [...archives, archives.flat()]) {
    const blamed = traceConflict(suite, reign, first, second, archive);
    const innocent = blamed.filter(index => !faulty.has(set.validators[index]?.name ?? ''));
    if (innocent.length > 0)
      checker.fail(`a conflict at ${second.height} is blamed on honest ${innocent.join(', ')}`);
  }
  const blamed = traceConflict(suite, reign, first, second, archives.flat());
  if (blamed.length <= faultsOf(set.validators.length))
    checker.fail(`a conflict at ${second.height} convicts ${blamed.length} validators`);
  coverage.hit(
    `collusion: convicted of a fork ${first.view === second.view ? 'in one view' : 'across views'}`,
  );
}

/** More than f collude: agreement may break, and then the signatures that honest nodes keep give them away (SCENARIOS 36). */
export async function collude(cluster: Cluster): Promise<void> {
  const { checker, random, honest, schedule, coverage } = cluster;
  const camps = [0, 1].map(side => honest.filter((_, at) => at % 2 === side));
  checker.chain.onFork = certificate => cluster.broken(new Forked(certificate));
  try {
    await cluster.runUntil(schedule.nowMs + random.between(300, 2000));
    await (random.chance(0.5) ? showTwoBlocks(cluster, camps) : forgetTogether(cluster, camps));
    coverage.hit('collusion: in vain');
  } catch (error) {
    if (!(error instanceof Forked)) throw error;
    convict(cluster, error.certificate);
  }
}
