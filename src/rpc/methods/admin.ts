import type { AdminApi } from '../api.ts';
import type { RpcMethod } from '../method.ts';
import { adminProbe } from './admin/probe.ts';

/** Off by default: a role mounts these only where its configuration says so. */
export const adminMethods = (api: AdminApi): readonly RpcMethod[] => [adminProbe(api)];
