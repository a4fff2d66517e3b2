import type { NodeApi, ProjectReadApi, RecordApi } from '../api.ts';
import type { RpcMethod } from '../method.ts';
import { subscriptionCancel } from './subscription/cancel.ts';
import { subscriptionHeads } from './subscription/heads.ts';
import { subscriptionRecords } from './subscription/records.ts';

/** @param records null on nodes that hold no records */
export const subscriptionMethods = (
  node: NodeApi,
  records: (RecordApi & ProjectReadApi) | null,
): readonly RpcMethod[] => [
  subscriptionHeads(node),
  ...(records === null ? [] : [subscriptionRecords(records)]),
  subscriptionCancel(),
];
