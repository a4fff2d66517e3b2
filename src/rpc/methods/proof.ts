import type { RpcMethod } from '../method.ts';
import { dossierExport } from './dossier/export.ts';
import {
  type ProofMethodApi,
  proofAbsence,
  proofConsistency,
  proofEpoch,
  proofMemberKey,
  proofParticipants,
  proofRange,
  proofRecord,
} from './proof/ask.ts';
import { proofHead } from './proof/head.ts';

export const proofMethods = (api: ProofMethodApi): readonly RpcMethod[] =>
  [
    proofHead,
    proofRecord,
    proofRange,
    proofAbsence,
    proofConsistency,
    proofParticipants,
    proofEpoch,
    proofMemberKey,
    dossierExport,
  ].map(method => method(api));
