import { Cluster } from '../cluster.ts';
import { actorOf } from '../consortium.ts';
import { drawOptions } from '../draw.ts';

// What random runs found once, played again without chance: each goes wrong when its repair is taken back.

/** Four honest nodes, one transaction a block, slow disks, good links. */
async function calm(): Promise<Cluster> {
  const drawn = drawOptions(1);
  const cluster = await Cluster.create({
    ...drawn,
    ...{ validators: 4, observers: 0, byzantine: [], lights: 0, pruned: false, governanceMs: 0, eventMs: 0 },
    flushMs: [2, 10],
    parameters: { ...drawn.parameters, blockTransactionsMax: 1, viewTimeoutMs: 500, rotationBlocks: 0 },
  });
  cluster.start();
  await cluster.runUntil(1000);
  return cluster;
}

/**
 * Seed 11: a program is killed between a write to its log and the flush, starts again, acts on what it reads there, and the
 * power goes. What it acted on must still be there; the checker of the run compares.
 */
export async function killedBeforeTheFlush(): Promise<Cluster> {
  const cluster = await calm();
  const { schedule, clients, nodes } = cluster;
  const [, node] = nodes;
  if (node === undefined) throw new Error('there are four nodes');
  const until = async (isSo: () => boolean) => {
    while (!isSo()) {
      clients.actBelow(5);
      await cluster.runUntil(schedule.nowMs + 0.5);
    }
  };
  for (let turn = 0; turn < 10; turn += 1) {
    await until(() => node.isReady && node.machine.disk.unsyncedLogBytes > 0);
    node.crash(false);
    node.start();
    await until(() => node.isReady);
    node.crash(true);
    node.start();
  }
  await until(() => node.isReady);
  return cluster;
}

/**
 * Seed 2: a member replaces its key while a transaction signed with the old one waits everywhere. No block can hold that one any
 * more; who waits for it changes one view after the other.
 */
export async function keyReplacedMeanwhile(): Promise<Cluster> {
  const cluster = await calm();
  const { clients, consortium, nodes, schedule } = cluster;
  const [member] = consortium.members;
  const state = nodes[0]?.program?.store.state;
  if (member === undefined || state === undefined) throw new Error('there are members and nodes');
  const { drafts } = clients;
  const rotation = drafts.rotate(state, member, actorOf(member.id, 1), 50);
  const late = drafts.createProject(member, consortium.chainId, 50);
  for (const draft of [rotation, late]) {
    clients.ids.add(draft.transaction.id);
    for (const node of nodes)
      node.machine.run(() => void node.program?.pool.submit(draft.bytes).catch(error => node.failed(error)));
  }
  await cluster.runUntil(schedule.nowMs + 20_000);
  return cluster;
}
