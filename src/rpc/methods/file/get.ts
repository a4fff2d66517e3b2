import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import type { FileApi, ProjectReadApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { cidSchema, count, hashText, newFilePathSchema, phaseNameSchema } from '../../schemas.ts';
import { writeNewFile } from '../../streams.ts';
import { findPhase } from '../phase/find.ts';
import { fileSchema, presentFile } from '../record/present.ts';

export const fileGet = (api: FileApi & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'file_get',
    summary: "Writes a file of a phase to a new file on the node's machine. Others: GET /phases/…/files/CID.",
    access: 'session',
    params: z.strictObject({
      phase: phaseNameSchema,
      cid: cidSchema,
      path: newFilePathSchema,
    }),
    result: z.object({ file: fileSchema, path: z.string(), bytes: count, sha256: hashText }),
    errors: ['not_found', 'ambiguous_name', 'forbidden', 'purged', 'unavailable', 'conflict'],
    handle: async ({ phase, cid, path }, { signal }) => {
      const opened = await api.readFile((await findPhase(api, phase)).state.id, cid, null, signal);
      if (isReject(opened)) return opened;
      const written = await writeNewFile(path, opened.stream);
      return { file: presentFile(opened.file), path, ...written };
    },
  });
