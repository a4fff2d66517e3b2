import { isReject, type Reject } from '../../../core/base/reject.ts';
import { decodeBody, decodeSignedTransaction } from '../../../core/codec/transaction.ts';
import type { Dossier } from '../../../core/light/dossier.ts';
import { KINDS } from '../../../core/types/operation.ts';
import { OUTCOMES } from '../../../core/types/outcome.ts';
import type { Check, RecordView } from '../../api.ts';
import type { ProofApi, ProofQuestion } from '../../proof-api.ts';

/** Positions of the leaves of a proven range that write a record. */
function recordPositions({ logs }: Dossier): number[] {
  return logs.flatMap(({ frontier, items }) =>
    items.flatMap(({ outcome, transaction }, index) => {
      const signed = decodeSignedTransaction(transaction);
      const body = isReject(signed) ? signed : decodeBody(signed.body);
      const writes = !isReject(body) && body.kind === KINDS.recordPut && outcome === OUTCOMES.committed;
      return writes ? [frontier.size + index] : [];
    }),
  );
}

/** Every leaf of the proven range that writes a record was listed, and each listed record passed its own checks. */
function compare(dossier: Dossier, listed: readonly RecordView[]): Check {
  const name = 'the list has every record of the proven range';
  const claim = dossier.claims[0];
  const positions = new Set(listed.map(record => record.position));
  const { from = 0, to = 0 } = claim?.type === 'range' && claim.unit === 'position' ? claim : {};
  const missing = recordPositions(dossier).filter(at => at >= from && at < to && !positions.has(at));
  if (missing.length === 0) return { name, ok: true, detail: `${listed.length} records` };
  return { name, ok: false, detail: `those at ${missing.slice(0, 10).join(', ')} are missing` };
}

/**
 * What was checked of a list, as a third party would do it: the proof of its range, that nothing of the range is left out, and
 * each record's author, keys and content.
 *
 * @param listed every record of the range, before any filter
 */
export async function verifyList(
  api: ProofApi,
  question: ProofQuestion & { type: 'range'; unit: 'position' },
  listed: readonly RecordView[],
): Promise<readonly Check[] | Reject> {
  const proof = await api.prove(question);
  if (isReject(proof)) return proof;
  const dossier = api.readProof(proof.bytes);
  if (isReject(dossier)) return dossier;
  const bad = listed.filter(record => !record.verified).map(record => record.position);
  const contents: Check = {
    name: 'authors, keys and contents of the records',
    ok: bad.length === 0,
    detail:
      bad.length === 0
        ? `${listed.length} records`
        : `those at ${bad.slice(0, 10).join(', ')} fail: record verify says why`,
  };
  return [...proof.verdict.checks, compare(dossier, listed), contents];
}
