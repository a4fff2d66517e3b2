import type { PhaseId } from '../../core/base/ids.ts';
import { type Reject, reject } from '../../core/base/reject.ts';
import type { PeerId } from '../../ports/transport.ts';
import type { FileLedger } from './ledger.ts';

/**
 * Null when the peer's member may fetch `root` as part of `phase` now. One refusal for every reason, so that a stranger does not
 * learn which phases and files exist (SCENARIOS 82).
 */
export function checkFetch(ledger: FileLedger, peer: PeerId, phaseId: PhaseId, root: string): Reject | null {
  const member = ledger.memberOfPeer(peer);
  const reads = member !== null && ledger.phase(phaseId)?.readers.includes(member) === true;
  const permitted = reads && ledger.phasesOf(root).includes(phaseId);
  return permitted ? null : reject('not_permitted', 'no such file for this member', 'ignore');
}
