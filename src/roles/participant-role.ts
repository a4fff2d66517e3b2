import { custodyGroup, flowGroup, governanceMethods, participantMethods } from '../rpc/groups.ts';
import { createAdminApi } from './member/admin-api.ts';
import { createGovernanceApi } from './member/governance-api.ts';
import { createMemberNode } from './member/member-node.ts';
import { createFlowApi, createIdentityApi, createParticipantApi } from './member/participant-api.ts';
import { type NodeRole, type RoleInput, sequence } from './node-role.ts';
import { createRpcServer, failureSignal } from './rpc.ts';

/** The node of one member: its phases' logs and files, and RPC for the member's people. */
export async function createParticipantRole(input: RoleInput): Promise<NodeRole> {
  const { failed, fail } = failureSignal();
  const node = await createMemberNode(input, fail);
  const api = createParticipantApi(node, input);
  const admin = input.config.rpc.admin ? createAdminApi(node) : null;
  const rpc = await createRpcServer(input, {
    methods: [
      ...participantMethods({ ...api, ...createIdentityApi(node) }, admin),
      ...flowGroup({ ...api, ...createFlowApi(node) }),
      ...custodyGroup({ ...api, custody: node.records.custody }),
      ...governanceMethods(createGovernanceApi(node)),
    ],
    node: api,
    files: api,
    checkSigned: null,
    onFatal: fail,
  });
  return { service: sequence([node.service, api.uploads, rpc]), url: () => rpc.address().url, failed };
}
