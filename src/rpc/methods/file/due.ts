import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import type { FileApi, ProjectReadApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { count, hashText, phaseNameSchema, time, timeSchema } from '../../schemas.ts';
import { findPhase } from '../phase/find.ts';

export const fileDue = (api: FileApi & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'file_due',
    summary: 'Files that are due for purge: the retention of their phase is over. file_purge orders it.',
    access: 'session',
    params: z.strictObject({
      phase: phaseNameSchema.nullable().default(null).meta({ description: 'null for every phase' }),
    }),
    result: z.object({
      phases: z.array(
        z.object({
          phase: hashText,
          label: z.string().nullable(),
          days: count,
          since: timeSchema,
          files: z.array(z.object({ cid: z.string(), ciphertextBytes: count, records: z.array(hashText) })),
        }),
      ),
    }),
    errors: ['not_found', 'ambiguous_name', 'forbidden'],
    handle: async ({ phase }) => {
      const wanted = phase === null ? null : (await findPhase(api, phase)).state.id;
      const labels = new Map((await api.phases()).map(({ state, label }) => [state.id, label]));
      const due = await api.filesDue(wanted);
      if (isReject(due)) return due;
      return {
        phases: due.map(({ phase: id, days, dueMs, files }) => ({
          ...{ phase: id, label: labels.get(id) ?? null, days, since: time(dueMs) },
          files: files.map(file => ({ ...file, records: [...file.records] })),
        })),
      };
    },
  });
