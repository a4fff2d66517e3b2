import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import type { ProjectReadApi, RecordApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { checkSchema, phaseNameSchema, recordKeySchema } from '../../schemas.ts';
import { findPhase } from '../phase/find.ts';

export const recordVerify = (api: RecordApi & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'record_verify',
    summary: 'Checks a record anew from stored bytes: certificate, inclusion, authorship, key and payload.',
    access: 'session',
    params: z.strictObject({ phase: phaseNameSchema, record: recordKeySchema }),
    result: z.object({ ok: z.boolean(), checks: z.array(checkSchema) }),
    errors: ['not_found', 'ambiguous_name', 'forbidden'],
    handle: async ({ phase, record }) => {
      const checks = await api.verifyRecord((await findPhase(api, phase)).state.id, record);
      return isReject(checks)
        ? checks
        : { ok: checks.length > 0 && checks.every(check => check.ok), checks: [...checks] };
    },
  });
