import { describe, expect, it } from 'vitest';
import type { TransactionId } from '../../../src/core/base/ids.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import type { ChainReader } from '../../../src/services/consensus/chain-reader.ts';
import { Supervisor } from '../../../src/services/consensus/supervisor.ts';
import type { PoolEntry } from '../../../src/services/pool/mempool.ts';
import type { Pool } from '../../../src/services/pool/pool.ts';

const VIEW_TIMEOUT_MS = 400;

/** One transaction that waits from the start, in time that the test moves. */
function watch() {
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
  const entry = { sinceMs: 0, transaction: { id: 'waiting' as TransactionId } } as unknown as PoolEntry;
  const remindedAtMs: number[] = [];
  const pool = {
    oldest: () => entry,
    pending: (select: (entry: PoolEntry) => boolean) => (select(entry) ? [entry.transaction.id] : []),
    announce: (_: string, ids: readonly TransactionId[]) => {
      if (ids.length > 0) remindedAtMs.push(nowMs);
    },
  } as unknown as Pool;
  const chain = {
    parameters: () => ({ viewTimeoutMs: VIEW_TIMEOUT_MS }),
    connectedValidators: () => ['other'],
  } as unknown as ChainReader;
  new Supervisor({ chain, pool, clock, reminderIdsMax: 10, view: () => 0, complain: () => {} }).start();
  const until = (endMs: number) => {
    for (; nowMs < endMs; nowMs += VIEW_TIMEOUT_MS / 4) fire!();
  };
  return { remindedAtMs, until };
}

describe('Supervisor', () => {
  it('reminds the others of a transaction ever more seldom, so that a busy network is not made busier', () => {
    const { remindedAtMs, until } = watch();
    until(20 * VIEW_TIMEOUT_MS);
    expect(remindedAtMs).toEqual([400, 800, 1600, 3200, 6400]);
  });
});
