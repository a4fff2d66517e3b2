import type { Hash, LogId } from '../base/ids.ts';
import { isReject } from '../base/reject.ts';
import { decodeLeaf } from '../codec/transaction.ts';
import { leafHash } from '../merkle/log.ts';
import { OUTCOMES } from '../types/outcome.ts';
import { type CheckContext, demand, firstRefusal, type Rule } from './rule.ts';
import { phaseFor } from './standing.ts';

/** A leaf that someone shows, and what it is said to be. */
export interface LeafClaim {
  readonly position: number;
  readonly leaf: Uint8Array;
  readonly id: Hash;
}

/** The log has exactly this leaf there, of this transaction, and it was committed. */
export function verifyLeafClaim({ suite, state }: CheckContext, logId: LogId, claim: LeafClaim): boolean {
  const leaf = decodeLeaf(claim.leaf);
  return (
    !isReject(leaf) &&
    leaf.logId === logId &&
    leaf.position === claim.position &&
    leaf.transactionId === claim.id &&
    leaf.outcome === OUTCOMES.committed &&
    state.leafHash(logId, claim.position) === leafHash(suite.sha256, claim.leaf)
  );
}

/** Any participant says which files its node holds whole; this may go on after a freeze or a closing. */
export const fileReceipt: Rule<'fileReceipt'> = {
  scopes: ({ state }, [content]) => [state.logIdOf('phase', content.phase)],
  check: (context, [content]) => {
    const phase = phaseFor(context, 'fileReceipt', content.phase);
    if (typeof phase === 'number') return phase;
    const logId = context.scopes[0]!;
    return firstRefusal(
      () => demand(content.receipts.length > 0, OUTCOMES.malformed),
      () =>
        demand(
          content.receipts.every(({ cids }) => cids.length > 0),
          OUTCOMES.malformed,
        ),
      () =>
        demand(
          content.receipts.every(({ position, leaf, record }) =>
            verifyLeafClaim(context, logId, { position, leaf, id: record }),
          ),
          OUTCOMES.unknownRecord,
        ),
    );
  },
  apply: {},
};
