import { describe, expect, it } from 'vitest';
import { checkHistory } from '../../chaos/history/check-history.ts';
import type { Operation, ReadOperation, SeenRecord, WriteOperation } from '../../chaos/history/history.ts';
import { Draws } from '../../chaos/random.ts';

const record = (position: number, text: string): SeenRecord => ({ position, id: `id of ${text}`, text });

function write(
  text: string,
  [invokedMs, returnedMs]: readonly [number, number],
  rest: Partial<WriteOperation> = {},
): WriteOperation {
  return {
    ...{ kind: 'write', node: 'alice', phase: 'p', text, invokedMs, returnedMs, outcome: 'ok' },
    ...{ id: `id of ${text}`, position: null, height: 1, fault: null },
    ...rest,
  };
}

function read(
  [invokedMs, returnedMs]: readonly [number, number],
  records: readonly SeenRecord[],
  rest: Partial<ReadOperation> = {},
): ReadOperation {
  const size = (records.at(-1)?.position ?? -1) + 1;
  return {
    ...{ kind: 'read', node: 'alice', phase: 'p', syncedMs: null, invokedMs, returnedMs },
    ...{ from: 0, to: size, size, records },
    ...rest,
  };
}

const kinds = (operations: readonly Operation[], log: readonly SeenRecord[]) =>
  checkHistory(operations, log).map(fault => fault.kind);

/** Up to three writes and three synced reads at times that overlap now and then. */
function drawHistory(draws: Draws): { operations: Operation[]; log: SeenRecord[] } {
  const span = (): [number, number] => {
    const from = draws.between(0, 20);
    return [from, from + draws.between(1, 12)];
  };
  const texts = draws.shuffled(['a', 'b', 'c']).slice(0, draws.between(1, 3));
  const log = texts.map((text, position) => record(position, text));
  const writes = log.map(({ text, position }) =>
    draws.fraction() < 0.2
      ? write(text!, span(), { outcome: 'unknown', id: null })
      : write(text!, span(), { position }),
  );
  const reads = Array.from({ length: draws.between(1, 3) }, () => {
    const times = span();
    // each at a node of its own, so that nothing but real time binds them
    const own = { node: `n${draws.fraction()}`, syncedMs: times[0] };
    return read(times, log.slice(0, draws.between(0, log.length)), own);
  });
  return { operations: [...writes, ...reads], log };
}

/** By search: does the log follow from one operation after the other, none before one that had ended when it began? */
function someOrderFits(
  left: readonly Operation[],
  done: readonly string[],
  log: readonly SeenRecord[],
): boolean {
  if (left.length === 0) return true;
  return left.some(operation => {
    const others = left.filter(other => other !== operation);
    const isLate = others.some(
      other => (other.kind === 'read' || other.outcome === 'ok') && other.returnedMs < operation.invokedMs,
    );
    if (isLate) return false;
    if (operation.kind === 'read') return operation.size === done.length && someOrderFits(others, done, log);
    const isNext = log[done.length]?.text === operation.text;
    return isNext && someOrderFits(others, [...done, operation.text], log);
  });
}

/** Position 0 of a phase's log is what created it: positions have holes where no record is. */
const LOG = [record(1, 'a'), record(2, 'b'), record(4, 'c')];
const A = write('a', [0, 10], { position: 1 });
const B = write('b', [5, 20], { position: 2 });
const C = write('c', [30, 40], { position: 4, node: 'bob' });

