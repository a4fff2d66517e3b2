export interface WalContent {
  /** Random, given when the log was created: another log, or one made anew, has another. */
  readonly identity: string;
  readonly records: readonly Uint8Array[];
}

/**
 * The consensus write-ahead log. `append` resolves when the records are on disk (fdatasync); records of calls made
 * meanwhile share the next flush (group commit). A failed write is final: every later call rejects (SCENARIOS 67).
 */
export interface WriteAheadLog {
  /**
   * Checks every record; a torn tail is cut, a bad record before the tail is an OperatingError. Null when there is no log:
   * nothing is made in its place, because a log that is lost must be noticed (SCENARIOS 16).
   */
  open(): Promise<WalContent | null>;
  /** After `open`: an empty log with an identity of its own, durable, in place of one that is there. */
  create(): Promise<string>;
  append(records: readonly Uint8Array[]): Promise<void>;
  /** Replaces the whole content with `records`, atomically and durably: what is still needed after a checkpoint. */
  rewrite(records: readonly Uint8Array[]): Promise<void>;
  close(): Promise<void>;
}
