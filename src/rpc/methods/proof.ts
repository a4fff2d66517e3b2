import type { ProjectReadApi, ProofApi } from '../api.ts';
import type { RpcMethod } from '../method.ts';
import { dossierExport } from './dossier/export.ts';
import { proofConsistency } from './proof/consistency.ts';
import { proofHead } from './proof/head.ts';
import { proofRecord } from './proof/record.ts';

export const proofMethods = (api: ProofApi & ProjectReadApi): readonly RpcMethod[] =>
  [proofHead, proofRecord, proofConsistency, dossierExport].map(method => method(api));
