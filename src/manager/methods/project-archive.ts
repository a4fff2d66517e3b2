import { z } from 'zod';
import { isReject } from '../../core/base/reject.ts';
import { defineMethod, type RpcMethod } from '../../rpc/method.ts';
import { nameSchema } from '../../rpc/schemas.ts';
import type { ManagerApi } from '../api.ts';
import { findProject } from '../find.ts';
import { committedSchema, presentCommitted } from '../schemas.ts';

export const projectArchive = ({ data, operations }: ManagerApi): RpcMethod =>
  defineMethod({
    name: 'manager_projectArchive',
    summary: 'Ends a project whose phases are all closed.',
    access: 'member',
    params: z.strictObject({ project: nameSchema }),
    result: committedSchema,
    errors: ['forbidden', 'not_found', 'ambiguous_name', 'refused', 'unavailable', 'expired'],
    handle: async ({ project }, { caller }) => {
      const sent = await operations.archiveProject((await findProject(data, caller, project)).id);
      return isReject(sent) ? sent : presentCommitted(sent);
    },
  });
