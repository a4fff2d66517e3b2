// What goes wrong during a measurement, on purpose.
import { setTimeout as delay } from 'node:timers/promises';

/** A slow node runs for one part of this time and stands still for the others. */
const SLOW_PERIOD_MS = 40;
const SLOW_PARTS = 4;

const noFault = () => async () => null;

async function killLeader({ network, watcher }, load) {
  const leader = await network.leader();
  if (watcher.node === leader) {
    await watcher.follow(network.nodes.find(node => node.alive && node !== leader));
  }
  const gone = network.kill(leader);
  load.abandon(leader);
  await gone;
  return leader.name;
}

function slowDown(node) {
  const timer = setInterval(() => {
    if (!node.alive) return;
    node.child.kill('SIGSTOP');
    setTimeout(
      () => node.alive && node.child.kill('SIGCONT'),
      (SLOW_PERIOD_MS * (SLOW_PARTS - 1)) / SLOW_PARTS,
    );
  }, SLOW_PERIOD_MS);
  return () => {
    clearInterval(timer);
    if (node.alive) node.child.kill('SIGCONT');
  };
}

/**
 * @param options of the run
 * @param context network, watcher, namespaces (for a partition)
 * @returns for `Measuring.run`: begins at the opening of the window, and ends with what happened
 */
export function faultsOf({ killLeaderAtS, slow, partition }, context) {
  if (killLeaderAtS === null && slow === null && partition === null) return noFault;
  return (load, openMs) => {
    const undo = [];
    const happened = {};
    const at = async (seconds, deed) => {
      await delay(openMs + seconds * 1000 - performance.now());
      return deed();
    };
    const node = number => context.network.nodes[number - 1];
    const work = [];
    if (killLeaderAtS !== null) {
      work.push(
        at(killLeaderAtS, async () => {
          happened.killed = await killLeader(context, load);
        }),
      );
    }
    if (slow !== null) {
      work.push(at(slow.fromS, () => undo.push(slowDown(node(slow.node)))));
      work.push(at(slow.toS, () => undo.splice(0).forEach(end => void end())));
    }
    if (partition !== null) {
      const { namespaces } = context;
      work.push(at(partition.fromS, () => namespaces.cut(partition.node, true)));
      work.push(at(partition.toS, () => namespaces.cut(partition.node, false)));
    }
    return async () => {
      await Promise.all(work);
      for (const end of undo) end();
      return happened;
    };
  };
}
