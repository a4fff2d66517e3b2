import type { PhaseId } from '../../core/base/ids.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { StorageUse } from './api.ts';
import type { FileIndex, RootRecord } from './file-index.ts';
import type { FilesLimits } from './limits.ts';

export interface UsageConfig {
  readonly blobs: BlobStore;
  readonly index: FileIndex;
  readonly limits: FilesLimits;
}

type Charged = Pick<RootRecord, 'charge' | 'ciphertextBytes'>;

interface Account {
  bytes: number;
  files: number;
}

/** Bytes between two questions for the room that the disk has left. */
const BYTES_PER_LOOK = 64 * 1024 * 1024;

/** Room for a file of unknown length on its way in. */
export interface Reservation {
  /** Throws OperatingError `quota_exceeded` or `disk_full`. @param bytes that come now */
  grow(bytes: number): Promise<void>;
  /** When the file is in the index, or given up. */
  close(): void;
}

/** What the files of this node take, by phase, and what they may take. A file that is fetched counts whole from the start. */
export class Usage {
  private readonly node: Account = { bytes: 0, files: 0 };
  private readonly phases = new Map<PhaseId, Account>();

  constructor(private readonly config: UsageConfig) {}

  async load(): Promise<void> {
    for await (const [, record] of this.config.index.roots()) this.add(record);
  }

  add({ charge, ciphertextBytes }: Charged): void {
    for (const account of this.accounts(charge)) {
      account.bytes += ciphertextBytes;
      account.files += 1;
    }
  }

  remove({ charge, ciphertextBytes }: Charged): void {
    for (const account of this.accounts(charge)) {
      account.bytes -= ciphertextBytes;
      account.files -= 1;
    }
  }

  /** Null when a file of so many more bytes is within the quotas. */
  checkQuota(charge: PhaseId | null, bytes: number): OperatingError | null {
    const { quotaBytes, phaseQuotaBytes } = this.config.limits;
    if (quotaBytes !== null && this.node.bytes + bytes > quotaBytes) {
      return exceeded('this node', quotaBytes, this.node.bytes, bytes);
    }
    const used = charge === null ? 0 : (this.phases.get(charge)?.bytes ?? 0);
    if (charge !== null && phaseQuotaBytes !== null && used + bytes > phaseQuotaBytes) {
      return exceeded(`phase ${charge.slice(0, 12)} on this node`, phaseQuotaBytes, used, bytes);
    }
    return null;
  }

  /** Null when the disk has room for so many more bytes beside what is kept free. */
  async checkDisk(bytes: number): Promise<OperatingError | null> {
    const free = await this.config.blobs.freeBytes();
    const { reserveBytes } = this.config.limits;
    if (free === null || free - bytes >= reserveBytes) return null;
    return new OperatingError(
      'disk_full',
      `the disk has ${free} bytes left; ${reserveBytes} are kept free, and the file needs ${bytes}`,
      'Free some space: the node goes on serving what it has, and takes files again when there is room.',
    );
  }

  /** @param bytes when they are known: checked at once */
  async reserve(charge: PhaseId | null, bytes: number | null): Promise<Reservation> {
    const refusal = this.checkQuota(charge, bytes ?? 0) ?? (await this.checkDisk(bytes ?? 0));
    if (refusal !== null) throw refusal;
    let held = 0;
    let unseen = 0;
    return {
      grow: async more => {
        const fault = this.checkQuota(charge, more);
        if (fault !== null) throw fault;
        held += more;
        unseen += more;
        for (const account of this.accounts(charge)) account.bytes += more;
        if (unseen < BYTES_PER_LOOK) return;
        unseen = 0;
        const full = await this.checkDisk(0);
        if (full !== null) throw full;
      },
      close: () => {
        for (const account of this.accounts(charge)) account.bytes -= held;
        held = 0;
      },
    };
  }

  ofNode(): StorageUse {
    return { ...this.node, bytesMax: this.config.limits.quotaBytes };
  }

  ofPhases(): readonly (StorageUse & { readonly phase: PhaseId })[] {
    const bytesMax = this.config.limits.phaseQuotaBytes;
    return [...this.phases].map(([phase, account]) => ({ phase, ...account, bytesMax }));
  }

  private accounts(charge: PhaseId | null): Account[] {
    if (charge === null) return [this.node];
    const known = this.phases.get(charge) ?? { bytes: 0, files: 0 };
    this.phases.set(charge, known);
    return [this.node, known];
  }
}

function exceeded(whose: string, bytesMax: number, used: number, bytes: number): OperatingError {
  return new OperatingError(
    'quota_exceeded',
    `the quota of ${whose} is ${bytesMax} bytes; ${used} are used, and the file needs ${bytes} more`,
    'Raise the quota under [files] in config.toml, or purge what is not needed any more.',
  );
}