describe('check of a history', () => {
  it('[7] takes overlapping writes in either order, and reads that lag at another node', () => {
    const reads = [read([50, 51], LOG), read([50, 51], LOG.slice(0, 1), { node: 'bob', invokedMs: 25 })];
    expect(kinds([A, B, C, ...reads], LOG)).toEqual([]);
    const swapped = [record(1, 'b'), record(2, 'a'), record(4, 'c')];
    expect(kinds([{ ...A, position: 2 }, { ...B, position: 1 }, C], swapped)).toEqual([]);
  });

  it('takes a write of unknown end that is there, one that is not, and one that takes effect late', () => {
    const unknown = { outcome: 'unknown', id: null, position: null } as const;
    const late = write('c', [0, 1], unknown);
    expect(kinds([A, B, late, write('never', [0, 1], unknown)], LOG)).toEqual([]);
  });

  it('finds a write that was acknowledged and lost', () => {
    expect(kinds([A, B, C], LOG.slice(0, 2))).toEqual(['lost']);
  });

  it('finds a write that is elsewhere than it was told to be', () => {
    expect(kinds([A, B, { ...C, position: 3 }], LOG)).toEqual(['misplaced']);
    expect(kinds([A, B, { ...C, id: 'another' }], LOG)).toEqual(['misplaced']);
  });

  it('finds a record twice, one that nobody wrote, and one that was refused', () => {
    expect(kinds([A, B, C], [...LOG, record(5, 'a')])).toContain('twice');
    expect(kinds([A, B], LOG)).toEqual(['invented']);
    expect(kinds([A, B, { ...C, outcome: 'refused', fault: 'no' }], LOG)).toEqual(['refusedButWritten']);
  });

  it('finds a log that contradicts real time', () => {
    const log = [record(1, 'c'), record(2, 'a')];
    const faults = checkHistory(
      [
        { ...A, position: 2 },
        { ...C, position: 1 },
      ],
      log,
    );
    expect(faults.map(fault => fault.kind)).toEqual(['outOfRealTimeOrder']);
    expect(faults[0]?.detail).toContain('20.0 ms before');
    const unknown = { outcome: 'unknown', id: null, position: null } as const;
    expect(kinds([{ ...A, position: 2 }, write('c', [30, 40], unknown)], log)).toEqual([
      'outOfRealTimeOrder',
    ]);
  });

  it('finds a page that leaves out, adds, changes or reorders records', () => {
    const pages = [
      [LOG[0]!, LOG[2]!],
      [...LOG.slice(0, 2), record(3, 'x'), LOG[2]!],
      [LOG[0]!, record(2, 'x'), LOG[2]!],
      [LOG[1]!, LOG[0]!, LOG[2]!],
      [LOG[0]!, { ...LOG[1]!, id: 'another' }, LOG[2]!],
    ];
    for (const page of pages) expect(kinds([A, B, C, read([50, 51], page)], LOG)).toEqual(['readDiffers']);
    const part = read([50, 51], [LOG[2]!], { from: 3 });
    expect(kinds([A, B, C, part], LOG)).toEqual([]);
    expect(kinds([A, B, C, { ...part, from: 2 }], LOG)).toEqual(['readDiffers']);
    expect(kinds([A, B, C, read([50, 51], [], { from: 0, to: 5, size: 5 })], LOG)).toEqual(['readDiffers']);
  });

  it('finds a node that goes back, and one that does not know its own write', () => {
    const reads = [read([50, 51], LOG), read([52, 53], LOG.slice(0, 2))];
    expect(kinds([A, B, C, ...reads], LOG)).toEqual(['readWentBack']);
    expect(kinds([A, B, C, read([21, 22], LOG.slice(0, 1))], LOG)).toEqual(['ownWriteUnread']);
    const overlapping = [read([50, 60], LOG), read([55, 58], LOG.slice(0, 2))];
    expect(kinds([A, B, C, ...overlapping], LOG)).toEqual([]);
  });

  it('finds a record that is told before anybody wrote it', () => {
    expect(kinds([A, B, C, read([22, 25], LOG)], LOG)).toEqual(['fromTheFuture']);
  });

  it('finds that of a size alone, where the page does not reach so far', () => {
    const short = read([22, 25], LOG.slice(0, 2), { to: 3, size: 5 });
    expect(kinds([A, B, C, short], LOG)).toEqual(['fromTheFuture']);
  });

  it('finds a synced read that misses what any node had acknowledged before, where another read may lag', () => {
    const old = read([46, 47], LOG.slice(0, 2), { node: 'dave' });
    expect(kinds([A, B, C, old], LOG)).toEqual([]);
    expect(kinds([A, B, C, { ...old, syncedMs: 41 }], LOG)).toEqual(['staleRead']);
    expect(kinds([A, B, C, { ...old, syncedMs: 39 }], LOG)).toEqual([]);
  });

  it('finds synced reads at two nodes that tell the log in another order than that of time', () => {
    const unknown = { outcome: 'unknown', id: null, position: null } as const;
    const [all, less] = [LOG, LOG.slice(0, 2)].map((records, index) =>
      read([50 + 10 * index, 51 + 10 * index], records, { node: `n${index}`, syncedMs: 50 + 10 * index }),
    );
    expect(kinds([A, B, { ...C, ...unknown }, all!, less!], LOG)).toEqual(['staleRead']);
    expect(kinds([A, B, { ...C, ...unknown }, all!, { ...less!, syncedMs: 51 }], LOG)).toEqual([]);
  });

  it('finds a synced read of what was not written yet', () => {
    expect(kinds([A, B, C, read([22, 25], LOG, { syncedMs: 21 })], LOG)).toEqual(['fromTheFuture']);
  });

  it('finds small histories linearizable exactly if some order of their operations fits', () => {
    const draws = new Draws(7);
    const verdicts = Array.from({ length: 300 }, () => {
      const { operations, log } = drawHistory(draws);
      const isFound = checkHistory(operations, log).every(({ kind }) => kind === 'readWentBack');
      expect(isFound, JSON.stringify(operations)).toBe(someOrderFits(operations, [], log));
      return isFound;
    });
    expect(new Set(verdicts).size).toBe(2);
  });

  it('tells a fault of one kind five times at most', () => {
    const writes = Array.from({ length: 20 }, (_, index) => write(`w${index}`, [0, 1], { position: index }));
    expect(kinds(writes, [])).toEqual(Array(5).fill('lost'));
  });
});
