import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import type { FileApi, ProjectReadApi, RecordApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { phaseNameSchema } from '../../schemas.ts';
import { findPhase } from '../phase/find.ts';
import { presentRecordReceipt, recordReceiptSchema, recordTextSchemas } from '../record/present.ts';
import { openLocalFiles } from './local.ts';

export const filePut = (api: FileApi & RecordApi & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'file_put',
    summary:
      "Puts a file of the node's machine into a phase, as a record that names it. Others: PUT /phases/…/files.",
    access: 'session',
    params: z.strictObject({
      phase: phaseNameSchema,
      path: z.string().min(1).max(4_096).meta({ description: "absolute path on the node's machine" }),
      name: recordTextSchemas.fileName.nullable().default(null),
      mediaType: recordTextSchemas.mediaType.default('application/octet-stream'),
      type: recordTextSchemas.type.default('file'),
      title: recordTextSchemas.title.default(''),
    }),
    result: recordReceiptSchema,
    errors: [
      'not_found',
      'ambiguous_name',
      'forbidden',
      'refused',
      'conflict',
      'unavailable',
      'expired',
      'limit_exceeded',
    ],
    handle: async ({ phase, path, name, mediaType, type, title }, { signal }) => {
      const { id } = findPhase(api, phase).state;
      const files = await openLocalFiles([{ path, name, mediaType }]);
      try {
        const receipt = await api.putRecord(
          {
            phase: id,
            type,
            title,
            mediaType: 'text/plain',
            data: new Uint8Array(),
            files: files.inputs,
            references: [],
          },
          signal,
        );
        return isReject(receipt) ? receipt : presentRecordReceipt(receipt);
      } finally {
        files.close();
      }
    },
  });
