/**
 * The consensus write-ahead log. `append` resolves when the records are on disk (fdatasync); records of calls made
 * meanwhile share the next flush (group commit). A failed write is final: every later call rejects (SCENARIOS 67).
 */
export interface WriteAheadLog {
  /** Opens and checks every record; a torn tail is cut, a bad record before the tail is an OperatingError. */
  open(): Promise<readonly Uint8Array[]>;
  append(records: readonly Uint8Array[]): Promise<void>;
  /** Replaces the whole content with `records`, atomically and durably: what is still needed after a checkpoint. */
  rewrite(records: readonly Uint8Array[]): Promise<void>;
  close(): Promise<void>;
}
