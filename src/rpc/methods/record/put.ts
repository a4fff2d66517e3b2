import { z } from 'zod';
import { utf8 } from '../../../core/base/bytes.ts';
import { isReject } from '../../../core/base/reject.ts';
import { LIMITS } from '../../../core/types/limits.ts';
import type { ProjectReadApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { invalidParams } from '../../params.ts';
import { type PutApi, putRecordWithFiles } from '../../put-files.ts';
import { bytesSchema, hashSchema, phaseNameSchema } from '../../schemas.ts';
import { asUserSchema } from '../member/users.ts';
import { findPhase } from '../phase/find.ts';
import {
  copiesWanted,
  localFileSchemas,
  PUT_ERRORS,
  presentRecordReceipt,
  recordReceiptSchema,
  recordTextSchemas,
  waitForCopiesSchema,
} from './present.ts';

/** Room for the rest of the payload in a part of a transaction. */
const DATA_BYTES_MAX = LIMITS.partBytes / 2;

const fileSchema = z.union([
  z.strictObject(localFileSchemas),
  z.strictObject({
    upload: z
      .string()
      .regex(/^[0-9a-f]{32}$/)
      .meta({ description: 'id of an upload that is whole' }),
    name: recordTextSchemas.fileName.nullable().default(null),
    mediaType: recordTextSchemas.mediaType.nullable().default(null),
  }),
]);

const params = z.strictObject({
  phase: phaseNameSchema,
  text: z
    .string()
    .max(DATA_BYTES_MAX)
    .nullable()
    .default(null)
    .meta({ description: 'the data, as text; not together with data' }),
  data: bytesSchema(DATA_BYTES_MAX).nullable().default(null),
  type: recordTextSchemas.type.default(''),
  title: recordTextSchemas.title.default(''),
  mediaType: recordTextSchemas.mediaType.nullable().default(null),
  files: z.array(fileSchema).max(LIMITS.filesPerRecord).default([]),
  references: z
    .array(hashSchema)
    .max(LIMITS.referencesPerRecord)
    .default([])
    .meta({ description: 'ids of earlier records' }),
  waitForCopies: waitForCopiesSchema,
  asUser: asUserSchema,
});

export const recordPut = (api: PutApi & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'record_put',
    summary: 'Writes a record, with files of this machine if any; answers when it is committed and verified.',
    access: 'session',
    params,
    result: recordReceiptSchema,
    errors: PUT_ERRORS,
    handle: async (given, { signal }) => {
      if (given.text !== null && given.data !== null) {
        throw invalidParams([{ parameter: 'text', fault: 'give text or data, not both' }]);
      }
      const phase = (await findPhase(api, given.phase)).state.id;
      const data = given.text === null ? (given.data ?? new Uint8Array()) : utf8(given.text);
      if (data.length > DATA_BYTES_MAX) {
        throw invalidParams([
          { parameter: 'text', fault: `at most ${DATA_BYTES_MAX} bytes; put more into a file` },
        ]);
      }
      const mediaType = given.mediaType ?? (given.data === null ? 'text/plain' : 'application/octet-stream');
      const { type, title, references } = given;
      const receipt = await putRecordWithFiles(
        api,
        {
          phase,
          type,
          title,
          mediaType,
          data,
          references,
          asUser: given.asUser,
          waitForCopies: copiesWanted(given.waitForCopies),
        },
        given.files,
        signal,
      );
      return isReject(receipt) ? receipt : presentRecordReceipt(receipt);
    },
  });
