import { z } from 'zod';
import type { PhaseId } from '../../../core/base/ids.ts';
import { isReject } from '../../../core/base/reject.ts';
import type { ProjectReadApi, RecordApi } from '../../api.ts';
import { watchChanges } from '../../changes.ts';
import { failureOfReject } from '../../errors.ts';
import { defineMethod, type Emit, type RpcMethod } from '../../method.ts';
import { count, phaseNameSchema } from '../../schemas.ts';
import { findPhase } from '../phase/find.ts';
import { presentRecord } from '../record/present.ts';
import { connectionOf, subscribedSchema } from './connection.ts';

const RECORDS_PER_READ = 16;

async function pump(
  api: RecordApi,
  phase: PhaseId,
  from: number,
  emit: Emit,
  signal: AbortSignal,
): Promise<void> {
  const changes = watchChanges(api.onRecords, signal);
  try {
    let next = from;
    while (!signal.aborted) {
      const page = await api.records(phase, next, RECORDS_PER_READ);
      if (isReject(page)) throw failureOfReject(page);
      for (const [index, record] of page.records.entries()) {
        if (signal.aborted) return;
        // The records of one handover share a position: whoever resumes among them gets that position again.
        const last = page.records[index + 1]?.position !== record.position;
        await emit({ cursor: record.position + (last ? 1 : 0), item: presentRecord(record) });
      }
      if (page.next > next) next = page.next;
      else await changes.wait();
    }
  } finally {
    changes.close();
  }
}

export const subscriptionRecords = (api: RecordApi & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'subscription_records',
    summary: 'Sends every record of a phase in the order of its log, from a position on; `cursor` resumes.',
    access: 'session',
    params: z.strictObject({
      phase: phaseNameSchema,
      from: count.nullable().default(null).meta({ description: 'first position; null for new records only' }),
    }),
    result: subscribedSchema,
    errors: ['needs_websocket', 'limit_exceeded', 'not_found', 'ambiguous_name', 'forbidden'],
    handle: async ({ phase, from }, context) => {
      const { state, entry } = await findPhase(api, phase);
      const first = from ?? entry.size;
      const subscription = connectionOf(context).subscribe((emit, signal) =>
        pump(api, state.id, first, emit, signal),
      );
      return { subscription, cursor: first };
    },
  });
