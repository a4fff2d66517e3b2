import type { LogId, MemberId, Suite } from '../../core/base/ids.ts';
import type { ForkEvidence } from '../../core/light/fork.ts';
import type { Genesis } from '../../core/types/state.ts';
import type { Clock } from '../../ports/clock.ts';
import type { KeyValueStore } from '../../ports/kv.ts';
import type { Logger } from '../../ports/logger.ts';
import type { RandomBytes } from '../../ports/random.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import type { Published } from './light-store.ts';
import type { LightClientLimits } from './limits.ts';

export interface LightClientConfig {
  readonly genesis: Genesis;
  readonly member: MemberId;
  readonly suite: Suite;
  /** Open; keys under `light/` are this service's. */
  readonly kv: KeyValueStore;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logger: Logger;
  /** Consensus nodes. */
  readonly sources: readonly { readonly peer: PeerId; readonly addresses: readonly string[] }[];
  /** This node itself can no longer do its work: its disk failed, or an invariant broke. No source is to blame. */
  readonly fail: (error: unknown) => void;
  readonly limits?: Partial<LightClientLimits>;
}

export interface LightEvents {
  /** Items [from, to) of a log were verified and stored. */
  updated?(logId: LogId, from: number, to: number): void;
  /** The head that all reads include. */
  head?(head: Published): void;
  /** Validators have certified two histories; the evidence is on disk, and nothing newer is believed. */
  forked?(evidence: ForkEvidence): void;
}
