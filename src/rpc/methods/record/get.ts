import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import type { ProjectReadApi, RecordApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { phaseNameSchema, recordKeySchema } from '../../schemas.ts';
import { findPhase } from '../phase/find.ts';
import { presentRecord, recordSchema } from './present.ts';

export const recordGet = (api: RecordApi & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'record_get',
    summary: 'One record of a phase with its content, by id or position.',
    access: 'session',
    params: z.strictObject({ phase: phaseNameSchema, record: recordKeySchema }),
    result: recordSchema,
    errors: ['not_found', 'ambiguous_name', 'forbidden'],
    handle: async ({ phase, record }) => {
      const found = await api.record((await findPhase(api, phase)).state.id, record);
      return isReject(found) ? found : presentRecord(found);
    },
  });
