import type { Operation, ReadOperation, SeenRecord, WriteOperation } from './history.ts';

/** A fault of each kind is told at most this often. */
const FAULTS_OF_A_KIND_MAX = 5;

export type FaultKind =
  | 'lost'
  | 'misplaced'
  | 'twice'
  | 'invented'
  | 'refusedButWritten'
  | 'outOfRealTimeOrder'
  | 'fromTheFuture'
  | 'staleRead'
  | 'readDiffers'
  | 'readWentBack'
  | 'ownWriteUnread';

export interface HistoryFault {
  readonly kind: FaultKind;
  readonly detail: string;
}

class Faults {
  readonly all: HistoryFault[] = [];
  private readonly counts = new Map<FaultKind, number>();

  add(kind: FaultKind, detail: string): void {
    const count = (this.counts.get(kind) ?? 0) + 1;
    this.counts.set(kind, count);
    if (count <= FAULTS_OF_A_KIND_MAX) this.all.push({ kind, detail });
  }
}

/**
 * Checks a history against the log of a phase that everybody has at the end (SCENARIOS 7).
 *
 * Writes and synced reads together are linearizable: an append-only log is a total order, the position at which each write
 * took effect is known, and a read that knew so many entries took effect after the last of them and before the next. The
 * history is therefore linearizable exactly if every page is a piece of the log and this order never puts an operation
 * behind one that was invoked after it had returned. Every acknowledged write is in the log once, where it was told to be;
 * one that was refused is not; one of unknown end is there at most once.
 *
 * Other reads are those of a member's own light node, which may lag behind the others, so they are only sequential: what a
 * node tells is a piece of the one log, it never goes back, also over restarts, and it contains every write that this node
 * has acknowledged before.
 *
 * @param log records of the phase at the end, in the order of their positions
 */
export function checkHistory(
  operations: readonly Operation[],
  log: readonly SeenRecord[],
): readonly HistoryFault[] {
  const faults = new Faults();
  const writes = operations.filter(operation => operation.kind === 'write');
  const reads = operations.filter(operation => operation.kind === 'read');
  checkWrites(writes, log, faults);
  checkPages(reads, log, faults);
  checkRealTime(writes, reads, log, faults);
  checkFuture(reads, writes, log, faults);
  checkReadOrder(reads, writes, faults);
  return faults.all;
}

function checkWrites(writes: readonly WriteOperation[], log: readonly SeenRecord[], faults: Faults): void {
  const writeOf = new Map(writes.map(write => [write.text, write]));
  const found = new Map<string, SeenRecord>();
  for (const record of log) {
    const text = record.text ?? '';
    const write = writeOf.get(text);
    if (write === undefined) faults.add('invented', `position ${record.position}: nobody wrote "${text}"`);
    else if (found.has(text))
      faults.add('twice', `"${text}" is at ${found.get(text)?.position} and at ${record.position}`);
    else if (write.outcome === 'refused')
      faults.add('refusedButWritten', `"${text}" at ${record.position}: ${write.fault}`);
    found.set(text, record);
  }
  for (const { text, outcome, id, position, node } of writes) {
    if (outcome !== 'ok') continue;
    const record = found.get(text);
    if (record === undefined) faults.add('lost', `${node} acknowledged "${text}", and it is in no log`);
    else if (record.id !== id || record.position !== position)
      faults.add('misplaced', `${node} said that "${text}" is at ${position}, it is at ${record.position}`);
  }
}

/** Where in the one order an operation took effect: a write at its position, a read before the next position. */
interface Effect {
  readonly operation: Operation;
  readonly at: number;
  readonly beginMs: number;
  /** Infinity for a write of unknown end: it may have taken effect at any later time. */
  readonly endMs: number;
}

function effectsOf(
  writes: readonly WriteOperation[],
  reads: readonly ReadOperation[],
  log: readonly SeenRecord[],
): readonly Effect[] {
  const positionOf = new Map(log.map(({ text, position }) => [text, position]));
  const written = writes.flatMap((operation): Effect[] => {
    const at = positionOf.get(operation.text);
    if (at === undefined) return [];
    const { outcome, invokedMs, returnedMs } = operation;
    const endMs = outcome === 'ok' ? returnedMs : Number.POSITIVE_INFINITY;
    return [{ operation, at, beginMs: invokedMs, endMs }];
  });
  const read = reads.flatMap((operation): Effect[] => {
    const { syncedMs, size, returnedMs } = operation;
    return syncedMs === null ? [] : [{ operation, at: size - 0.5, beginMs: syncedMs, endMs: returnedMs }];
  });
  // reads that knew the same took effect in the order in which they began
  return [...written, ...read].sort((a, b) => a.at - b.at || a.beginMs - b.beginMs);
}

