import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import type { ProjectReadApi, ProofApi, RecordApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { SHOW_NOTHING } from '../../proof-api.ts';
import { checkSchema, phaseNameSchema, recordKeySchema } from '../../schemas.ts';
import { findPhase } from '../phase/find.ts';

export const recordVerify = (api: RecordApi & ProjectReadApi & ProofApi): RpcMethod =>
  defineMethod({
    name: 'record_verify',
    summary:
      'Checks a record anew as a third party would: certificate, inclusion, author; then key and payload, which this node can open.',
    access: 'session',
    params: z.strictObject({ phase: phaseNameSchema, record: recordKeySchema }),
    result: z.object({ ok: z.boolean(), checks: z.array(checkSchema) }),
    errors: ['not_found', 'ambiguous_name', 'forbidden', 'unavailable', 'verification_failed'],
    handle: async ({ phase, record }) => {
      const { id } = (await findPhase(api, phase)).state;
      const proof = await api.prove({ type: 'record', phase: id, key: record, show: SHOW_NOTHING });
      if (isReject(proof)) return proof;
      const own = await api.verifyRecord(id, record);
      if (isReject(own)) return own;
      const checks = [...proof.verdict.checks, ...own];
      return { ok: own.length > 0 && checks.every(check => check.ok), checks };
    },
  });
