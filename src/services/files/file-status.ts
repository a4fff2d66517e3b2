import type { MemberId, Sha256 } from '../../core/base/ids.ts';
import type { Placement } from '../../core/placement/placement.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { CarFormat } from '../../ports/car.ts';
import type { Clock } from '../../ports/clock.ts';
import type { FileCipher } from '../../ports/file-cipher.ts';
import type { FileDag } from '../../ports/file-dag.ts';
import type { KeyValueStore } from '../../ports/kv.ts';
import type { Logger } from '../../ports/logger.ts';
import type { RandomBytes } from '../../ports/random.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import type { Extent } from '../../wire/files.ts';
import type { HolderProof } from './api.ts';
import type { FetchState } from './fetch-task.ts';
import type { FileEntry, FileLedger } from './ledger.ts';
import type { FilesLimits } from './limits.ts';

export interface FileServiceConfig {
  readonly blobs: BlobStore;
  /** Names the store, where the operator can choose another: files that are not there are fetched again. */
  readonly place?: string;
  /** Over the same blob store. */
  readonly dag: FileDag;
  /** Opened; keys under `files/`. */
  readonly kv: KeyValueStore;
  readonly cipher: FileCipher;
  readonly car: CarFormat;
  readonly random: RandomBytes;
  readonly ledger: FileLedger;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sha256: Sha256;
  readonly limits?: Partial<FilesLimits>;
}

/** What a node itself has of a file. */
export type LocalExtent = Exclude<Extent, 'purged'>;

/** One file of one phase: "k of n" and why not more. */
export interface FileStatus extends Placement {
  readonly entry: FileEntry;
  /** The k: current participants that signed to hold the file. */
  readonly copies: number;
  /** Copies under which the phase's policy sees a gap. */
  readonly minimum: number;
  /** Members that should hold the file and have not signed. */
  readonly missing: readonly MemberId[];
  /** What this node has for this phase. */
  readonly local: LocalExtent;
  /** True when it has the file by the records of another phase only: it neither serves it in this one nor signs for it. */
  readonly withheld: boolean;
  /** True when this node keeps its copy whatever the placement says. */
  readonly pinned: boolean;
  /** What other holders showed of their copies to this node. */
  readonly proofs: readonly HolderProof[];
  /** This node's fetching; null when there is nothing to fetch. */
  readonly fetch: FetchState | null;
}

/** What a connected node says that it has. */
export interface Possession {
  readonly peer: PeerId;
  readonly member: MemberId | null;
  readonly extent: Extent | null;
}
