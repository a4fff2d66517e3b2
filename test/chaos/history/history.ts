/** What is told of one record. */
export interface SeenRecord {
  readonly position: number;
  readonly id: string;
  readonly text: string | null;
}

/**
 * One write of a client. `ok`: acknowledged. `refused`: the node said for certain that nothing was written. `unknown`: nobody
 * was told, so it may take effect once, at any time, or never.
 */
export interface WriteOperation {
  readonly kind: 'write';
  readonly node: string;
  readonly phase: string;
  /** No other write of the run has it. */
  readonly text: string;
  readonly invokedMs: number;
  readonly returnedMs: number;
  readonly outcome: 'ok' | 'refused' | 'unknown';
  /** Of an acknowledged write. */
  readonly id: string | null;
  readonly position: number | null;
  readonly height: number | null;
  readonly fault: string | null;
}

/** One page of a phase's log as a member's node told it. */
export interface ReadOperation {
  readonly kind: 'read';
  readonly node: string;
  readonly phase: string;
  /**
   * Of a synced read: when the write was invoked that this client had acknowledged by this node just before. Both are one
   * operation, and it tells no older state than that of its beginning, whatever node was written to. Null for other reads.
   */
  readonly syncedMs: number | null;
  readonly invokedMs: number;
  readonly returnedMs: number;
  /** The page tells every record at positions [from, to). */
  readonly from: number;
  readonly to: number;
  /** Entries of the whole log, as this node knew it. */
  readonly size: number;
  readonly records: readonly SeenRecord[];
}

export type Operation = WriteOperation | ReadOperation;

/** Every operation of a run that has ended, in the order of its end; times are monotonic milliseconds of one clock. */
export class History {
  readonly operations: Operation[] = [];

  add(operation: Operation): void {
    this.operations.push(operation);
  }

  get writes(): readonly WriteOperation[] {
    return this.operations.filter(operation => operation.kind === 'write');
  }

  get reads(): readonly ReadOperation[] {
    return this.operations.filter(operation => operation.kind === 'read');
  }

  /** Longest time without an acknowledged write between two moments, in milliseconds. */
  longestGapMs(fromMs: number, toMs: number): number {
    const acknowledged = this.writes
      .filter(({ outcome, returnedMs }) => outcome === 'ok' && returnedMs > fromMs && returnedMs <= toMs)
      .map(({ returnedMs }) => returnedMs);
    const moments = [fromMs, ...acknowledged.sort((a, b) => a - b), toMs];
    return Math.max(...moments.slice(1).map((moment, index) => moment - moments[index]!));
  }
}
