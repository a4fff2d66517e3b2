import type { AdminApi, ConsensusNodeApi, IdentityApi, ParticipantApi } from './api.ts';
import type { CustodyApi } from './custody-api.ts';
import type { FlowApi } from './flow-api.ts';
import type { GovernanceApi, GovernanceReadApi, ValidatorNodeApi } from './governance-api.ts';
import type { RpcMethod } from './method.ts';
import { adminMethods } from './methods/admin.ts';
import { approvalMethods } from './methods/approval.ts';
import { chainMethods } from './methods/chain.ts';
import { custodyMethods } from './methods/custody.ts';
import { fileMethods } from './methods/file.ts';
import { flowMethods } from './methods/flow.ts';
import { identityMethods } from './methods/identity.ts';
import { userMethods } from './methods/member/users.ts';
import { memberMethods } from './methods/member.ts';
import { nodeMethods } from './methods/node.ts';
import { handoverMethods, phaseMethods } from './methods/phase.ts';
import { projectMethods } from './methods/project.ts';
import { proofMethods } from './methods/proof.ts';
import { proposalMethods } from './methods/proposal.ts';
import { recordMethods } from './methods/record.ts';
import { subscriptionMethods } from './methods/subscription.ts';
import { trailMethods } from './methods/trail.ts';
import { txMethods } from './methods/tx.ts';
import { typeMethods } from './methods/types.ts';
import { validatorMethods, validatorNodeMethods } from './methods/validator.ts';

/** What a consensus node answers. */
export const consensusNodeMethods = (api: ConsensusNodeApi): readonly RpcMethod[] => [
  ...nodeMethods(api),
  ...chainMethods(api),
  ...txMethods(api),
  ...memberMethods(api),
  ...subscriptionMethods(api, null),
];

/** What a participant node answers; a manager mounts it too, beside `managerMethods`. */
export const participantMethods = (
  api: ParticipantApi & IdentityApi,
  admin: AdminApi | null,
): readonly RpcMethod[] => [
  ...nodeMethods(api),
  ...memberMethods(api),
  ...userMethods(api),
  ...identityMethods(api),
  ...projectMethods(api),
  ...phaseMethods(api),
  ...handoverMethods(api),
  ...recordMethods(api),
  ...fileMethods(api),
  ...proofMethods(api),
  ...trailMethods(api),
  ...subscriptionMethods(api, api),
  ...(admin === null ? [] : adminMethods(admin)),
];

/** What the node of a member does with flows and approvals. */
export const flowGroup = (api: FlowApi): readonly RpcMethod[] => [
  ...flowMethods(api),
  ...approvalMethods(api),
  ...typeMethods(api),
];

/** What the node of a member does about the keys of its phases. */
export const custodyGroup = (api: CustodyApi): readonly RpcMethod[] => custodyMethods(api);

/** What the node of a member, who may be an administrator, answers about the consortium itself. */
export const governanceMethods = (api: GovernanceApi): readonly RpcMethod[] => [
  ...validatorMethods(api),
  ...proposalMethods(api),
];

/** What a consensus node answers about the set and its own place in it. */
export const consensusGovernanceMethods = (
  api: GovernanceReadApi & ValidatorNodeApi,
): readonly RpcMethod[] => [...validatorMethods(api), ...validatorNodeMethods(api)];
