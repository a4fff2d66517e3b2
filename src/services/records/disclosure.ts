import type { LogId, PhaseId } from '../../core/base/ids.ts';
import type { DossierFile, Opening } from '../../core/light/dossier.ts';
import { type Context, phaseLog } from './context.ts';
import { openForHandover, readRecord } from './reading.ts';
import { type Refusal, unknownPhase } from './refusal.ts';

/** What a dossier shows of a phase's records beyond the certified leaves. */
export interface Disclosure {
  readonly openings: readonly Opening[];
  readonly files: readonly DossierFile[];
}

/**
 * Opens every record of a phase that this member can open, for someone who shall read them without being in the phase. A
 * content key discloses its one record; the plaintext also has the keys of that record's files.
 * @param payloads false to name the files only
 */
export async function disclose(
  context: Context,
  phase: PhaseId,
  payloads: boolean,
): Promise<Disclosure | Refusal> {
  if ((await context.follower.catchUp(phase)) === null) return unknownPhase(phase);
  const logId = phaseLog(context, phase);
  const openings: Opening[] = [];
  const files: DossierFile[] = [];
  for (const place of context.index.from(phase, 0, Number.MAX_SAFE_INTEGER)) {
    const { position, item } = place;
    const view = await readRecord(context, phase, place);
    for (const { cid, ciphertextBytes } of view?.fileReferences ?? []) {
      files.push({ logId, position, item, cid, ciphertextBytes });
    }
    const opened = payloads && view?.content ? await openForHandover(context, phase, place) : null;
    const payload = opened?.source.transaction.signed.parts[1] ?? null;
    if (opened === null || payload === null) continue;
    const { contentKey, meta, source } = opened;
    const written = source.transaction.body.scopes[0] as LogId;
    const plaintext = context.crypto.openPayload(contentKey, { logId: written, ...meta }, payload.content);
    if (plaintext !== null) openings.push({ logId, position, item, contentKey, plaintext });
  }
  return { openings, files };
}
