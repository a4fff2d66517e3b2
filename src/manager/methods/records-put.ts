import { z } from 'zod';
import { utf8 } from '../../core/base/bytes.ts';
import { isReject } from '../../core/base/reject.ts';
import { failure, failureOfReject } from '../../rpc/errors.ts';
import { defineMethod, type RpcMethod } from '../../rpc/method.ts';
import { recordTextSchemas } from '../../rpc/methods/record/present.ts';
import { memberIdSchema, phaseNameSchema } from '../../rpc/schemas.ts';
import type { HostingApi, ManagerApi } from '../api.ts';
import { findPhase } from '../find.ts';
import { requireAdministrator } from '../rights.ts';
import { committedSchema, presentCommitted } from '../schemas.ts';

const RECORDS_MAX = 1_000;
const TEXT_CHARACTERS_MAX = 65_536;

export const recordsPut = ({ data }: ManagerApi, hosting: HostingApi): RpcMethod =>
  defineMethod({
    name: 'manager_recordsPut',
    summary:
      'Writes records in the name of a hosted member. When one is refused the call fails; the others stand.',
    access: 'member',
    params: z.strictObject({
      as: memberIdSchema.meta({ description: 'a member that is hosted on this server' }),
      phase: phaseNameSchema,
      records: z
        .array(
          z.strictObject({
            type: recordTextSchemas.type.default(''),
            title: recordTextSchemas.title.default(''),
            mediaType: recordTextSchemas.mediaType.default('text/plain'),
            text: z.string().max(TEXT_CHARACTERS_MAX),
          }),
        )
        .min(1)
        .max(RECORDS_MAX),
    }),
    result: z.object({ records: z.array(committedSchema) }),
    errors: ['forbidden', 'not_found', 'ambiguous_name', 'refused', 'unavailable', 'expired'],
    handle: async ({ as, phase, records }, { caller }) => {
      requireAdministrator(data, caller);
      if (!hosting.isHosted(as)) {
        throw failure(
          'not_found',
          'not_hosted',
          `member "${as}" is not hosted on this server`,
          'manager_memberHost hosts a new member.',
        );
      }
      const { id } = (await findPhase(data, caller, phase)).phase;
      const inputs = records.map(({ text, ...record }) => ({ ...record, data: utf8(text) }));
      const ends = await hosting.putRecords(as, id, inputs);
      return {
        records: ends.map(end => {
          if (isReject(end)) throw failureOfReject(end);
          return presentCommitted(end);
        }),
      };
    },
  });
