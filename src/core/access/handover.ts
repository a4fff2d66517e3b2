import type { LogId, Sha256 } from '../base/ids.ts';
import { isReject } from '../base/reject.ts';
import { bodyId, decodeBody, partHash } from '../codec/transaction.ts';
import {
  type HandoverItem,
  KINDS,
  LIFECYCLE,
  type PhaseHandoverSource,
  type PhaseHandoverTarget,
} from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { PhaseState } from '../types/state.ts';
import { currentEpoch } from './epochs.ts';
import { verifyLeafClaim } from './receipts.ts';
import { type CheckContext, demand, firstRefusal, type Rule } from './rule.ts';
import { phaseFor } from './standing.ts';

/** Both parts name each other and the same records, in the order of the source's log, each once. */
function isConsistent(source: PhaseHandoverSource, target: PhaseHandoverTarget): boolean {
  return (
    source.target === target.phase &&
    source.phase === target.source &&
    source.records.length > 0 &&
    source.records.length === target.items.length &&
    source.records.every((record, index) => record.position === target.items[index]!.position) &&
    source.records.every(
      (record, index) => index === 0 || source.records[index - 1]!.position < record.position,
    )
  );
}

/** The item is the record that the source's log has at this position, whole and unchanged. */
function isRecordOf(sha256: Sha256, logId: LogId, item: HandoverItem): boolean {
  const body = decodeBody(item.body);
  return (
    !isReject(body) &&
    body.kind === KINDS.recordPut &&
    body.scopes[0] === logId &&
    body.parts.length === 2 &&
    body.parts[0]!.hash === partHash(sha256, item.meta) &&
    body.parts[1]!.hash === partHash(sha256, item.payload)
  );
}

function checkItems(context: CheckContext, source: PhaseHandoverSource, target: PhaseHandoverTarget): number {
  const { sha256 } = context.suite;
  const logId = context.scopes[0]!;
  const holds = target.items.every((item, index) => {
    const { id, position } = source.records[index]!;
    return (
      bodyId(sha256, item.body) === id &&
      verifyLeafClaim(context, logId, { position, leaf: item.leaf, id }) &&
      isRecordOf(sha256, logId, item)
    );
  });
  return demand(holds, OUTCOMES.unknownRecord);
}

function isSuccessor({ state }: CheckContext, source: PhaseState, target: PhaseState): boolean {
  const phases = state.project(source.project)?.phases ?? [];
  const entry = phases.find(phase => phase.id === target.id);
  return entry?.predecessors.includes(source.id) ?? false;
}

/**
 * The source decides what it hands over; the target receives under its current epoch and changes no state but its log.
 * The signatures of the items are not checked again: their leaves say that the ledger accepted them.
 */
export const phaseHandover: Rule<'phaseHandover'> = {
  scopes: ({ state }, [source, target]) => [
    state.logIdOf('phase', source.phase),
    state.logIdOf('phase', target.phase),
  ],
  check: (context, [source, target]) => {
    const from = phaseFor(context, 'phaseHandover', source.phase);
    if (typeof from === 'number') return from;
    const to = context.state.phase(target.phase);
    if (to === null) return OUTCOMES.unknownPhase;
    return firstRefusal(
      () => demand(isSuccessor(context, from, to), OUTCOMES.notSuccessor),
      () => demand(from.lifecycle !== LIFECYCLE.draft, OUTCOMES.wrongLifecycle),
      () => demand(to.lifecycle !== LIFECYCLE.closed, OUTCOMES.wrongLifecycle),
      () => demand(!to.frozen, OUTCOMES.phaseFrozen),
      () => demand(target.epoch === currentEpoch(to).number, OUTCOMES.staleEpoch),
      () => demand(isConsistent(source, target), OUTCOMES.malformed),
      () => checkItems(context, source, target),
    );
  },
  apply: {},
};
