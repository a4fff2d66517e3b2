import { z } from 'zod';
import type { FileApi, ProjectReadApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { cidSchema, phaseNameSchema } from '../../schemas.ts';
import { findPhase } from '../phase/find.ts';

export const fileRepair = (api: FileApi & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'file_repair',
    summary: "Fetches missing or damaged blocks of a file from the phase's nodes.",
    access: 'session',
    params: z.strictObject({ phase: phaseNameSchema, cid: cidSchema }),
    result: z.object({ whole: z.boolean(), reason: z.string().nullable() }),
    errors: ['not_found', 'ambiguous_name', 'forbidden', 'purged', 'unavailable'],
    handle: async ({ phase, cid }, { signal }) =>
      api.repairFile((await findPhase(api, phase)).state.id, cid, signal),
  });
