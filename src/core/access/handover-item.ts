import type { PhaseId, Sha256 } from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import { handoverItemHash } from '../codec/handover.ts';
import { decodePhaseHandoverTarget } from '../codec/operation.ts';
import { bodyId, decodeBody, decodeLeaf, partHash } from '../codec/transaction.ts';
import { verifyInclusion } from '../merkle/log.ts';
import {
  type HandoverItem,
  type HandoverRelay,
  type HandoverStep,
  KINDS,
  type PhaseHandoverTarget,
} from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { Leaf, TransactionBody } from '../types/transaction.ts';

/** How a record came to the phase that hands it over. */
export interface SourcePlace {
  /** The leaf of the source phase's log: the record's own, or that of the handover that brought it. */
  readonly leaf: Leaf;
  /** Every handover before the one that has the item, oldest first. */
  readonly steps: readonly HandoverStep[];
}

function openRelay(sha256: Sha256, item: HandoverItem, relay: HandoverRelay): SourcePlace | Reject {
  const leaf = decodeLeaf(relay.leaf);
  if (isReject(leaf)) return leaf;
  const body = decodeBody(relay.body);
  if (isReject(body)) return body;
  const target = decodePhaseHandoverTarget(relay.target.content);
  if (isReject(target)) return target;
  const isHandover =
    leaf.outcome === OUTCOMES.committed &&
    leaf.transactionId === bodyId(sha256, relay.body) &&
    body.kind === KINDS.phaseHandover &&
    body.scopes[1] === leaf.logId &&
    body.parts[1]?.hash === partHash(sha256, relay.target);
  if (!isHandover) return reject('wrong_relay', 'the leaf is not that of the earlier handover');
  const hasItem = verifyInclusion(sha256, {
    leaf: handoverItemHash(sha256, relay.salt, item, relay.steps),
    index: relay.item,
    size: target.itemCount,
    path: relay.path,
    root: target.itemsRoot,
  });
  if (!hasItem) return reject('wrong_relay', `item ${relay.item} of the earlier handover is another one`);
  const { transactionId: handover, position, height, timeMs } = leaf;
  const step = { source: target.source, handover, sender: body.sender, position, height, timeMs };
  return { leaf, steps: [...relay.steps, step] };
}

/** Follows an item back to the leaf that the source phase's log must have; whether it has it, the ledger checks. */
export function sourcePlaceOf(sha256: Sha256, item: HandoverItem): SourcePlace | Reject {
  if (item.relay !== null) return openRelay(sha256, item, item.relay);
  const leaf = decodeLeaf(item.leaf);
  return isReject(leaf) ? leaf : { leaf, steps: [] };
}

/** The record of an item as its author signed it: metadata and payload are those that the body commits to. */
export function writtenRecordOf(
  sha256: Sha256,
  item: HandoverItem,
): { readonly leaf: Leaf; readonly body: TransactionBody } | Reject {
  const leaf = decodeLeaf(item.leaf);
  if (isReject(leaf)) return leaf;
  const body = decodeBody(item.body);
  if (isReject(body)) return body;
  const fits =
    leaf.transactionId === bodyId(sha256, item.body) &&
    body.kind === KINDS.recordPut &&
    body.scopes[0] === leaf.logId &&
    body.parts.length === 2 &&
    body.parts[0]!.hash === partHash(sha256, item.meta) &&
    body.parts[1]!.hash === partHash(sha256, item.payload);
  return fits ? { leaf, body } : reject('wrong_transaction', 'the handover item is not one whole record');
}

/** The phases that a record of a committed handover has been in before, oldest first; proves nothing. */
export function formerPhasesOf({ source }: PhaseHandoverTarget, { relay }: HandoverItem): PhaseId[] {
  const earlier = relay === null ? null : decodePhaseHandoverTarget(relay.target.content);
  if (relay === null || earlier === null || isReject(earlier)) return [source];
  return [...relay.steps.map(step => step.source), earlier.source, source];
}
