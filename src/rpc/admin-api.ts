import type { PhaseId } from '../core/base/ids.ts';
import type { Validator } from '../core/types/chain.ts';

/** What this node has of a phase, and how far its keys reach. */
export interface PhaseStanding {
  /** `holder`: of a share of the recovery key, and nothing else. */
  readonly standing: 'foreign' | 'removed' | 'participant' | 'owner' | 'holder';
  /** First position that a removed member may not read; null for others. */
  readonly end: number | null;
  /** Number of key epochs in the newest state of the phase that this node has. */
  readonly epochs: number;
  readonly openEpochs: readonly number[];
  readonly frozen: boolean;
  /** Whether the node's keys open the newest card of the phase that it has. */
  readonly opensCard: boolean;
  readonly label: string | null;
  readonly projectLabel: string | null;
}

/** Asks a peer directly for what it may refuse: shows refusals, changes nothing. Mounted with `rpc.admin = true` only. */
export interface AdminApi {
  /** The consensus nodes of the current set. */
  sources(): readonly Validator[];
  standing(phase: PhaseId): Promise<PhaseStanding>;
  probe(
    input: {
      readonly peer: string;
      /** Multiaddrs to dial when the peer is not connected. */
      readonly addresses: readonly string[];
    } & (
      | { readonly kind: 'log'; readonly phase: PhaseId; readonly from: number }
      | { readonly kind: 'file'; readonly phase: PhaseId; readonly cid: string }
    ),
  ): Promise<{
    readonly answer: 'served' | 'refused' | 'unreachable';
    readonly reason: string;
    readonly bytes: number;
  }>;
}
