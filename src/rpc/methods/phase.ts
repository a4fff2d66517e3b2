import type { HandoverApi, ProjectReadApi } from '../api.ts';
import type { RpcMethod } from '../method.ts';
import { phaseGet } from './phase/get.ts';
import { phaseHandover } from './phase/handover.ts';
import { phaseList } from './phase/list.ts';

export const phaseMethods = (api: ProjectReadApi): readonly RpcMethod[] => [phaseList(api), phaseGet(api)];

export const handoverMethods = (api: HandoverApi & ProjectReadApi): readonly RpcMethod[] => [
  phaseHandover(api),
];
