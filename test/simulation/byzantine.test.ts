import { describe, expect, it } from 'vitest';
import type { PhaseId, ProjectId } from '../../src/core/base/ids.ts';
import { BEHAVIOURS, type BehaviourKind } from './byzantine.ts';
import { Cluster } from './cluster.ts';
import { bytesOf, hashOf } from './consortium.ts';
import type { Draft } from './drafts.ts';
import { drawOptions } from './draw.ts';
import type { SimulatedNode } from './node.ts';
import { adoptRejections } from './rejections.ts';

const RECORDS = 40;
const TOGETHER = 8;
const PATIENCE_MS = 60_000;

/** Four validators, one of them faulty, on good links and disks; each proposes now and then. */
async function besides(kind: BehaviourKind): Promise<Cluster> {
  const drawn = drawOptions(1);
  const parameters = { ...drawn.parameters, blockTransactionsMax: 4, viewTimeoutMs: 500, rotationBlocks: 4 };
  const cluster = await Cluster.create({
    ...{ ...drawn, parameters, validators: 4, byzantine: [kind], observers: 0, lights: 0, worn: false },
    ...{ governanceMs: 0, pruned: false, eventMs: 0, flushMs: [0.1, 0.5], members: 2 },
  });
  cluster.start();
  await cluster.runUntil(1000);
  return cluster;
}

/** Submits some, asks again as clients do, and waits until every honest node has executed all of them. @returns their outcomes */
async function outcomes(
  cluster: Cluster,
  kind: string,
  drafts: readonly Draft[],
): Promise<Set<number | undefined>> {
  const { clients, schedule, honest } = cluster;
  const ids = drafts.map(({ transaction }) => transaction.id);
  const outcomeAt = (node: SimulatedNode) => ids.map(id => node.program?.store.locate(id)?.outcome);
  const untilMs = schedule.nowMs + PATIENCE_MS;
  for (const draft of drafts) clients.submit(kind, draft);
  while (schedule.nowMs < untilMs && !honest.every(node => !outcomeAt(node).includes(undefined))) {
    await cluster.runUntil(schedule.nowMs + 500);
    clients.retry();
  }
  return new Set(honest.flatMap(outcomeAt));
}

/** A project, its phase, and records of a participant of it. */
async function work(cluster: Cluster): Promise<Set<number | undefined>> {
  const { clients, consortium, honest } = cluster;
  const { drafts } = clients;
  const [owner] = consortium.members;
  const store = honest[0]?.program?.store;
  if (owner === undefined || store === undefined) throw new Error('there are members and honest nodes');
  const until = () => (store.head()?.block.header.height ?? 0) + 50;
  const project = hashOf('project') as ProjectId;
  const phase = hashOf('phase') as PhaseId;
  const seen = new Set<number | undefined>();
  const done = async (kind: string, some: readonly Draft[]) => {
    for (const outcome of await outcomes(cluster, kind, some)) seen.add(outcome);
  };
  await done('projectCreate', [drafts.createProject(owner, project, until())]);
  await done('phaseAdd', [drafts.addPhase(store.state, owner, project, phase, [owner.id], until())]);
  await done('phaseOpen', [drafts.lifecycle(store.state, 'phaseOpen', owner, phase, until())]);
  for (let from = 0; from < RECORDS; from += TOGETHER) {
    const numbers = Array.from({ length: TOGETHER }, (_, index) => from + index);
    const records = numbers.map(number =>
      drafts.put(store.state, owner, phase, bytesOf(`record ${number}`, 60), [], until()),
    );
    await done('recordPut', records);
  }
  return seen;
}

describe('four validators, one of them faulty', () => {
  for (const kind of BEHAVIOURS)
    it(`[19][23][29][30][35][37] commit everything that honest clients submit beside a ${kind}`, async () => {
      const cluster = await besides(kind);
      const release = adoptRejections(error => cluster.broken(error));
      try {
        expect(await work(cluster)).toEqual(new Set([0]));
        expect(cluster.coverage.counts.get(`byzantine: ${kind}`)).toBeGreaterThan(0);
      } finally {
        release();
      }
    });
});
