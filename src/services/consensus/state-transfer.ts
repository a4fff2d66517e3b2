import type { Reject } from '../../core/base/reject.ts';
import type { Certificate, ValidatorSet } from '../../core/types/chain.ts';
import type { PeerId } from '../../ports/transport.ts';
import type { SyncBlock } from '../../wire/sync.ts';
import type { SyncTarget } from '../sync/sync.ts';
import type { ChainReader } from './chain-reader.ts';
import type { Committer } from './committer.ts';
import type { SigningLog } from './signing-log.ts';

export interface StateTransferConfig {
  readonly chain: ChainReader;
  readonly committer: Committer;
  readonly signing: SigningLog;
  isStopped(): boolean;
  /** The head has moved past what the engine knows. */
  synced(): void;
  fail(error: unknown): void;
}

/** What synchronisation may do to a consensus node: move its head by verified blocks, or to a verified snapshot. */
export class StateTransfer implements SyncTarget {
  constructor(private readonly config: StateTransferConfig) {}

  headHeight(): number {
    return this.config.chain.headHeight();
  }

  connectedValidators(): readonly PeerId[] {
    return this.config.chain.connectedSyncPeers();
  }

  synced(): void {
    this.config.synced();
  }

  async applyCertified(block: SyncBlock): Promise<Reject | null> {
    if (this.config.isStopped()) return null;
    try {
      return await this.config.committer.applyCertified(block);
    } catch (error) {
      this.config.fail(error);
      return null;
    }
  }

  inspect(certificate: Certificate, set: ValidatorSet): Promise<void> {
    return this.config.signing.inspect(certificate, set);
  }

  async installSnapshot(height: number, install: () => Promise<void>): Promise<void> {
    if (!this.config.isStopped()) await this.config.committer.installSnapshot(height, install);
  }

  fail(error: unknown): void {
    this.config.fail(error);
  }
}
