import type { FileApi, ProjectReadApi } from '../api.ts';
import type { RpcMethod } from '../method.ts';
import type { PutApi } from '../put-files.ts';
import { fileGet } from './file/get.ts';
import { filePut } from './file/put.ts';
import { fileRepair } from './file/repair.ts';
import { fileStatus } from './file/status.ts';
import { fileUploads } from './file/uploads.ts';
import { fileVerify } from './file/verify.ts';

export const fileMethods = (api: FileApi & PutApi & ProjectReadApi): readonly RpcMethod[] =>
  [filePut, fileGet, fileStatus, fileVerify, fileRepair, fileUploads].map(method => method(api));
