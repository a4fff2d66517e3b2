import type { RpcMethod } from '../method.ts';
import type { PutApi } from '../put-files.ts';
import { recordGet } from './record/get.ts';
import { recordLineage } from './record/lineage.ts';
import { type RecordListApi, recordList } from './record/list.ts';
import { recordPut } from './record/put.ts';
import { recordVerify } from './record/verify.ts';

export const recordMethods = (api: RecordListApi & PutApi): readonly RpcMethod[] =>
  [recordPut, recordGet, recordList, recordVerify, recordLineage].map(method => method(api));
