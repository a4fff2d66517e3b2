import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '../../../src/client/client.ts';
import { RpcError } from '../../../src/client/rpc-error.ts';
import type { ChaosNode } from '../network/node.ts';
import type { History, SeenRecord, WriteOperation } from './history.ts';

/** Longer than any fault of a run: a write that is answered later counts as unknown. */
const WRITE_TIMEOUT_MS = 60_000;
const READ_TIMEOUT_MS = 10_000;
/** After a failure a client waits, as people do. */
const FAILURE_PAUSE_MS = 50;
const PAGE_RECORDS_MAX = 500;
/** One read in so many is of the whole log, the others go on where the client was. */
const WHOLE_READ_EVERY = 40;
/** One write in so many of each client is followed by a read: a synced one. */
const SYNCED_READ_EVERY = 4;

interface PageAnswer {
  readonly records: readonly {
    readonly id: string;
    readonly position: number;
    readonly content: { readonly text: string | null } | null;
  }[];
  readonly next: number | null;
  readonly size: number;
}

interface PutAnswer {
  readonly id: string;
  readonly position: number;
  readonly height: number;
}

export interface LoadOptions {
  readonly phases: readonly string[];
  /** Clients that write, for each member's node. */
  readonly writersPerNode: number;
  /** Pause of a writer after each write, in milliseconds. */
  readonly thinkMs: number;
  /** Pause of a node's reader after each read, in milliseconds; null for no reads at all. */
  readonly readEveryMs: number | null;
}

/** True when the call never reached a node, or when the node refused it for certain: then nothing was written. */
function nothingWritten(error: unknown): boolean {
  if (error instanceof RpcError) return error.refused || error.reason === 'unauthorized';
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if ('code' in cause && cause.code === 'ECONNREFUSED') return true;
  return false;
}

export async function readPage(client: Client, phase: string, from: number) {
  const page = await client.call<PageAnswer>('record_list', {
    ...{ phase, from, limit: PAGE_RECORDS_MAX, withData: true },
  });
  const records: SeenRecord[] = page.records.map(({ id, position, content }) => ({
    ...{ id, position, text: content?.text ?? null },
  }));
  return { records, to: page.next ?? page.size, size: page.size };
}

/** Every record that a node tells of a phase. */
export async function readLog(node: ChaosNode, phase: string): Promise<readonly SeenRecord[]> {
  const client = await node.client(READ_TIMEOUT_MS);
  const records: SeenRecord[] = [];
  for (let from = 0; ; ) {
    const page = await readPage(client, phase, from);
    records.push(...page.records);
    if (page.to >= page.size) return records;
    from = page.to;
  }
}

/** Clients in a closed loop at the JSON-RPC of several members' nodes at once; everything they saw is in the history. */
export class Load {
  private stopping = false;
  private next = 0;
  private lanes: Promise<void>[] = [];

  constructor(
    private readonly nodes: readonly ChaosNode[],
    private readonly options: LoadOptions,
    private readonly history: History,
  ) {}

  start(): void {
    const { writersPerNode, readEveryMs } = this.options;
    for (const node of this.nodes) {
      for (let writer = 0; writer < writersPerNode; writer += 1) this.lanes.push(this.write(node));
      if (readEveryMs !== null) this.lanes.push(this.read(node, readEveryMs));
    }
  }

  /** Ends after the calls that are under way. */
  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.lanes);
  }

  private async write(node: ChaosNode): Promise<void> {
    const client = await node.client(WRITE_TIMEOUT_MS);
    const reader = await node.client(READ_TIMEOUT_MS);
    const { phases, thinkMs, readEveryMs } = this.options;
    const positions = new Map(phases.map(phase => [phase, 0]));
    for (let count = 1; !this.stopping; count += 1) {
      const number = this.next++;
      const phase = phases[number % phases.length]!;
      const operation = await this.writeOnce(client, node.name, phase, `${node.name} ${number}`);
      this.history.add(operation);
      const isOk = operation.outcome === 'ok';
      if (isOk && readEveryMs !== null && count % SYNCED_READ_EVERY === 0) {
        const from = positions.get(phase)!;
        positions.set(phase, await this.readOnce(reader, node.name, phase, from, operation.invokedMs));
      }
      await delay(isOk ? thinkMs : FAILURE_PAUSE_MS);
    }
  }

  private async writeOnce(
    client: Client,
    node: string,
    phase: string,
    text: string,
  ): Promise<WriteOperation> {
    const invokedMs = performance.now();
    const base = { kind: 'write' as const, node, phase, text, invokedMs };
    const nowhere = { id: null, position: null, height: null };
    try {
      const { id, position, height } = await client.call<PutAnswer>('record_put', {
        ...{ phase, type: 'note', text },
      });
      const returnedMs = performance.now();
      return { ...base, returnedMs, outcome: 'ok', id, position, height, fault: null };
    } catch (error) {
      const outcome = nothingWritten(error) ? 'refused' : 'unknown';
      const fault = error instanceof Error ? error.message : String(error);
      return { ...base, ...nowhere, returnedMs: performance.now(), outcome, fault };
    }
  }

  private async read(node: ChaosNode, everyMs: number): Promise<void> {
    const client = await node.client(READ_TIMEOUT_MS);
    const positions = new Map(this.options.phases.map(phase => [phase, 0]));
    for (let count = 0; !this.stopping; count += 1) {
      for (const [phase, position] of positions) {
        const from = count % WHOLE_READ_EVERY === WHOLE_READ_EVERY - 1 ? 0 : position;
        positions.set(phase, await this.readOnce(client, node.name, phase, from, null));
      }
      await delay(everyMs);
    }
  }

  /** @returns where to go on reading */
  private async readOnce(
    client: Client,
    node: string,
    phase: string,
    from: number,
    syncedMs: number | null,
  ): Promise<number> {
    const invokedMs = performance.now();
    const page = await readPage(client, phase, from).catch(() => null);
    if (page === null) return from;
    const returnedMs = performance.now();
    this.history.add({ kind: 'read', node, phase, syncedMs, invokedMs, returnedMs, from, ...page });
    return page.to;
  }
}
