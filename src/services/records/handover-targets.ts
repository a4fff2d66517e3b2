import type { PhaseId, TransactionId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import type { Context } from './context.ts';
import { type HandoverReceipt, handover, type TargetEpoch } from './handover.ts';
import { readRecord } from './reading.ts';
import { type Refusal, refuse, short, unknownPhase } from './refusal.ts';

export interface HandoverToInput {
  readonly source: PhaseId;
  /** Each once; `epoch` for a sender who cannot read the target, otherwise null. */
  readonly targets: readonly { readonly phase: PhaseId; readonly epoch: TargetEpoch | null }[];
  /** Ids of records of the source; with `files` also null, everything that can be opened (`HandoverInput.records`). */
  readonly records: readonly TransactionId[] | null;
  /** CIDs: the records of the source that name one of them go too, with all their files. */
  readonly files: readonly string[] | null;
}

/** What became of one target: of the two one is null. */
export interface TargetResult {
  readonly target: PhaseId;
  readonly receipt: HandoverReceipt | null;
  readonly refusal: Refusal | null;
}

/** The records of a phase that name one of these files; each file must be named by one. */
async function recordsWith(
  context: Context,
  source: PhaseId,
  files: readonly string[],
): Promise<TransactionId[] | Refusal> {
  const missing = new Set(files);
  const wanted = new Set(files);
  const found: TransactionId[] = [];
  for (const place of context.index.from(source, 0, Number.MAX_SAFE_INTEGER)) {
    const names = (await readRecord(context, source, place))?.fileReferences ?? [];
    const hits = names.filter(({ cid }) => wanted.has(cid));
    if (hits.length > 0) found.push(place.id);
    for (const { cid } of hits) missing.delete(cid);
  }
  const [first] = missing;
  if (first === undefined) return found;
  const detail = `no record of phase ${short(source)} names the file ${first}`;
  return refuse('unknown_file', detail, 'The list of files shows those of the phase.');
}

/**
 * Hands the same records over to several successors, one after the other: each is a transaction of its own, because a
 * transaction has one target, so some may be done and others refused. Doing it again goes on with what is missing.
 * @returns a refusal when nothing was done for any of them: the first one's
 */
export async function handOverToAll(
  context: Context,
  input: HandoverToInput,
): Promise<readonly TargetResult[] | Refusal> {
  const { source, targets, files } = input;
  if ((await context.follower.catchUp(source)) === null) return unknownPhase(source);
  const named = files === null ? [] : await recordsWith(context, source, files);
  if (isReject(named)) return named;
  const records =
    input.records === null && files === null ? null : [...new Set([...(input.records ?? []), ...named])];
  const results: TargetResult[] = [];
  for (const { phase: target, epoch: targetEpoch } of targets) {
    const done = await handover(context, { source, target, records, targetEpoch });
    results.push(
      isReject(done) ? { target, receipt: null, refusal: done } : { target, receipt: done, refusal: null },
    );
  }
  return results.every(({ receipt }) => receipt === null) ? results[0]!.refusal! : results;
}

/** One target as calls answer it: nothing of it done where it was refused. */
export function handoverResult({ target, receipt, refusal }: TargetResult) {
  const nothing = { transactions: [], items: 0, skipped: [] };
  return { target, ...(receipt ?? nothing), refusal: refusal ?? receipt?.refusal ?? null };
}
