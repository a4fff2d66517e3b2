import { z } from 'zod';
import { isReject } from '../../../core/base/reject.ts';
import type { ProjectReadApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { type PutApi, putRecordWithFiles } from '../../put-files.ts';
import { phaseNameSchema } from '../../schemas.ts';
import { findPhase } from '../phase/find.ts';
import {
  copiesWanted,
  localFileSchemas,
  PUT_ERRORS,
  presentRecordReceipt,
  recordReceiptSchema,
  recordTextSchemas,
  waitForCopiesSchema,
} from '../record/present.ts';

export const filePut = (api: PutApi & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'file_put',
    summary:
      "Puts a file of the node's machine into a phase, as a record that names it. Others: PUT /phases/…/files.",
    access: 'session',
    params: z.strictObject({
      phase: phaseNameSchema,
      ...localFileSchemas,
      type: recordTextSchemas.type.default('file'),
      title: recordTextSchemas.title.default(''),
      waitForCopies: waitForCopiesSchema,
    }),
    result: recordReceiptSchema,
    errors: PUT_ERRORS,
    handle: async ({ phase, path, name, mediaType, type, title, waitForCopies }, { signal }) => {
      const record = {
        ...{ phase: (await findPhase(api, phase)).state.id, type, title, references: [] },
        ...{ mediaType: 'text/plain', data: new Uint8Array() },
        waitForCopies: copiesWanted(waitForCopies),
      };
      const receipt = await putRecordWithFiles(api, record, [{ path, name, mediaType }], signal);
      return isReject(receipt) ? receipt : presentRecordReceipt(receipt);
    },
  });
