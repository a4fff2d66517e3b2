import { LightCheck, LightHistory } from './checker-light.ts';
import type { Cluster } from './cluster.ts';
import type { SimulatedLightNode } from './light-node.ts';

/** After healing, a light node holds everything within this much simulated time. */
const CATCH_UP_MS = 60_000;

/** Blocks between two looks at the disks of light nodes. */
const WATCH_BLOCKS = 40;

/** Looks now and then, while it goes on, for bytes that a light node has no right to. */
export class LightWatch {
  private nextHeight = WATCH_BLOCKS;

  constructor(private readonly cluster: Cluster) {}

  look(): void {
    const { lights, checker, coverage } = this.cluster;
    const { height, history, transactions } = checker.chain;
    if (lights.length === 0 || height < this.nextHeight) return;
    this.nextHeight = height + WATCH_BLOCKS;
    // A body was nowhere to be read, or a light node knows of a block that only faulty nodes have: that may have let it in.
    if (history?.length !== transactions) return;
    if (lights.some(({ client }) => (client?.head().height ?? 0) > height)) return;
    const told = new LightHistory(history);
    for (const light of lights) new LightCheck(told, light).checkBytes();
    coverage.hit('light: looked at on the way');
  }
}

/** What a node says against its sources must be true of one that is faulty. */
function checkAccusations(
  { checker, coverage, identities, faulty }: Cluster,
  node: SimulatedLightNode,
): void {
  for (const { peer, code, detail } of node.client?.lies() ?? []) {
    const name = identities.find(({ peerId }) => peerId === peer)?.name ?? peer;
    if (!faulty.has(name)) checker.fail(`${node.name} says that honest ${name} lied: ${code} (${detail})`);
    coverage.hit('light: noticed a lie');
  }
  if ((node.client?.fork() ?? null) !== null) checker.fail(`${node.name} sees a fork where there is none`);
}

/** Every light node catches up, and holds what the blocks say that it may hold. */
export async function settleLights(cluster: Cluster): Promise<void> {
  const { lights, checker, schedule, coverage } = cluster;
  if (lights.length === 0) return;
  for (const light of lights) light.start();
  const history = new LightHistory(checker.chain.history ?? []);
  const isRevoked = ({ actor }: SimulatedLightNode) => history.revokedAt(actor.id) < Number.POSITIVE_INFINITY;
  const isCurrent = ({ client }: SimulatedLightNode) => (client?.head().height ?? -1) >= checker.chain.height;
  const untilMs = schedule.nowMs + CATCH_UP_MS;
  while (!lights.every(light => isRevoked(light) || isCurrent(light))) {
    if (schedule.nowMs > untilMs) {
      const behind = lights.map(
        ({ name, client }) =>
          `${name} published ${client?.head().height} trusts ${client?.trust().header.height} lacks ${JSON.stringify(client?.lag()?.logs)} ${JSON.stringify(client?.lies().slice(-3))}`,
      );
      checker.fail(`light nodes do not catch up with ${checker.chain.height}: ${behind.join('; ')}`);
    }
    await cluster.runUntil(schedule.nowMs + 200);
  }
  for (const light of lights) {
    checkAccusations(cluster, light);
    await new LightCheck(history, light).run(isCurrent(light));
    coverage.hit(isRevoked(light) ? 'light: of a revoked member' : 'light: caught up');
    if ((light.client?.trust().set.id ?? 0) > 0) coverage.hit('light: followed changes of the set');
    const logs = [...history.phases.keys()].map(logId => light.client?.held(logId) ?? null);
    if (logs.some(held => held?.ended)) coverage.hit('light: was removed from a phase');
    if (logs.some(held => (held?.ranges.length ?? 0) > 1)) coverage.hit('light: holds a phase with a gap');
    // What it asks its sources now and then is not what an idle consensus network sends.
    light.retire();
  }
}
