import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import type { ProjectReadApi, ProofApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { count, hashText, phaseNameSchema } from '../../schemas.ts';
import { writeNewFile } from '../../streams.ts';
import { findPhase } from '../phase/find.ts';

export const dossierExport = (api: ProofApi & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'dossier_export',
    summary: "Writes a phase's dossier to a new file on the node's machine. Others: GET /phases/…/dossier.",
    access: 'session',
    params: z.strictObject({
      phase: phaseNameSchema,
      path: z
        .string()
        .min(1)
        .max(4_096)
        .meta({ description: "absolute path on the node's machine; not replaced" }),
      payloads: z.boolean().default(true).meta({ description: 'with the contents that this node can read' }),
    }),
    result: z.object({ path: z.string(), bytes: count, sha256: hashText }),
    errors: ['not_found', 'ambiguous_name', 'forbidden', 'conflict', 'unavailable'],
    handle: async ({ phase, path, payloads }) => {
      const dossier = await api.dossier((await findPhase(api, phase)).state.id, { payloads });
      return isReject(dossier) ? dossier : { path, ...(await writeNewFile(path, dossier.stream)) };
    },
  });
