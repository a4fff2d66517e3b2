import type { PhaseId } from '../core/base/ids.ts';
import type { Validator } from '../core/types/chain.ts';

/** Asks a peer directly for what it may refuse: shows refusals, changes nothing. Mounted with `rpc.admin = true` only. */
export interface AdminApi {
  /** The consensus nodes of the current set. */
  sources(): readonly Validator[];
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
