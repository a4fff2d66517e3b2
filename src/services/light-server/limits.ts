import type { ProtocolOptions } from '../../ports/transport.ts';

/** Both sides of the light protocol. A frame holds a whole scope state (16 MiB) and a transaction (8 MiB) at most. */
export const LIGHT_PROTOCOL: ProtocolOptions = {
  id: '/phaseline/light/1',
  frameBytesMax: 28 << 20,
  outboxBytesMax: 56 << 20,
  requestsInFlightMax: 4,
};

export interface LightServerLimits {
  /** Items of one answer stop after this many bytes; at least one is sent. */
  readonly answerBytesTarget: number;
  readonly itemsPerAnswer: number;
  readonly scopesPerAnswer: number;
  readonly setChangesPerAnswer: number;
  /** Shortest time between two notices of a new head. */
  readonly noticeIntervalMs: number;
}

export const LIGHT_SERVER_LIMITS: LightServerLimits = {
  answerBytesTarget: 1 << 20,
  itemsPerAnswer: 4096,
  scopesPerAnswer: 1024,
  setChangesPerAnswer: 64,
  noticeIntervalMs: 10,
};