function checkRealTime(
  writes: readonly WriteOperation[],
  reads: readonly ReadOperation[],
  log: readonly SeenRecord[],
  faults: Faults,
): void {
  let latest: Effect | null = null;
  for (const effect of effectsOf(writes, reads, log)) {
    if (latest !== null && effect.endMs < latest.beginMs)
      faults.add(contradictionOf(effect, latest), contradiction(effect, latest));
    if (latest === null || effect.beginMs > latest.beginMs) latest = effect;
  }
}

function contradictionOf(behind: Effect, before: Effect): FaultKind {
  if (before.operation.kind === 'read') return 'staleRead';
  return behind.operation.kind === 'read' ? 'fromTheFuture' : 'outOfRealTimeOrder';
}

function contradiction(behind: Effect, before: Effect): string {
  const words = ({ operation }: Effect) =>
    operation.kind === 'write'
      ? `"${operation.text}"`
      : `a synced read of ${operation.size} entries at ${operation.node}`;
  const earlierMs = (before.beginMs - behind.endMs).toFixed(1);
  return `${words(behind)} had returned ${earlierMs} ms before ${words(before)} was invoked, and is behind it`;
}

function checkPages(reads: readonly ReadOperation[], log: readonly SeenRecord[], faults: Faults): void {
  for (const { node, from, to, records } of reads) {
    const expected = log.slice(firstAtOrAfter(log, from), firstAtOrAfter(log, to));
    for (let index = 0; index < Math.max(expected.length, records.length); index += 1) {
      const [wanted, told] = [expected[index], records[index]];
      if (told !== undefined && sameRecord(wanted, told)) continue;
      const words = (record: SeenRecord | undefined) =>
        record === undefined ? 'nothing' : `"${record.text}" at ${record.position}`;
      faults.add(
        'readDiffers',
        `[${from}, ${to}) at ${node}: told ${words(told)}, the log has ${words(wanted)}`,
      );
      break;
    }
  }
}

function sameRecord(one: SeenRecord | undefined, other: SeenRecord): boolean {
  return one?.id === other.id && one.text === other.text && one.position === other.position;
}

function firstAtOrAfter(log: readonly SeenRecord[], position: number): number {
  let low = 0;
  let high = log.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (log[middle]!.position < position) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** No read knows an entry that was written after it had returned; synced ones are in the order of real time anyway. */
function checkFuture(
  reads: readonly ReadOperation[],
  writes: readonly WriteOperation[],
  log: readonly SeenRecord[],
  faults: Faults,
): void {
  const invokedAt = new Map(writes.map(write => [write.text, write.invokedMs]));
  let latestMs = Number.NEGATIVE_INFINITY;
  const latestUpTo = log.map(({ text }) => {
    latestMs = Math.max(latestMs, invokedAt.get(text ?? '') ?? latestMs);
    return latestMs;
  });
  for (const { node, syncedMs, size, returnedMs } of reads) {
    if (syncedMs !== null) continue;
    const known = firstAtOrAfter(log, size);
    if (known > 0 && latestUpTo[known - 1]! > returnedMs)
      faults.add('fromTheFuture', `${node} told ${size} entries before all of them were written`);
  }
}

/** From a moment on a node is bound to know as much of the log. */
interface Bound {
  readonly sinceMs: number;
  readonly size: number;
  readonly kind: 'readWentBack' | 'ownWriteUnread';
}

/** A read that has returned binds the node, and so does an acknowledged write of its own. */
function boundsOf(reads: readonly ReadOperation[], writes: readonly WriteOperation[]): readonly Bound[] {
  const ofReads = reads.map(
    ({ returnedMs, size }): Bound => ({ sinceMs: returnedMs, size, kind: 'readWentBack' }),
  );
  const ofWrites = writes
    .filter(({ outcome }) => outcome === 'ok')
    .map(
      ({ returnedMs, position }): Bound => ({
        ...{ sinceMs: returnedMs, size: (position ?? -1) + 1, kind: 'ownWriteUnread' },
      }),
    );
  return [...ofReads, ...ofWrites].sort((a, b) => a.sinceMs - b.sinceMs);
}

function checkReadOrder(
  reads: readonly ReadOperation[],
  writes: readonly WriteOperation[],
  faults: Faults,
): void {
  for (const node of new Set(reads.map(read => read.node))) {
    const own = reads.filter(read => read.node === node);
    const bounds = boundsOf(
      own,
      writes.filter(write => write.node === node),
    );
    let next = 0;
    let bound: Bound | null = null;
    for (const read of [...own].sort((a, b) => a.invokedMs - b.invokedMs)) {
      for (; next < bounds.length && bounds[next]!.sinceMs < read.invokedMs; next += 1)
        if (bounds[next]!.size > (bound?.size ?? 0)) bound = bounds[next]!;
      if (bound !== null && read.size < bound.size)
        faults.add(bound.kind, `${node} knew ${bound.size} entries of the log, and later told ${read.size}`);
    }
  }
}
