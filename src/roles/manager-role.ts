import { systemRandom } from '../crypto/random.ts';
import { nodeSuite } from '../crypto/suite.ts';
import type { CertifiedData, ManagerApi } from '../manager/api.ts';
import { managerMethods } from '../manager/methods.ts';
import { createSignedRequestCheck } from '../manager/signed-requests.ts';
import { custodyGroup, flowGroup, governanceMethods, participantMethods } from '../rpc/groups.ts';
import { systemClock } from '../system/clock.ts';
import { createAdminApi } from './member/admin-api.ts';
import { createGovernanceApi } from './member/governance-api.ts';
import { Hosting } from './member/hosting.ts';
import { createMemberNode, type MemberNode } from './member/member-node.ts';
import { createFlowApi, createIdentityApi, createParticipantApi } from './member/participant-api.ts';
import { type NodeRole, type RoleInput, sequence } from './node-role.ts';
import { createRpcServer, failureSignal } from './rpc.ts';

function certifiedData({ light, records }: MemberNode): CertifiedData {
  return {
    chainId: light.chainId,
    head: () => light.head(),
    system: () => light.system(),
    project: id => light.project(id),
    projects: () => light.projects(),
    phase: id => light.phase(id),
    phases: () => light.phases(),
    phaseLabel: (id, project) => records.phaseLabel(id, project),
    projectLabel: id => records.projectLabel(id),
  };
}

/** The management server: the node of a member that administers the consortium and owns projects. */
export async function createManagerRole(input: RoleInput): Promise<NodeRole> {
  const { failed, fail } = failureSignal();
  const node = await createMemberNode(input, fail);
  const api = createParticipantApi(node, input);
  const admin = input.config.rpc.admin ? createAdminApi(node) : null;
  const management: ManagerApi = {
    member: node.member,
    node: api,
    data: certifiedData(node),
    operations: node.records,
    suite: nodeSuite,
    random: systemRandom,
    clock: systemClock,
  };
  const hosting = new Hosting(node, input.paths);
  const rpc = await createRpcServer(input, {
    methods: [
      ...participantMethods({ ...api, ...createIdentityApi(node) }, admin),
      ...flowGroup({ ...api, ...createFlowApi(node) }),
      ...custodyGroup({ ...api, custody: node.records.custody }),
      ...governanceMethods(createGovernanceApi(node)),
      ...managerMethods(management, hosting),
    ],
    node: api,
    files: api,
    checkSigned: createSignedRequestCheck(management),
    onFatal: fail,
  });
  return {
    service: sequence([node.service, hosting, api.uploads, rpc]),
    url: () => rpc.address().url,
    failed,
  };
}
