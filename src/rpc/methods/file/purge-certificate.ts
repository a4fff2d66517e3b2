import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import type { FileApi, ProjectReadApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { cidSchema, count, hashText, newFilePathSchema, phaseNameSchema } from '../../schemas.ts';
import { writeNewFile } from '../../streams.ts';
import { findPhase } from '../phase/find.ts';

export const filePurgeCertificate = (api: FileApi & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'file_purgeCertificate',
    summary:
      "Writes what proves a purge offline to a new file on the node's machine: the order, receipts, acknowledgements.",
    access: 'session',
    params: z.strictObject({
      phase: phaseNameSchema,
      cid: cidSchema,
      path: newFilePathSchema,
    }),
    result: z.object({ path: z.string(), bytes: count, sha256: hashText }),
    errors: ['not_found', 'ambiguous_name', 'forbidden', 'conflict', 'unavailable', 'verification_failed'],
    handle: async ({ phase, cid, path }) => {
      const certificate = await api.purgeCertificate((await findPhase(api, phase)).state.id, cid);
      if (isReject(certificate)) return certificate;
      async function* stream() {
        yield certificate as Uint8Array;
      }
      return { path, ...(await writeNewFile(path, stream())) };
    },
  });
