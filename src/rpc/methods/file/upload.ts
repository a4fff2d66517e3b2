import { z } from 'zod';
import type { ParticipantApi, ProjectReadApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { phaseNameSchema } from '../../schemas.ts';
import { takeLocalFile } from '../../take-file.ts';
import { findPhase } from '../phase/find.ts';
import { localFileSchemas, TAKE_ERRORS } from '../record/present.ts';
import { presentUpload, uploadSchema } from './uploads.ts';

export const fileUpload = (api: Pick<ParticipantApi, 'uploads'> & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'file_upload',
    summary:
      "Takes in a file of the node's machine for a moment and says how far it is: call again until it is stored, then name the upload in record_put.",
    access: 'session',
    params: z.strictObject({
      phase: phaseNameSchema,
      ...localFileSchemas,
      forMs: z.int().min(0).max(60_000).default(1_000).meta({ description: 'how long this call goes on' }),
    }),
    result: uploadSchema,
    errors: [...TAKE_ERRORS, 'busy'],
    handle: async ({ phase, forMs, ...file }, { signal }) => {
      const enough = AbortSignal.any([signal, AbortSignal.timeout(forMs)]);
      const { id } = (await findPhase(api, phase)).state;
      const upload = await takeLocalFile(api.uploads, { ...file, phase: id }, enough);
      api.uploads.leave(upload.id);
      return presentUpload(upload);
    },
  });
