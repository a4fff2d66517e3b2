import { z } from 'zod';
import { RECORD_TYPE_LIMITS } from '../../services/records/record-types.ts';
import type { FlowApi } from '../flow-api.ts';
import { defineMethod, type RpcMethod } from '../method.ts';
import { CHANGE_ERRORS, presentReceipt } from '../receipt.ts';
import { phaseNameSchema, receiptSchema, textSchema } from '../schemas.ts';
import { findPhase } from './phase/find.ts';

export const recordTypesSchema = z
  .array(
    z.strictObject({
      name: textSchema(RECORD_TYPE_LIMITS.nameBytes),
      schema: z.unknown().meta({ description: 'JSON Schema 2020-12 that the data of such a record follows' }),
    }),
  )
  .max(RECORD_TYPE_LIMITS.types)
  .meta({ description: 'kinds of records; none: anything may be written' });

const list = (api: FlowApi): RpcMethod =>
  defineMethod({
    name: 'phase_typeList',
    summary: 'The record types of a phase, from its sealed card.',
    access: 'session',
    params: z.strictObject({ phase: phaseNameSchema }),
    result: z.object({ types: recordTypesSchema }),
    errors: ['not_found', 'ambiguous_name', 'forbidden', 'refused'],
    handle: async ({ phase }) => {
      const types = await api.flow.types((await findPhase(api, phase)).state.id);
      return { types: types.map(({ name, schema }) => ({ name, schema })) };
    },
  });

const set = (api: FlowApi): RpcMethod =>
  defineMethod({
    name: 'phase_typeSet',
    summary: 'Gives a phase other record types, sealed for its participants.',
    access: 'session',
    params: z.strictObject({ phase: phaseNameSchema, types: recordTypesSchema }),
    result: receiptSchema,
    errors: CHANGE_ERRORS,
    handle: async ({ phase, types }) => {
      const given = types.map(({ name, schema }) => ({ name, schema }));
      return presentReceipt(await api.flow.setTypes((await findPhase(api, phase)).state.id, given));
    },
  });

export const typeMethods = (api: FlowApi): readonly RpcMethod[] => [list(api), set(api)];
