/** Every limit of the file service, with its unit. */
export interface FilesLimits {
  /** Files that are fetched at the same time. */
  readonly filesInFlight: number;
  /** Holders that one file is fetched from at the same time. */
  readonly sourcesPerFile: number;
  /** Blocks asked for in one request; each may be 1 MiB. */
  readonly blocksPerFetch: number;
  /** Requests to one holder for one file that are under way at the same time. */
  readonly requestsPerSource: number;
  /** Files of one block that are fetched with one request, and their bytes together. */
  readonly smallFilesPerFetch: number;
  readonly smallBytesPerFetch: number;
  /** Blocks that a reader without a copy asks for ahead of what it has given out. */
  readonly blocksReadAhead: number;
  readonly requestTimeoutMs: number;
  /** First wait after a file could not be fetched; doubles up to the cap. */
  readonly retryMs: number;
  readonly retryMsMax: number;
  /** How long a holder that sent wrong bytes is not asked again. */
  readonly penaltyMs: number;
  /** The same for one that did not answer in time. */
  readonly silencePenaltyMs: number;
  /** A reader waits so long for the first holder to be connected: links take a moment after a start. */
  readonly firstSourceMs: number;
  /** A holder that no link has reached for so long counts as missing: another participant takes a copy. */
  readonly holderGoneMs: number;
  /** How often the placement is asked again for holders that are gone. */
  readonly holderCheckMs: number;
  /** How long a node may take to say what it has of a file. */
  readonly surveyTimeoutMs: number;
  /** Receipts wait this long for others to share their transaction. */
  readonly receiptDelayMs: number;
  readonly receiptsPerTransaction: number;
  /** An import that no record came to name is dropped after this time, by the ledger's clock too. */
  readonly unreferencedMs: number;
  /** Average block size under which a tree is refused, in bytes: bounds what a hostile author can make others store. */
  readonly bytesPerBlockMin: number;
  /** Largest file that is stored or fetched, ciphertext, in bytes. */
  readonly fileBytesMax: number;
  /** Bytes of files that this node keeps at most; null for no quota. */
  readonly quotaBytes: number | null;
  /** The same for each phase. */
  readonly phaseQuotaBytes: number | null;
  /** New files are refused when the disk has less than this left, in bytes. */
  readonly reserveBytes: number;
  /** How fast the scrubber reads; 0 turns it off. */
  readonly scrubBytesPerSecond: number;
  /** Rest between two rounds of the scrubber. */
  readonly scrubPauseMs: number;
  /** Between two challenges to prove possession; 0 turns them off. */
  readonly challengeMs: number;
  /** Blocks of one challenge; the prover and the challenger read as many. */
  readonly blocksPerChallenge: number;
  /** Blocks kept in memory for the next node that asks, in bytes. */
  readonly servedCacheBytes: number;
  /** Offers of one member that no record names yet, and how long they stand. */
  readonly offersPerMember: number;
  readonly offerMs: number;
  /** Between two questions whether an offered file has arrived: the first wait, which doubles up to the second. */
  readonly offerPollMs: number;
  readonly offerPollMsMax: number;
  /** How often what no record came to name is looked for. */
  readonly garbageMs: number;
  /** A source that has so many blocks of one file not is of no more use in this run. */
  readonly absentPerSourceMax: number;
}

export const FILES_LIMITS: FilesLimits = {
  filesInFlight: 4,
  sourcesPerFile: 3,
  blocksPerFetch: 3,
  requestsPerSource: 2,
  smallFilesPerFetch: 256,
  smallBytesPerFetch: 2 * 1024 * 1024,
  blocksReadAhead: 12,
  requestTimeoutMs: 30_000,
  retryMs: 2000,
  retryMsMax: 10 * 60_000,
  penaltyMs: 10 * 60_000,
  silencePenaltyMs: 30_000,
  firstSourceMs: 5_000,
  holderGoneMs: 24 * 60 * 60_000,
  holderCheckMs: 10 * 60_000,
  surveyTimeoutMs: 3000,
  receiptDelayMs: 1000,
  receiptsPerTransaction: 256,
  unreferencedMs: 48 * 60 * 60_000,
  bytesPerBlockMin: 256 * 1024,
  fileBytesMax: 32 * 1024 * 1024 * 1024,
  quotaBytes: null,
  phaseQuotaBytes: null,
  reserveBytes: 256 * 1024 * 1024,
  scrubBytesPerSecond: 8 * 1024 * 1024,
  scrubPauseMs: 60 * 60_000,
  challengeMs: 10_000,
  blocksPerChallenge: 4,
  servedCacheBytes: 16 * 1024 * 1024,
  offersPerMember: 16_384,
  offerMs: 60 * 60_000,
  offerPollMs: 20,
  offerPollMsMax: 100,
  garbageMs: 60 * 60_000,
  absentPerSourceMax: 64,
};

export const FILES_PROTOCOL = '/phaseline/files/1';
/** Blocks in one answer, in bytes: it is closed before it grows above this. */
export const FILES_ANSWER_BYTES_MAX = 4 * 1024 * 1024;
/** The answer's names and lengths beside the blocks. */
export const FILES_FRAME_BYTES_MAX = FILES_ANSWER_BYTES_MAX + 64 * 1024;
export const FILES_OUTBOX_BYTES_MAX = 16 * 1024 * 1024;
export const FILES_REQUESTS_IN_FLIGHT_MAX = 4;
