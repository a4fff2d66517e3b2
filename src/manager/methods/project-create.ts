import { z } from 'zod';
import { isReject } from '../../core/base/reject.ts';
import { defineMethod, type RpcMethod } from '../../rpc/method.ts';
import { hashText, labelSchema } from '../../rpc/schemas.ts';
import type { ManagerApi } from '../api.ts';
import { requireAdministrator } from '../rights.ts';
import { committedSchema, presentCommitted } from '../schemas.ts';

export const projectCreate = ({ data, operations }: ManagerApi): RpcMethod =>
  defineMethod({
    name: 'manager_projectCreate',
    summary: "Creates a project that this server's member owns.",
    access: 'member',
    params: z.strictObject({ label: labelSchema }),
    result: committedSchema.extend({ project: hashText }),
    errors: ['forbidden', 'refused', 'unavailable', 'expired'],
    handle: async ({ label }, { caller }) => {
      requireAdministrator(data, caller);
      const sent = await operations.createProject(label);
      return isReject(sent) ? sent : { ...presentCommitted(sent), project: sent.project };
    },
  });
