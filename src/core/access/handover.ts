import type { Hash } from '../base/ids.ts';
import { isReject } from '../base/reject.ts';
import { handoverItemHash } from '../codec/handover.ts';
import { createTransactionVerifier, type VerifyTransaction } from '../ledger/signature.ts';
import { checkAuthorship } from '../light/authorship.ts';
import { originalOf } from '../light/record.ts';
import { treeRoot } from '../merkle/log.ts';
import type { Deed } from '../types/flow.ts';
import { LIMITS } from '../types/limits.ts';
import {
  type HandoverItem,
  LIFECYCLE,
  type PhaseHandoverSource,
  type PhaseHandoverTarget,
} from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { PhaseState } from '../types/state.ts';
import { checkApproved } from './approvals.ts';
import { currentEpoch } from './epochs.ts';
import { sourcePlaceOf } from './handover-item.ts';
import { verifyLeafClaim } from './receipts.ts';
import { type CheckContext, demand, firstRefusal, type Rule } from './rule.ts';
import { phaseFor } from './standing.ts';

/** Where the source's log has a record: the order of leaves, then that of the items of one leaf. */
type Entry = PhaseHandoverSource['records'][number];

function isBefore(a: Entry, b: Entry): boolean {
  return a.position < b.position || (a.position === b.position && (a.item ?? -1) < (b.item ?? -1));
}

/** The parts name each other and the same records, in the order of the source's log, each once. */
function isConsistent(
  source: PhaseHandoverSource,
  target: PhaseHandoverTarget,
  items: readonly HandoverItem[],
): boolean {
  const { records } = source;
  return (
    source.target === target.phase &&
    source.phase === target.source &&
    records.length > 0 &&
    records.length === items.length &&
    records.length === target.itemCount &&
    records.every(
      ({ position, item }, index) =>
        position === items[index]!.position && item === (items[index]!.relay?.item ?? null),
    ) &&
    records.every((record, index) => index === 0 || isBefore(records[index - 1]!, record)) &&
    new Set(records.map(record => record.id)).size === records.length
  );
}

/**
 * The item is what the source's log has at that place, whole and unchanged: the record's own leaf, or an item that an
 * earlier handover brought there. The ledger has checked the earlier one in the same way, so its lineage holds too. Its
 * author's signature comes with it: no leaf commits to that, and without it the target could not tell who wrote the record.
 * @returns the hash of the item in the tree of the items; null when it is not
 */
function checkedItemHash(
  context: CheckContext,
  entry: Entry,
  item: HandoverItem,
  verify: VerifyTransaction,
): Hash | null {
  const { suite, state } = context;
  const record = originalOf(suite.sha256, item);
  const place = sourcePlaceOf(suite.sha256, item);
  if (isReject(record) || isReject(place) || record.leaf.transactionId !== entry.id) return null;
  const leaf = item.relay?.leaf ?? item.leaf;
  const claim = { position: entry.position, leaf, id: place.leaf.transactionId };
  if (!verifyLeafClaim(context, context.scopes[0]!, claim)) return null;
  if (checkAuthorship(suite, state.system(), record.leaf, record.transaction, verify) !== null) return null;
  return handoverItemHash(suite.sha256, item.salt, item, place.steps);
}

function checkItems(
  context: CheckContext,
  source: PhaseHandoverSource,
  target: PhaseHandoverTarget,
  items: readonly HandoverItem[],
): number {
  const hashes: Hash[] = [];
  // records that were signed together share a signature
  const verify = createTransactionVerifier(context.suite, LIMITS.itemsPerHandover);
  for (const [index, item] of items.entries()) {
    const hash = checkedItemHash(context, source.records[index]!, item, verify);
    if (hash === null) return OUTCOMES.unknownRecord;
    hashes.push(hash);
  }
  return demand(treeRoot(context.suite.sha256, hashes) === target.itemsRoot, OUTCOMES.malformed);
}

/** A request names its records, or means all that were there; which of the two is for `checkApproved`. */
function deedOf({ target }: PhaseHandoverSource): Deed {
  return { kind: 'phaseHandover', target, records: [] };
}

function isSuccessor({ state }: CheckContext, source: PhaseState, target: PhaseState): boolean {
  const phases = state.project(source.project)?.phases ?? [];
  const entry = phases.find(phase => phase.id === target.id);
  return entry?.predecessors.includes(source.id) ?? false;
}

/** The source decides what it hands over; the target receives under its current epoch and changes no state but its log. */
export const phaseHandover: Rule<'phaseHandover'> = {
  scopes: ({ state }, [source, target]) => [
    state.logIdOf('phase', source.phase),
    state.logIdOf('phase', target.phase),
  ],
  check: (context, [source, target, items]) => {
    const from = phaseFor(context, 'phaseHandover', source.phase);
    if (typeof from === 'number') return from;
    const to = context.state.phase(target.phase);
    if (to === null) return OUTCOMES.unknownPhase;
    return firstRefusal(
      () => demand(isSuccessor(context, from, to), OUTCOMES.notSuccessor),
      () => demand(from.lifecycle !== LIFECYCLE.draft, OUTCOMES.wrongLifecycle),
      () => demand(from.lifecycle !== LIFECYCLE.archived, OUTCOMES.wrongLifecycle),
      () => demand(to.lifecycle <= LIFECYCLE.open, OUTCOMES.wrongLifecycle),
      () => demand(!to.frozen, OUTCOMES.phaseFrozen),
      () => demand(target.epoch === currentEpoch(to).number, OUTCOMES.staleEpoch),
      () => demand(isConsistent(source, target, items), OUTCOMES.malformed),
      () => checkApproved(context, from, deedOf(source), source.records),
      () => checkItems(context, source, target, items),
    );
  },
  apply: {},
};
