import type { ProjectReadApi } from '../api.ts';
import type { RpcMethod } from '../method.ts';
import { projectGet } from './project/get.ts';
import { projectList } from './project/list.ts';

export const projectMethods = (api: ProjectReadApi): readonly RpcMethod[] => [
  projectList(api),
  projectGet(api),
];
