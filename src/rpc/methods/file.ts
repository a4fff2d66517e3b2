import type { FileApi, ProjectReadApi, RecordApi } from '../api.ts';
import type { RpcMethod } from '../method.ts';
import type { PutApi } from '../put-files.ts';
import {
  fileCollectGarbage,
  filePin,
  filePurge,
  filePurgeStatus,
  fileQuota,
  fileReferences,
  fileUnpin,
  fileVerifyAll,
} from './file/care.ts';
import { fileDue } from './file/due.ts';
import { fileGet } from './file/get.ts';
import { fileList } from './file/list.ts';
import { filePurgeCertificate } from './file/purge-certificate.ts';
import { filePut } from './file/put.ts';
import { fileRepair } from './file/repair.ts';
import { fileStatus } from './file/status.ts';
import { fileUpload } from './file/upload.ts';
import { fileUploads } from './file/uploads.ts';
import { fileVerify } from './file/verify.ts';

export const fileMethods = (api: FileApi & RecordApi & PutApi & ProjectReadApi): readonly RpcMethod[] =>
  [
    ...[filePut, fileGet, fileList, fileStatus, fileVerify, fileVerifyAll, fileRepair],
    ...[fileUpload, fileUploads, filePin, fileUnpin, fileQuota, fileCollectGarbage],
    ...[filePurge, filePurgeStatus, filePurgeCertificate, fileReferences, fileDue],
  ].map(method => method(api));
