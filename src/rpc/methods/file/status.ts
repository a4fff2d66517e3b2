import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import type { FileApi, FileStatus, ProjectReadApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { cidSchema, count, hashText, phaseNameSchema, time, timeSchema } from '../../schemas.ts';
import { findPhase } from '../phase/find.ts';
import { presentRetention, retentionSchema } from '../phase/present-retention.ts';
import { fileSchema, presentFile } from '../record/present.ts';

const fileStatusSchema = z.object({
  file: fileSchema,
  record: hashText,
  position: count,
  copies: count.meta({ description: 'members that signed a receipt for the whole file' }),
  copiesReachable: count.meta({ description: 'those whose node says now that it has the whole file' }),
  copiesTarget: count,
  copiesMinimum: count,
  holders: z.array(z.object({ member: z.string(), height: count, reachable: z.boolean() })),
  local: z.enum(['none', 'partial', 'whole']),
  missing: z.array(z.string()),
  reason: z.string().nullable(),
  pinned: z.boolean(),
  proofs: z
    .array(
      z.object({
        member: z.string(),
        proven: timeSchema
          .nullable()
          .meta({ description: 'last proof of possession that this node checked' }),
        failedSince: timeSchema.nullable().meta({ description: 'since when its answers are wrong or empty' }),
      }),
    )
    .meta({ description: 'what the holders showed when this node asked for a proof' }),
});

function present(status: FileStatus) {
  return {
    file: presentFile(status.file),
    record: status.record,
    position: status.position,
    copies: status.holders.length,
    copiesReachable: status.holders.filter(holder => holder.reachable).length,
    copiesTarget: status.copiesTarget,
    copiesMinimum: status.copiesMinimum,
    holders: status.holders.map(holder => ({ ...holder })),
    local: status.local,
    missing: [...status.missing],
    reason: status.reason,
    pinned: status.pinned,
    proofs: status.proofs.map(({ member, provenMs, failedSinceMs }) => ({
      member,
      proven: provenMs === null ? null : time(provenMs),
      failedSince: failedSinceMs === null ? null : time(failedSinceMs),
    })),
  };
}

export const fileStatus = (api: FileApi & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'file_status',
    summary:
      'Who holds the files of a phase: k of n copies, which of them answer now, and what this node has of them.',
    access: 'session',
    params: z.strictObject({ phase: phaseNameSchema, cid: cidSchema.nullable().default(null) }),
    result: z.object({ files: z.array(fileStatusSchema), retention: retentionSchema }),
    errors: ['not_found', 'ambiguous_name', 'forbidden'],
    handle: async ({ phase, cid }) => {
      const { state } = await findPhase(api, phase);
      const files = await api.fileStatus(state.id, cid);
      return isReject(files) ? files : { files: files.map(present), retention: presentRetention(state) };
    },
  });
