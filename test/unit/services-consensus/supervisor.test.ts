import { describe, expect, it } from 'vitest';
import type { MemberId, TransactionId } from '../../../src/core/base/ids.ts';
import type { Engine } from '../../../src/core/pbft/engine.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import type { ChainReader } from '../../../src/services/consensus/chain-reader.ts';
import { Supervisor } from '../../../src/services/consensus/supervisor.ts';
import type { PoolEntry } from '../../../src/services/pool/mempool.ts';
import type { Pool } from '../../../src/services/pool/pool.ts';

const VIEW_TIMEOUT_MS = 400;
const LEFT_OUT = 'the primary leaves transactions out';
const PASSED = 'the primary leaves a member out';
const [VICTIM, FRIEND] = ['victim', 'friend'] as MemberId[];
const NOBODY = new Set<MemberId>();

interface Case {
  /** Since when the one transaction waits; from the start when not given. */
  readonly ageMs?: number;
  /** It is in a block that the view has proposed. */
  readonly isProposed?: boolean;
}

/** One transaction that waits, in time that the test moves. */
function watch({ ageMs, isProposed = false }: Case = {}) {
  let nowMs = 0;
  let fire: (() => void) | null = null;
  const clock: Clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    setTimer: (_, due) => {
      fire = due;
      return { cancel: () => {} };
    },
    defer: later => later(),
  };
  const id = 'waiting' as TransactionId;
  const entry = {
    get sinceMs() {
      return ageMs === undefined ? 0 : nowMs - ageMs;
    },
    transaction: { id },
  } as unknown as PoolEntry;
  const remindedAtMs: number[] = [];
  const pool = {
    oldest: () => entry,
    get: () => entry,
    pending: (select: (entry: PoolEntry) => boolean) => (select(entry) ? [entry.transaction.id] : []),
    senders: (select: (entry: PoolEntry) => boolean) => new Set(select(entry) ? [VICTIM] : []),
    announce: (_: string, ids: readonly TransactionId[]) => {
      if (ids.length > 0) remindedAtMs.push(nowMs);
    },
  } as unknown as Pool;
  const chain = {
    parameters: () => ({
      viewTimeoutMs: VIEW_TIMEOUT_MS,
      blockTransactionsMax: 10,
      memberTransactionsPerBlockMax: 10,
    }),
    connectedValidators: () => ['other'],
  } as unknown as ChainReader;
  const slot = { block: { entries: [{ id }] }, proposed: true, decided: null };
  const slots = new Map(isProposed ? [[1, slot]] : []);
  const seen = { view: 0, slots };
  const engine = () => seen as unknown as Engine;
  const complaints: string[] = [];
  const complain = (reason: string) => complaints.push(reason);
  const supervisor = new Supervisor({ chain, pool, clock, reminderIdsMax: 10, engine, complain });
  supervisor.start();
  const until = (endMs: number) => {
    for (; nowMs < endMs; nowMs += VIEW_TIMEOUT_MS / 4) fire!();
  };
  return { supervisor, seen, clock, remindedAtMs, complaints, until };
}

describe('Supervisor', () => {
  it('reminds the others of a transaction ever more seldom, so that a busy network is not made busier', () => {
    const { remindedAtMs, until } = watch();
    until(20 * VIEW_TIMEOUT_MS);
    expect(remindedAtMs).toEqual([400, 800, 1600, 3200, 6400]);
  });

  it('[25] complains of who does not propose what waits, not of who has proposed it', () => {
    const cases = [false, true].map(isProposed => watch({ ageMs: 0.75 * VIEW_TIMEOUT_MS, isProposed }));
    for (const { supervisor, until } of cases) {
      until(VIEW_TIMEOUT_MS);
      supervisor.committed(1, NOBODY);
      until(5 * VIEW_TIMEOUT_MS);
    }
    expect(cases.map(({ complaints }) => complaints)).toEqual([['the primary is slow'], []]);
  });

  /** A block with room each view timeout, until then. */
  function commitUntil({ supervisor, until, clock }: ReturnType<typeof watch>, endMs: number): void {
    while (clock.monotonicMs() < endMs) {
      until(clock.monotonicMs() + VIEW_TIMEOUT_MS);
      supervisor.committed(1, NOBODY);
    }
  }

  it('[24] complains of who leaves a transaction out for four view timeouts of its own view', () => {
    const watched = watch();
    const { seen, complaints } = watched;
    commitUntil(watched, 4 * VIEW_TIMEOUT_MS);
    expect(complaints).not.toContain(LEFT_OUT);
    // the transaction has waited for long when the next view begins: its primary has its time
    seen.view = 1;
    complaints.length = 0;
    commitUntil(watched, 8 * VIEW_TIMEOUT_MS);
    expect(complaints).not.toContain(LEFT_OUT);
    commitUntil(watched, 10 * VIEW_TIMEOUT_MS);
    expect(complaints).toContain(LEFT_OUT);
  });

  it('[24] does not take what is proposed for left out, however long a loaded network takes', () => {
    const watched = watch({ isProposed: true });
    commitUntil(watched, 10 * VIEW_TIMEOUT_MS);
    expect(watched.complaints).not.toContain(LEFT_OUT);
  });

  /** Full blocks of these, four in each view timeout, until then. */
  function fillUntil({ supervisor, until, clock }: ReturnType<typeof watch>, endMs: number, by: MemberId[]) {
    while (clock.monotonicMs() < endMs) {
      until(clock.monotonicMs() + VIEW_TIMEOUT_MS / 4);
      supervisor.committed(10, new Set(by));
    }
  }

  it('[24] complains of who fills its blocks and passes a member over', () => {
    const watched = watch();
    fillUntil(watched, 4 * VIEW_TIMEOUT_MS, [FRIEND!]);
    expect(watched.complaints).not.toContain(PASSED);
    fillUntil(watched, 5 * VIEW_TIMEOUT_MS, [FRIEND!]);
    expect(watched.complaints).toContain(PASSED);
    expect(watched.complaints).not.toContain(LEFT_OUT);
  });

  it('[24] has patience with full blocks in which each member has its turn, and after complaints that did not help', () => {
    const fair = watch();
    for (let end = 3; end < 40; end += 3) fillUntil(fair, end * VIEW_TIMEOUT_MS, [FRIEND!, VICTIM!]);
    expect(fair.complaints).toEqual([]);
    const watched = watch();
    const passedBy = (endMs: number) => {
      fillUntil(watched, endMs, [FRIEND!]);
      return watched.complaints.filter(complaint => complaint === PASSED).length;
    };
    expect(passedBy(5 * VIEW_TIMEOUT_MS)).toBe(1);
    watched.seen.view = 1;
    expect(passedBy(12 * VIEW_TIMEOUT_MS)).toBe(1);
    expect(passedBy(14 * VIEW_TIMEOUT_MS)).toBe(2);
    // it has its turn: the next primary is not trusted for longer than the first
    watched.seen.view = 2;
    fillUntil(watched, 15 * VIEW_TIMEOUT_MS, [VICTIM!]);
    expect(passedBy(20 * VIEW_TIMEOUT_MS)).toBe(3);
  });
});
