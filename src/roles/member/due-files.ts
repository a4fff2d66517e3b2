import { isDue, retentionOf } from '../../core/access/retention.ts';
import type { PhaseId, TransactionId } from '../../core/base/ids.ts';
import { type Reject, reject } from '../../core/base/reject.ts';
import type { DueFiles } from '../../rpc/file-api.ts';
import type { MemberNode } from './member-node.ts';

type DueNode = {
  readonly light: Pick<MemberNode['light'], 'phases' | 'phase'>;
  readonly records: Pick<MemberNode['records'], 'catchUp'>;
  readonly phaseFiles: Pick<MemberNode['phaseFiles'], 'files'>;
};

/** The files of each phase whose retention is over, and which were not purged yet. @param nowMs of the node's clock */
export async function dueFiles(
  { light, records, phaseFiles }: DueNode,
  wanted: PhaseId | null,
  nowMs: number,
): Promise<readonly DueFiles[] | Reject> {
  if (wanted !== null && light.phase(wanted) === null) {
    return reject('unknown_phase', `there is no phase ${wanted.slice(0, 12)} here`, 'ignore');
  }
  const due: DueFiles[] = [];
  for (const state of light.phases()) {
    const retention = retentionOf(state);
    if ((wanted !== null && state.id !== wanted) || retention?.dueMs == null || !isDue(state, nowMs))
      continue;
    await records.catchUp(state.id);
    const files = new Map<string, { cid: string; ciphertextBytes: number; records: TransactionId[] }>();
    for (const { cid, ciphertextBytes, record } of phaseFiles.files(state.id, 0)) {
      const known = files.get(cid) ?? { cid, ciphertextBytes, records: [] };
      known.records.push(record);
      files.set(cid, known);
    }
    const { days, dueMs } = retention;
    if (files.size > 0) due.push({ phase: state.id, days, dueMs, files: [...files.values()] });
  }
  return due;
}
