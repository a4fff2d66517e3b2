import { z } from 'zod';
import { isReject } from '../../core/base/reject.ts';
import { defineMethod, type RpcMethod } from '../../rpc/method.ts';
import { hashText, labelSchema, nameSchema, phaseNameSchema } from '../../rpc/schemas.ts';
import type { ManagerApi } from '../api.ts';
import { findPhase, findProject } from '../find.ts';
import { committedSchema, presentCommitted } from '../schemas.ts';

const errors = [
  'forbidden',
  'not_found',
  'ambiguous_name',
  'conflict',
  'refused',
  'unavailable',
  'expired',
] as const;

export const projectRename = ({ data, operations }: ManagerApi): RpcMethod =>
  defineMethod({
    name: 'manager_projectRename',
    summary: 'Gives a project another name, also in the cards of its phases.',
    access: 'member',
    params: z.strictObject({ project: nameSchema, label: labelSchema }),
    result: committedSchema.extend({
      unchanged: z
        .array(hashText)
        .meta({ description: 'phases whose keys are not held here: their participants see the old name' }),
    }),
    errors: [...errors],
    handle: async ({ project, label }, { caller }) => {
      const { id } = await findProject(data, caller, project);
      const done = await operations.renameProject(id, label);
      return isReject(done) ? done : { ...presentCommitted(done), unchanged: [...done.unchanged] };
    },
  });

export const phaseRename = ({ data, operations }: ManagerApi): RpcMethod =>
  defineMethod({
    name: 'manager_phaseRename',
    summary: 'Gives a phase another name; this server must hold its keys.',
    access: 'member',
    params: z.strictObject({ phase: phaseNameSchema, label: labelSchema }),
    result: committedSchema,
    errors: [...errors],
    handle: async ({ phase, label }, { caller }) => {
      const done = await operations.renamePhase((await findPhase(data, caller, phase)).phase.id, label);
      return isReject(done) ? done : presentCommitted(done);
    },
  });
