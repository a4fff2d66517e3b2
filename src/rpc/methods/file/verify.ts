import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import type { FileApi, ProjectReadApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { checkSchema, cidSchema, phaseNameSchema } from '../../schemas.ts';
import { findPhase } from '../phase/find.ts';

export const fileVerify = (api: FileApi & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'file_verify',
    summary: 'Reads the local copy of a file and checks every block, the key commitment and the length.',
    access: 'session',
    params: z.strictObject({ phase: phaseNameSchema, cid: cidSchema }),
    result: z.object({ ok: z.boolean(), checks: z.array(checkSchema) }),
    errors: ['not_found', 'ambiguous_name', 'forbidden', 'purged'],
    handle: async ({ phase, cid }) => {
      const checks = await api.verifyFile((await findPhase(api, phase)).state.id, cid);
      return isReject(checks)
        ? checks
        : { ok: checks.length > 0 && checks.every(check => check.ok), checks: [...checks] };
    },
  });
