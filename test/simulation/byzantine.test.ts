import { describe, expect, it } from 'vitest';
import type { PhaseId, ProjectId } from '../../src/core/base/ids.ts';
import { BEHAVIOURS, type BehaviourKind } from './byzantine.ts';
import { Cluster } from './cluster.ts';
import { bytesOf, hashOf } from './consortium.ts';
import type { Draft } from './drafts.ts';
import { drawOptions } from './draw.ts';
import type { SimulatedNode } from './node.ts';
import { adoptRejections } from './rejections.ts';

interface Load {
  readonly blockTransactionsMax: number;
  readonly records: number;
  readonly everyMs: number;
  /** One record in so many is the other participant's, all others the owner's. */
  readonly othersEvery: number;
}
/** So slow that a primary has room in each block. */
const SLOW: Load = { blockTransactionsMax: 64, records: 60, everyMs: 25, othersEvery: 2 };
/** So fast that no block has room before the last record came in. */
const FULL: Load = { blockTransactionsMax: 1, records: 800, everyMs: 3, othersEvery: 100 };
const VALID_BLOCKS = 1900;
const PATIENCE_MS = 60_000;

/** Primaries that the others must find out for themselves: with these the first view never ends of itself. */
const SUPERVISED: readonly BehaviourKind[] = ['censor', 'dawdler'];

/** Four validators, one of them faulty, on good links and disks; without rotation the faulty one proposes first. */
async function besides(
  kind: BehaviourKind,
  rotationBlocks: number,
  { blockTransactionsMax }: Load,
): Promise<Cluster> {
  for (let seed = 1; ; seed += 1) {
    const drawn = drawOptions(seed);
    const parameters = {
      ...{ ...drawn.parameters, blockTransactionsMax, memberTransactionsPerBlockMax: 64 },
      ...{ viewTimeoutMs: 250, rotationBlocks, replayWindowBlocks: 2000 },
    };
    const cluster = await Cluster.create({
      ...{ ...drawn, parameters, validators: 4, byzantine: [kind], observers: 0, lights: 0, worn: false },
      ...{ governanceMs: 0, pruned: false, eventMs: 0, flushMs: [0.1, 0.5], members: 2 },
    });
    if (rotationBlocks === 0 && !cluster.faulty.has('n0')) continue;
    cluster.start();
    await cluster.runUntil(1000);
    return cluster;
  }
}

/** One after the other. */
async function submit(
  cluster: Cluster,
  kind: string,
  drafts: readonly Draft[],
  everyMs = SLOW.everyMs,
): Promise<void> {
  for (const draft of drafts) {
    cluster.clients.submit(kind, draft);
    await cluster.runUntil(cluster.schedule.nowMs + everyMs);
  }
}

/** Asks again as clients do, until every honest node has executed all of them. @returns their outcomes */
async function outcomes(cluster: Cluster, drafts: readonly Draft[]): Promise<Set<number | undefined>> {
  const { clients, schedule, honest } = cluster;
  const ids = drafts.map(({ transaction }) => transaction.id);
  const outcomeAt = (node: SimulatedNode) => ids.map(id => node.program?.store.locate(id)?.outcome);
  const untilMs = schedule.nowMs + PATIENCE_MS;
  while (schedule.nowMs < untilMs && !honest.every(node => !outcomeAt(node).includes(undefined))) {
    await cluster.runUntil(schedule.nowMs + 500);
    clients.retry();
  }
  return new Set(honest.flatMap(outcomeAt));
}

/** A project, its phase, and records of its two participants. @returns outcomes, and the view while records still came in */
async function work(
  cluster: Cluster,
  { records: count, everyMs, othersEvery }: Load,
): Promise<{ seen: Set<number | undefined>; view: number }> {
  const { clients, consortium, honest } = cluster;
  const { drafts } = clients;
  const [owner, other] = consortium.members;
  const store = honest[0]?.program?.store;
  if (owner === undefined || other === undefined || store === undefined)
    throw new Error('there are members and honest nodes');
  const until = () => (store.head()?.block.header.height ?? 0) + VALID_BLOCKS;
  const project = hashOf('project') as ProjectId;
  const phase = hashOf('phase') as PhaseId;
  const seen = new Set<number | undefined>();
  const done = async (kind: string, some: readonly Draft[]) => {
    await submit(cluster, kind, some);
    for (const outcome of await outcomes(cluster, some)) seen.add(outcome);
  };
  await done('projectCreate', [drafts.createProject(owner, project, until())]);
  await done('phaseAdd', [
    drafts.addPhase(store.state, owner, project, phase, [owner.id, other.id], until()),
  ]);
  await done('phaseOpen', [drafts.lifecycle(store.state, 'phaseOpen', owner, phase, until())]);
  const records = Array.from({ length: count }, (_, number) => {
    const author = number % othersEvery === 1 ? other : owner;
    return drafts.put(store.state, author, phase, bytesOf(`record ${number}`, 60), [], until());
  });
  await submit(cluster, 'recordPut', records, everyMs);
  const view = Math.max(...honest.map(({ engine }) => engine?.view ?? 0));
  for (const outcome of await outcomes(cluster, records)) seen.add(outcome);
  return { seen, view };
}

/** @returns the view while records still came in, and how often it showed what it is */
async function run(
  kind: BehaviourKind,
  rotationBlocks: number,
  load = SLOW,
): Promise<{ view: number; shown: number }> {
  const cluster = await besides(kind, rotationBlocks, load);
  const release = adoptRejections(error => cluster.broken(error));
  try {
    const { seen, view } = await work(cluster, load);
    expect(seen).toEqual(new Set([0]));
    return { view, shown: cluster.coverage.counts.get(`byzantine: ${kind}`) ?? 0 };
  } finally {
    release();
  }
}

describe('four validators, one of them faulty', () => {
  for (const kind of BEHAVIOURS) {
    it(`[19][23][24][25][29][30][35][37] commit everything that honest clients submit beside a ${kind}`, async () => {
      const { shown } = await run(kind, 4);
      expect(shown).toBeGreaterThan(0);
    });

    it(`[19][24][25][35] commit everything where a ${kind} proposes first and no view ends of itself`, async () => {
      const { view } = await run(kind, 0);
      if (SUPERVISED.includes(kind)) expect(view).toBeGreaterThan(0);
    });
  }

  it('[24] commit what a censor passes over, though others fill all blocks', async () => {
    const { view, shown } = await run('censor', 0, FULL);
    expect(shown).toBeGreaterThan(0);
    expect(view).toBeGreaterThan(0);
  });
});
