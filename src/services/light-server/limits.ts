import type { ProtocolOptions } from '../../ports/transport.ts';

/** Both sides of the light protocol. A frame holds a whole scope state (16 MiB) and a transaction (8 MiB) at most. */
export const LIGHT_PROTOCOL: ProtocolOptions = {
  id: '/phaseline/light/1',
  frameBytesMax: 28 << 20,
  outboxBytesMax: 56 << 20,
  requestsInFlightMax: 4,
};

/** Why a log that the asker may read is not served: its transactions are gone here, and others may have them. */
export const PRUNED = 'pruned';

/** What a log is refused with to a member that is suspended: it comes back when the member does. */
export const SUSPENDED = 'suspended';

export interface LightServerLimits {
  /** An answer is full after so many bytes of states, proofs and items; a log that is served at all gets its state and an item. */
  readonly answerBytesTarget: number;
  readonly itemsPerAnswer: number;
  readonly scopesPerAnswer: number;
  readonly setChangesPerAnswer: number;
  /** Roots of subtrees that are kept, some 200 bytes each: those of about a million leaves. */
  readonly subtreesKept: number;
  /** Members' logs of which the keys in the map are remembered, some 300 bytes each. */
  readonly quietLogsKept: number;
  /** Blocks whose transaction trees are kept for receipts: up to 8 MiB each at the format's limit of entries. */
  readonly entryTreesKept: number;
  /** Shortest time between two notices of a new head. */
  readonly noticeIntervalMs: number;
  /** How long a member whose logs did not change is not told of new heads. */
  readonly idleNoticeMs: number;
}

export const LIGHT_SERVER_LIMITS: LightServerLimits = {
  answerBytesTarget: 1 << 20,
  itemsPerAnswer: 4096,
  scopesPerAnswer: 1024,
  setChangesPerAnswer: 64,
  subtreesKept: 65_536,
  quietLogsKept: 131_072,
  entryTreesKept: 32,
  noticeIntervalMs: 10,
  idleNoticeMs: 1_000,
};
