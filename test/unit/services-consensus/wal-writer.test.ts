import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/base/bytes.ts';
import type { Effect } from '../../../src/core/pbft/effect.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import { noMetrics } from '../../../src/ports/metrics.ts';
import { Meter } from '../../../src/services/consensus/meter.ts';
import { WalWriter } from '../../../src/services/consensus/wal-writer.ts';

function persist(ticket: number): Extract<Effect, { type: 'persist' }> {
  const then: readonly Effect[] = [];
  return { type: 'persist', ticket, records: [utf8(`record ${ticket}`)], then };
}

const clock: Clock = {
  nowMs: () => 0,
  monotonicMs: () => 0,
  setTimer: () => ({ cancel: () => {} }),
  defer: () => {},
};

/** A log whose flush ends when the test says so. */
class SlowLog {
  private finish: { resolve(): void; reject(error: Error): void } | null = null;
  appended = 0;
  seated = true;

  keeps(): boolean {
    return this.seated;
  }

  append(records: readonly Uint8Array[]): Promise<void> {
    this.appended += records.length;
    return new Promise((resolve, reject) => {
      this.finish = { resolve, reject };
    });
  }

  async rewrite(): Promise<void> {}

  end(error?: Error): void {
    if (error === undefined) this.finish?.resolve();
    else this.finish?.reject(error);
  }
}

/** Lets everything run that can run without the disk. */
async function turns(): Promise<void> {
  for (let count = 0; count < 20; count += 1) await Promise.resolve();
}

/** A writer, with what it says is durable and what has failed. */
function writerTo(log: SlowLog) {
  const durable: number[] = [];
  const failures: unknown[] = [];
  const writer = new WalWriter(
    log,
    ({ ticket }) => durable.push(ticket),
    error => failures.push(error),
    new Meter(noMetrics, clock),
  );
  return { writer, durable, failures };
}

describe('the writer of the log', () => {
  it('[8] performs what waits for records after their flush, never before', async () => {
    const log = new SlowLog();
    const { writer, durable } = writerTo(log);
    writer.add(persist(1));
    writer.add(persist(2));
    await turns();
    expect(log.appended).toBe(2);
    expect(durable).toEqual([]);
    log.end();
    await writer.idle();
    expect(durable).toEqual([1, 2]);
  });

  it('[55] writes what was promised with a seat that was lost before the flush, and nothing of an observer', async () => {
    const log = new SlowLog();
    const { writer, durable } = writerTo(log);
    writer.add(persist(1));
    log.seated = false;
    writer.add(persist(2));
    await turns();
    expect(log.appended).toBe(1);
    expect(durable).toEqual([]);
    log.end();
    await writer.idle();
    expect(durable).toEqual([1, 2]);
    writer.add(persist(3));
    await writer.idle();
    expect(log.appended).toBe(1);
    expect(durable).toEqual([1, 2, 3]);
  });

  it('[67] performs nothing that waits on a flush that failed, nor anything later', async () => {
    const log = new SlowLog();
    const { writer, durable, failures } = writerTo(log);
    writer.add(persist(1));
    await turns();
    log.end(new Error('no space left'));
    await writer.idle();
    writer.add(persist(2));
    await turns();
    expect(durable).toEqual([]);
    expect(failures).toHaveLength(1);
    expect(log.appended).toBe(1);
  });
});
