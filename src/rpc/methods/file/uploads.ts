import { z } from 'zod';
import type { ParticipantApi, ProjectReadApi } from '../../api.ts';
import { RpcFailure } from '../../errors.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { count, hashText, phaseNameSchema } from '../../schemas.ts';
import type { Upload } from '../../uploads.ts';
import { findPhase } from '../phase/find.ts';

export const uploadSchema = z.object({
  id: z.string(),
  phase: hashText,
  name: z.string(),
  mediaType: z.string(),
  bytes: count.nullable().meta({ description: 'length; null while it is not known' }),
  offset: count.meta({ description: 'bytes that came' }),
  fingerprint: z.string().nullable(),
  stage: z.enum(['receiving', 'stored', 'replicating', 'committing', 'committed', 'failed']),
  copies: z
    .object({ copies: count, wanted: count, bytesConfirmed: count })
    .nullable()
    .meta({ description: 'while its record waits for copies: what other nodes confirmed' }),
  cid: z.string().nullable(),
  record: hashText.nullable(),
  error: z.string().nullable(),
});

export function presentUpload({
  id,
  phase,
  name,
  mediaType,
  bytes,
  offset,
  fingerprint,
  stage,
  ...upload
}: Upload) {
  const { copies, staged, receipt, error } = upload;
  return {
    ...{ id, phase, name, mediaType, bytes, offset, fingerprint, stage },
    copies: copies === null ? null : { ...copies },
    cid: receipt?.files[0]?.cid ?? staged?.cid ?? null,
    record: receipt?.id ?? null,
    error: error === null ? null : error instanceof RpcFailure ? error.message : 'it could not be stored',
  };
}

export const fileUploads = (api: Pick<ParticipantApi, 'uploads'> & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'file_uploads',
    summary: 'Files on their way into a phase: how far each one is, and what became of the last ones.',
    access: 'session',
    params: z.strictObject({ phase: phaseNameSchema }),
    result: z.object({ uploads: z.array(uploadSchema) }),
    errors: ['not_found', 'ambiguous_name'],
    handle: async ({ phase }) => {
      const { id } = (await findPhase(api, phase)).state;
      return {
        uploads: api.uploads
          .list()
          .filter(upload => upload.phase === id)
          .map(presentUpload),
      };
    },
  });
