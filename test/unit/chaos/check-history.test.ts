import { describe, expect, it } from 'vitest';
import { checkHistory } from '../../chaos/history/check-history.ts';
import type { Operation, ReadOperation, SeenRecord, WriteOperation } from '../../chaos/history/history.ts';

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
    ...{ kind: 'read', node: 'alice', phase: 'p', invokedMs, returnedMs, from: 0, to: size, size, records },
    ...rest,
  };
}

const kinds = (operations: readonly Operation[], log: readonly SeenRecord[]) =>
  checkHistory(operations, log).map(fault => fault.kind);

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

  it('tells a fault of one kind five times at most', () => {
    const writes = Array.from({ length: 20 }, (_, index) => write(`w${index}`, [0, 1], { position: index }));
    expect(kinds(writes, [])).toEqual(Array(5).fill('lost'));
  });
});
