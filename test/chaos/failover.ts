import { setTimeout as delay } from 'node:timers/promises';
import type { History } from './history/history.ts';
import type { Stage } from './nemeses/stage.ts';
import { startLoad } from './run.ts';

/** Writes must flow this long before a kill. */
const STEADY_MS = 1_500;
/** The window after a kill in which the longest gap is looked for. */
const WINDOW_MS = 4_000;
const RESUME_TIMEOUT_MS = 120_000;
const LOAD = { writersPerNode: 3, thinkMs: 10, readEveryMs: null };

/** Each leader of a burst dies at once with the others: the next ones in line. */
export interface FailoverOptions {
  readonly kills: number;
  /** Leaders that die at the same moment: the present one and those that would follow it. */
  readonly burst: number;
}

export interface Failover {
  readonly leaders: readonly string[];
  /** Longest time without an acknowledged write from the kill on. */
  readonly gapMs: number;
  /** From the kill to the first acknowledged write that was invoked after it. */
  readonly firstMs: number;
}

/** @returns the kills after which the first write took longer; null when none did */
export function slowerThan(found: readonly Failover[], atMostMs: number): string | null {
  const slow = found.flatMap(({ leaders, firstMs }, index) =>
    firstMs <= atMostMs ? [] : [`${firstMs.toFixed(0)} ms after kill ${index + 1} of ${leaders.join(', ')}`],
  );
  if (slow.length === 0) return null;
  return `more than ${atMostMs} ms until the first acknowledged write: ${slow.join('; ')}`;
}

/** Kills leaders under a steady load and measures how long nothing is written. */
export async function measureFailover(stage: Stage, options: FailoverOptions): Promise<readonly Failover[]> {
  const { load } = await startLoad(stage, LOAD);
  const results: Failover[] = [];
  try {
    for (let kill = 1; kill <= options.kills; kill += 1) {
      await stage.sleep(STEADY_MS);
      const result = await killLeaders(stage, options.burst);
      results.push(result);
      const { leaders, gapMs, firstMs } = result;
      stage.say(
        `${kill}. ${leaders.join(', ')}: no write for ${gapMs.toFixed(0)} ms, the first new one after ${firstMs.toFixed(0)} ms`,
      );
    }
  } finally {
    await load.stop();
  }
  return results;
}

async function killLeaders(stage: Stage, burst: number): Promise<Failover> {
  const { network, history } = stage;
  const nodes = network.consensus;
  const { leader } = await stage.chain();
  const first = nodes.findIndex(node => node.name === leader);
  const victims = Array.from({ length: burst }, (_, index) => nodes[(first + index) % nodes.length]!);
  const before = history.operations.length;
  const killedMs = performance.now();
  await Promise.all(victims.map(node => node.kill()));
  await resumed(history, before, killedMs);
  const resumedMs = performance.now();
  await stage.sleep(WINDOW_MS);
  const gapMs = history.longestGapMs(killedMs, performance.now());
  const answered = history.writes.filter(write => write.outcome === 'ok' && write.invokedMs > killedMs);
  const firstMs = (answered[0]?.returnedMs ?? resumedMs) - killedMs;
  for (const node of victims) node.start();
  await network.ready(victims);
  return { leaders: victims.map(node => node.name), gapMs, firstMs };
}

async function resumed(history: History, from: number, sinceMs: number): Promise<void> {
  const deadline = performance.now() + RESUME_TIMEOUT_MS;
  for (let at = from; performance.now() < deadline; await delay(5)) {
    for (; at < history.operations.length; at += 1) {
      const operation = history.operations[at]!;
      if (operation.kind === 'write' && operation.outcome === 'ok' && operation.invokedMs > sinceMs) return;
    }
  }
  throw new Error(`no write for ${RESUME_TIMEOUT_MS} ms after the leader was killed`);
}
