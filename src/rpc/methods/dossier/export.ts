import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { invalidParams } from '../../params.ts';
import { count, hashText, newFilePathSchema, phaseNameSchema, recordKeySchema } from '../../schemas.ts';
import { writeNewFile } from '../../streams.ts';
import { findPhase } from '../phase/find.ts';
import type { ProofMethodApi } from '../proof/ask.ts';
import { showingOf, showingParams } from '../proof/showing.ts';

async function* once(bytes: Uint8Array) {
  yield bytes;
}

export const dossierExport = (api: ProofMethodApi): RpcMethod =>
  defineMethod({
    name: 'dossier_export',
    summary:
      "Writes the dossier of a phase, or of one record, to a new file on the node's machine. Others: GET /phases/…/dossier.",
    access: 'session',
    params: z.strictObject({
      phase: phaseNameSchema,
      path: newFilePathSchema,
      ...showingParams,
      payloads: z.boolean().default(true).meta({ description: 'with the contents that this node can read' }),
      record: recordKeySchema.nullable().default(null).meta({ description: 'this record only' }),
    }),
    result: z.object({ path: z.string(), bytes: count, sha256: hashText }),
    errors: ['not_found', 'ambiguous_name', 'forbidden', 'conflict', 'unavailable', 'verification_failed'],
    handle: async given => {
      const { path, record, disclose } = given;
      if (record === null && disclose.length > 0) {
        throw invalidParams([{ parameter: 'disclose', fault: 'fields are shown of one record: name it' }]);
      }
      const { id: phase } = (await findPhase(api, given.phase)).state;
      const show = showingOf(api, given);
      if (record === null) {
        const dossier = await api.dossier(phase, show);
        return isReject(dossier) ? dossier : { path, ...(await writeNewFile(path, dossier.stream)) };
      }
      const proof = await api.prove({ type: 'record', phase, key: record, show });
      return isReject(proof) ? proof : { path, ...(await writeNewFile(path, once(proof.bytes))) };
    },
  });
