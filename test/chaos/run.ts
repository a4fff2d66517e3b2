import { checkHistory, type HistoryFault } from './history/check-history.ts';
import { Load, type LoadOptions, readLog } from './history/clients.ts';
import type { History, SeenRecord } from './history/history.ts';
import { type ChainStatus, type Stage, seconds } from './nemeses/stage.ts';
import type { Step } from './plan.ts';

const READY_TIMEOUT_MS = 90_000;
const WRITES_TIMEOUT_MS = 60_000;
const CONVERGE_TIMEOUT_MS = 90_000;
const PHASES = ['intake', 'review'];
const PROJECT = 'Chaos';
/** What a proposal's time may be ahead of the clocks that accepted it, and of those the harness never moved. */
const AHEAD_MS_MAX = 10_000;

/** How one step went. */
export interface StepResult {
  readonly nemesis: string;
  readonly words: string;
  readonly remark: string | null;
  /** From the end of the fault until all nodes are ready and every member's node writes again. */
  readonly recoveredMs: number;
  /** Longest time without an acknowledged write, from the begin of the fault on. */
  readonly gapMs: number;
  readonly fault: string | null;
}

/** One thing that must hold at the end. */
export interface Check {
  readonly name: string;
  readonly fault: string | null;
  readonly remark: string;
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Heals every path, starts every node that is down, and waits until the network does its work again. */
async function recover(stage: Stage): Promise<void> {
  const { network, history } = stage;
  stage.checkRunning();
  network.links.heal();
  for (const node of network.nodes) {
    node.resume();
    if (!node.running) node.start();
  }
  await network.ready(network.nodes, READY_TIMEOUT_MS);
  const sinceMs = performance.now();
  const from = history.operations.length;
  const writing = () => {
    const fresh = history.operations
      .slice(from)
      .filter(entry => entry.kind === 'write' && entry.outcome === 'ok' && entry.invokedMs >= sinceMs);
    return new Set(fresh.map(entry => entry.node)).size === network.participants.length;
  };
  await stage.until('writes at every member’s node', async () => writing(), WRITES_TIMEOUT_MS);
}

function unexpectedEnd(stage: Stage): string | null {
  const ended = stage.network.nodes.find(node => node.unexpectedEnds.length > 0);
  if (ended === undefined) return null;
  const [exit] = ended.unexpectedEnds;
  return `${ended.name} ended by itself (${exit?.signal ?? `exit code ${exit?.code}`}): ${ended.lastWords(2)}`;
}

export async function runStep(stage: Stage, { nemesis, fault, quietMs }: Step): Promise<StepResult> {
  await stage.sleep(quietMs);
  const startedMs = performance.now();
  let remark: string | null = null;
  let healedMs = startedMs;
  let problem: string | null = null;
  try {
    remark = await fault.run(stage);
    healedMs = performance.now();
    await recover(stage);
    problem = unexpectedEnd(stage);
  } catch (error) {
    stage.checkRunning();
    problem = messageOf(error);
  }
  const endedMs = performance.now();
  return {
    ...{ nemesis: nemesis.name, words: fault.words, remark, fault: problem },
    recoveredMs: endedMs - healedMs,
    gapMs: stage.history.longestGapMs(startedMs, endedMs),
  };
}

/** Two phases of all members, and clients that write and read them until the returned load is stopped. */
export async function startLoad(
  stage: Stage,
  options: Omit<LoadOptions, 'phases'>,
): Promise<{ load: Load; phases: readonly string[] }> {
  const { network, history } = stage;
  await network.ask('project', 'create', PROJECT);
  const phases: string[] = [];
  for (const name of PHASES) phases.push(await network.createPhase(PROJECT, name));
  await network.ready(network.participants);
  const load = new Load(network.participants, { ...options, phases }, history);
  load.start();
  return { load, phases };
}

async function check(
  name: string,
  hold: () => Promise<{ fault: string | null; remark: string }>,
): Promise<Check> {
  try {
    return { name, ...(await hold()) };
  } catch (error) {
    return { name, fault: messageOf(error), remark: '' };
  }
}

async function converged(stage: Stage): Promise<{ fault: string | null; remark: string }> {
  const { consensus, nodes } = stage.network;
  let heads: ChainStatus['head'][] = [];
  const agree = async () => {
    heads = await Promise.all(
      consensus.map(node => node.call<ChainStatus>('chain_status').then(status => status.head)),
    );
    const told = await Promise.all(
      nodes.map(node =>
        node.call<{ head: { height: number } }>('node_status').then(status => status.head.height),
      ),
    );
    return new Set(heads.map(head => head.hash)).size === 1 && new Set(told).size === 1;
  };
  await stage.until('one head at every node', agree, CONVERGE_TIMEOUT_MS);
  return { fault: null, remark: `height ${heads[0]?.height}` };
}

async function honest(stage: Stage): Promise<{ fault: string | null; remark: string }> {
  const statuses = await Promise.all(
    stage.network.consensus.map(node => node.call<ChainStatus>('chain_status')),
  );
  const evidence = Math.max(...statuses.map(status => status.evidence));
  const fault = evidence === 0 ? null : `${evidence} pairs of conflicting messages are known`;
  return { fault, remark: 'no validator signed two values for one slot' };
}

async function timely(stage: Stage): Promise<{ fault: string | null; remark: string }> {
  const [node] = stage.network.consensus;
  const { time } = await node!.call<{ time: { ms: number } }>('chain_head');
  const aheadMs = time.ms - Date.now();
  const fault = aheadMs <= AHEAD_MS_MAX ? null : `the head's time is ${seconds(aheadMs)} ahead`;
  return { fault, remark: `the head's time is ${seconds(-aheadMs)} old` };
}

const syncedReads = (history: History) => history.reads.filter(({ syncedMs }) => syncedMs !== null).length;

function summaryOf(history: History): string {
  const count = (outcome: string) => history.writes.filter(write => write.outcome === outcome).length;
  const synced = syncedReads(history);
  return `${count('ok')} writes acknowledged, ${count('refused')} refused, ${count('unknown')} of unknown end; ${synced} synced reads, ${history.reads.length - synced} others`;
}

async function sameLogs(
  stage: Stage,
  phases: readonly string[],
): Promise<Map<string, readonly SeenRecord[]>> {
  const logs = new Map<string, readonly SeenRecord[]>();
  for (const phase of phases) {
    const told = await Promise.all(stage.network.participants.map(node => readLog(node, phase)));
    const [first] = told;
    if (told.some(log => JSON.stringify(log) !== JSON.stringify(first)))
      throw new Error(`the members' nodes do not tell the same log of phase ${phase}`);
    logs.set(phase, first ?? []);
  }
  return logs;
}

function checkAll(
  history: History,
  logs: ReadonlyMap<string, readonly SeenRecord[]>,
): readonly HistoryFault[] {
  return [...logs].flatMap(([phase, log]) =>
    checkHistory(
      history.operations.filter(operation => operation.phase === phase),
      log,
    ),
  );
}

/** Everything that must hold after the last fault; the load has ended. Stops the network. */
export async function checkAtEnd(stage: Stage, phases: readonly string[]): Promise<readonly Check[]> {
  const { network, history } = stage;
  const checks = [
    await check('every node has the same head', () => converged(stage)),
    await check('no evidence against a validator', () => honest(stage)),
    await check('the time of the chain is right', () => timely(stage)),
  ];
  let logs = new Map<string, readonly SeenRecord[]>();
  checks.push(
    await check('every member’s node tells the same log', async () => {
      logs = await sameLogs(stage, phases);
      const records = [...logs.values()].reduce((sum, log) => sum + log.length, 0);
      return { fault: null, remark: `${records} records in ${logs.size} phases` };
    }),
    await check('writes and synced reads linearizable, other reads sequential, nothing lost', async () => {
      if (syncedReads(history) === 0) throw new Error('there is no synced read in the history');
      const faults = checkAll(history, logs);
      const fault =
        faults.length === 0 ? null : faults.map(entry => `${entry.kind}: ${entry.detail}`).join('\n');
      return { fault, remark: summaryOf(history) };
    }),
  );
  await network.stop();
  for (const node of network.consensus) {
    checks.push(
      await check(`phaseline db verify of ${node.name}`, async () => {
        const { fault, blocks, transactions } = await network.verify(node);
        return { fault, remark: `${blocks} blocks, ${transactions} transactions` };
      }),
    );
  }
  return checks;
}
