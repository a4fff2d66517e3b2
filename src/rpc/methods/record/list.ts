import { z } from 'zod';
import type { PhaseId } from '../../../core/base/ids.ts';
import { isReject, type Reject } from '../../../core/base/reject.ts';
import type { MemberReadApi, ProjectReadApi, RecordApi, RecordView } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { type ProofApi, SHOW_NOTHING } from '../../proof-api.ts';
import { checkSchema, count, phaseNameSchema, textSchema } from '../../schemas.ts';
import { findPhase } from '../phase/find.ts';
import { presentRecord, recordSchema } from './present.ts';
import { verifyList } from './verified.ts';

const RECORDS_PER_PAGE_MAX = 500;
const RECORDS_PER_READ = 32;
/** Data of one answer; a page ends earlier when it is reached. */
const DATA_BYTES_PER_PAGE = 8 * 1024 * 1024;

export type RecordListApi = RecordApi & ProjectReadApi & ProofApi & MemberReadApi;

interface Filter {
  readonly type: string | null;
  readonly author: string | null;
}

interface Page {
  /** Every record of the positions [first, next). */
  readonly all: RecordView[];
  readonly shown: RecordView[];
  readonly next: number;
  readonly size: number;
}

function fits(record: RecordView, { type, author }: Filter): boolean {
  return (type === null || record.content?.type === type) && (author === null || record.author === author);
}

/** Reads on until the page is full of records that fit, or the range or the log ends. */
async function readPage(
  api: RecordApi,
  phase: PhaseId,
  range: { readonly from: number; readonly to: number | null },
  filter: Filter,
  page: { readonly limit: number; readonly withData: boolean },
): Promise<Page | Reject> {
  const all: RecordView[] = [];
  const shown: RecordView[] = [];
  let next = range.from;
  let size = 0;
  let bytes = 0;
  while (shown.length < page.limit && bytes < DATA_BYTES_PER_PAGE) {
    const wanted = Math.min(RECORDS_PER_READ, page.limit - shown.length);
    const read = await api.records(phase, next, wanted);
    if (isReject(read)) return read;
    size = read.size;
    const inside = read.records.filter(({ position }) => range.to === null || position < range.to);
    const fitting = inside.filter(record => fits(record, filter));
    all.push(...inside);
    shown.push(...fitting);
    if (page.withData) for (const record of fitting) bytes += record.content?.data.length ?? 0;
    const advanced = read.next > next;
    next = range.to === null ? read.next : Math.min(read.next, range.to);
    if (!advanced || next >= size || (range.to !== null && next >= range.to)) break;
  }
  return { all, shown, next, size };
}

const params = z.strictObject({
  phase: phaseNameSchema,
  from: count.default(0).meta({ description: 'first of the range; for positions `next` of the page before' }),
  limit: count.min(1).max(RECORDS_PER_PAGE_MAX).default(100),
  withData: z.boolean().default(false),
  to: count.nullable().default(null).meta({ description: 'first that is not asked for; null for the end' }),
  unit: z
    .enum(['position', 'height', 'time'])
    .default('position')
    .meta({ description: 'of from and to; times in milliseconds since 1970' }),
  type: textSchema(128, 0).nullable().default(null),
  author: textSchema(32).nullable().default(null).meta({ description: 'member id' }),
  verify: z.boolean().default(false).meta({ description: 'prove that nothing of the range is missing' }),
});

export const recordList = (api: RecordListApi): RpcMethod =>
  defineMethod({
    name: 'record_list',
    summary: 'Records of a phase in the order of its log, one page at a time; proven complete where asked.',
    access: 'session',
    params,
    result: z.object({
      records: z.array(recordSchema),
      next: count.nullable().meta({ description: 'position to continue from; null at the end' }),
      size: count.meta({ description: 'entries of the log, records and others' }),
      verification: z
        .object({ ok: z.boolean(), from: count, to: count, checks: z.array(checkSchema) })
        .nullable()
        .meta({ description: 'what was checked of the positions [from, to); null where it was not asked' }),
    }),
    errors: ['not_found', 'ambiguous_name', 'forbidden', 'unavailable', 'verification_failed'],
    handle: async ({ phase, unit, type, author, limit, withData, verify, ...asked }) => {
      const { id } = (await findPhase(api, phase)).state;
      const from = await api.firstPosition(id, unit, asked.from);
      if (isReject(from)) return from;
      const to =
        asked.to === null || unit === 'position' ? asked.to : await api.firstPosition(id, unit, asked.to);
      if (isReject(to)) return to;
      const page = await readPage(api, id, { from, to }, { type, author }, { limit, withData });
      if (isReject(page)) return page;
      const { all, shown, next, size } = page;
      const question = {
        type: 'range',
        phase: id,
        unit: 'position',
        from,
        to: next,
        show: SHOW_NOTHING,
      } as const;
      const checks = verify ? await verifyList(api, question, all) : null;
      if (isReject(checks)) return checks;
      const ended = next >= size || (to !== null && next >= to);
      return {
        records: shown.map(record => presentRecord(record, withData)),
        next: ended ? null : next,
        size,
        verification:
          checks === null
            ? null
            : { ok: checks.every(check => check.ok), from, to: next, checks: [...checks] },
      };
    },
  });
