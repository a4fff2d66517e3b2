import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import type { FileApi, ProjectReadApi, RecordApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { count, hashText, phaseNameSchema, timeSchema } from '../../schemas.ts';
import { findPhase } from '../phase/find.ts';
import { fileSchema, presentRecord } from '../record/present.ts';

const RECORDS_PER_CALL_MAX = 500;

export const fileList = (api: FileApi & RecordApi & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'file_list',
    summary: 'The files that the readable records of a phase name, in the order of the log.',
    access: 'session',
    params: z.strictObject({
      phase: phaseNameSchema,
      name: z
        .string()
        .max(1_024)
        .nullable()
        .default(null)
        .meta({ description: 'only files of this name; with / at the end, those whose names begin with it' }),
      from: count.default(0).meta({ description: 'first position of the log' }),
      limit: z
        .int()
        .min(1)
        .max(RECORDS_PER_CALL_MAX)
        .default(100)
        .meta({ description: 'records to look at' }),
    }),
    result: z.object({
      files: z.array(
        fileSchema.extend({
          ...{ record: hashText, position: count, author: z.string(), time: timeSchema },
          purged: z.boolean().meta({ description: 'the record stays; nobody has the bytes any more' }),
        }),
      ),
      next: count.nullable(),
    }),
    errors: ['not_found', 'ambiguous_name', 'forbidden'],
    handle: async ({ phase, name, from, limit }) => {
      const { id } = (await findPhase(api, phase)).state;
      const page = await api.records(id, from, limit);
      if (isReject(page)) return page;
      const fits = (given: string) =>
        name === null || (name.endsWith('/') ? given.startsWith(name) : given === name);
      const files = page.records.flatMap(view => {
        const { id: record, position, author, time, content } = presentRecord(view, false);
        const isPurged = (cid: string) => api.fileCare.purgeStatus(id, cid) !== null;
        return (content?.files ?? [])
          .filter(file => fits(file.name))
          .map(file => ({ ...file, record, position, author, time, purged: isPurged(file.cid) }));
      });
      return { files, next: page.next < page.size ? page.next : null };
    },
  });
