import type { AdminApi } from '../api.ts';
import type { RpcMethod } from '../method.ts';
import { adminProbe } from './admin/probe.ts';
import { adminSources } from './admin/sources.ts';
import { adminStanding } from './admin/standing.ts';

export const adminMethods = (api: AdminApi): readonly RpcMethod[] => [
  adminProbe(api),
  adminSources(api),
  adminStanding(api),
];
