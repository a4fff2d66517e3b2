import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import type { ProjectReadApi, RecordApi, RecordView } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { count, phaseNameSchema } from '../../schemas.ts';
import { findPhase } from '../phase/find.ts';
import { presentRecord, recordSchema } from './present.ts';

const RECORDS_PER_PAGE_MAX = 500;
const RECORDS_PER_READ = 32;
/** Data of one answer; a page ends earlier when it is reached. */
const DATA_BYTES_PER_PAGE = 8 * 1024 * 1024;

export const recordList = (api: RecordApi & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'record_list',
    summary: 'Records of a phase in the order of its log, one page at a time.',
    access: 'session',
    params: z.strictObject({
      phase: phaseNameSchema,
      from: count.default(0).meta({ description: 'first position of the log; `next` of the page before' }),
      limit: count.min(1).max(RECORDS_PER_PAGE_MAX).default(100),
      withData: z.boolean().default(false),
    }),
    result: z.object({
      records: z.array(recordSchema),
      next: count.nullable().meta({ description: 'position to continue from; null at the end' }),
      size: count.meta({ description: 'entries of the log, records and others' }),
    }),
    errors: ['not_found', 'ambiguous_name', 'forbidden'],
    handle: async ({ phase, from, limit, withData }) => {
      const { id } = (await findPhase(api, phase)).state;
      const records: RecordView[] = [];
      let next = from;
      let size = 0;
      let bytes = 0;
      while (records.length < limit && bytes < DATA_BYTES_PER_PAGE) {
        const page = await api.records(id, next, Math.min(RECORDS_PER_READ, limit - records.length));
        if (isReject(page)) return page;
        records.push(...page.records);
        if (withData) for (const record of page.records) bytes += record.content?.data.length ?? 0;
        size = page.size;
        const advanced = page.next > next;
        next = page.next;
        if (!advanced || next >= size) break;
      }
      return {
        records: records.map(record => presentRecord(record, withData)),
        next: next >= size ? null : next,
        size,
      };
    },
  });
