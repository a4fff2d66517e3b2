import type { ProjectReadApi, RecordApi } from '../api.ts';
import type { RpcMethod } from '../method.ts';
import type { PutApi } from '../put-files.ts';
import { recordGet } from './record/get.ts';
import { recordList } from './record/list.ts';
import { recordPut } from './record/put.ts';
import { recordVerify } from './record/verify.ts';

export const recordMethods = (api: RecordApi & PutApi & ProjectReadApi): readonly RpcMethod[] =>
  [recordPut, recordGet, recordList, recordVerify].map(method => method(api));
