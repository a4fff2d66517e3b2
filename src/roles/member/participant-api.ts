import { mayAct } from '../../core/access/standing.ts';
import type { PhaseId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { challengeBytes } from '../../core/codec/request.ts';
import { logIdOf } from '../../core/codec/transaction.ts';
import { encodeScopeState, findMember, partakersOf, scopeDigest } from '../../core/ledger/index.ts';
import { frontierRoot } from '../../core/merkle/log.ts';
import type { PhaseState, ProjectState } from '../../core/types/state.ts';
import { nodeSuite } from '../../crypto/suite.ts';
import type {
  HeadView,
  IdentityApi,
  NodeApi,
  NodeStatus,
  ParticipantApi,
  PhaseView,
  ProjectView,
} from '../../rpc/api.ts';
import type { FlowApi } from '../../rpc/flow-api.ts';
import { Uploads } from '../../rpc/uploads.ts';
import type { UserCredentials } from '../../rpc/users-api.ts';
import { suspendedDetail } from '../../services/records/refusal.ts';
import { systemClock } from '../../system/clock.ts';
import type { RoleInput } from '../node-role.ts';
import { VERSION } from '../rpc.ts';
import { forkReason, noteOn } from './evidence.ts';
import { createFileApi } from './file-api.ts';
import type { MemberNode } from './member-node.ts';
import { createProofApi } from './proof-api.ts';
import { createHandoverApi, createRecordApi } from './record-api.ts';
import { createTrailApi } from './trail-api.ts';

const { sha256 } = nodeSuite;
const LAG_MS = 10_000;
const LAGGING_LOGS_NAMED = 3;

function headView({ light }: MemberNode): HeadView {
  const { header, hash } = light.trust();
  return { height: header.height, hash, timeMs: header.timeMs, transactions: null };
}

function notReady(node: MemberNode, { config, paths }: RoleInput): string[] {
  const { light, transport, member } = node;
  const connected = transport.peers().filter(peer => peer.connected);
  const sources = new Set(config.network.peers.map(({ peerId }) => peerId));
  const reached = connected.filter(({ peer }) => sources.has(peer)).length;
  const registered = findMember(light.system(), member);
  const forked = forkReason(light, paths);
  if (forked !== null) return [forked];
  if (registered?.revoked === true) return [`member "${member}" is revoked`];
  if (registered !== null && !mayAct(registered)) return [suspendedDetail(registered)];
  if (reached === 0) {
    const hint = registered === null ? `; "${member}" may not be registered yet` : '';
    return [`none of ${sources.size} consensus nodes is connected${hint}`];
  }
  if (registered === null) return [`member "${member}" is not registered at the verified head`];
  return lagging(node);
}

/** Everything that is known to be there should be held within a few round trips; a first fetch takes longer, and says so. */
function lagging({ light }: MemberNode): string[] {
  const lag = light.lag();
  if (lag === null || lag.forMs < LAG_MS) return [];
  const seconds = Math.floor(lag.forMs / 1000);
  const logs = lag.logs.slice(0, LAGGING_LOGS_NAMED).map(({ scope, id }) => `${scope} ${id.slice(0, 12)}`);
  const missing = logs.length === 0 ? '' : `; not complete: ${logs.join(', ')}`;
  const head = light.head().height;
  return [`the verified head stands at ${head} for ${seconds} s while ${lag.height} is known${missing}`];
}

function createNodeApi(node: MemberNode, input: RoleInput): NodeApi {
  const { light, transport } = node;
  const { config, genesis } = input;
  const startedMs = systemClock.nowMs();
  const nameOf = (peer: string): string | null => {
    const validator = light.system().validatorSet.validators.find(entry => entry.peerId === peer);
    return validator?.name ?? node.phaseFiles.memberOfPeer(peer);
  };
  const peersOf = () => {
    const notes = new Map(light.sourceViews().map(view => [view.peer, noteOn(view)]));
    return transport
      .peers()
      .map(({ peer, connected }) => ({ peer, name: nameOf(peer), connected, note: notes.get(peer) ?? null }));
  };
  const role: NodeStatus['role'] = config.role;
  return {
    status: () => ({
      role,
      name: config.name,
      version: VERSION,
      chainId: light.chainId,
      chainName: genesis.name,
      peerId: transport.peerId,
      addresses: transport.addresses(),
      head: headView(node),
      peers: peersOf(),
      notReady: notReady(node, input),
      startedMs,
    }),
    headFrom: height => (light.trust().header.height >= height ? headView(node) : null),
    onHead: listener => light.onEvents({ head: () => listener() }),
  };
}

async function phaseView({ light, records, member }: MemberNode, known: PhaseState): Promise<PhaseView> {
  const { id, project } = known;
  const label = await records.phaseLabel(id, project);
  // not `projectLabel`: it would look through the other phases for what this one's card says
  const told = (await records.phaseCard(id))?.project ?? '';
  const projectLabel = told === '' ? await records.projectLabel(project) : told;
  // after the names, all of one moment
  const state = light.phase(id) ?? known;
  const logId = logIdOf(sha256, light.chainId, 'phase', state.id);
  const frontier = light.frontierOf(logId);
  const inside = partakersOf(state).has(member) || state.owner === member;
  const digest = scopeDigest(sha256, encodeScopeState({ scope: 'phase', state }));
  return {
    state,
    label,
    projectLabel,
    entry: { size: frontier.size, root: frontierRoot(sha256, frontier), digest },
    current: inside && light.held(logId)?.ended !== true,
    openEpochs: records.vault.openEpochs(state.id),
    missingEpochs: records.vault.missing(state),
  };
}

async function projectView({ records }: MemberNode, state: ProjectState): Promise<ProjectView> {
  const phaseLabels = new Map<PhaseId, string>();
  for (const { id } of state.phases) {
    const label = await records.phaseLabel(id, state.id);
    if (label !== null) phaseLabels.set(id, label);
  }
  return { state, label: await records.projectLabel(state.id), phaseLabels };
}

export function createIdentityApi({ card, records, signer, light }: MemberNode): IdentityApi {
  return {
    card: () => ({ card, proof: records.proveCard(card, signer) }),
    answer: nonce => signer.sign(challengeBytes(light.chainId, nonce, card)),
  };
}

export function createFlowApi({ records, users }: MemberNode): Pick<FlowApi, 'flow' | 'flowAs'> {
  const flowAs = async (user: UserCredentials | null) => {
    const signing = await users.signing(user);
    return isReject(signing) ? signing : signing.records.flow;
  };
  return { flow: records.flow, flowAs };
}

/** What a member's node answers over RPC: verified data of its own phases. */
export function createParticipantApi(node: MemberNode, input: RoleInput): ParticipantApi {
  const { light } = node;
  const records = createRecordApi(node);
  const phase = async (id: PhaseId) => {
    const state = light.phase(id);
    return state === null ? null : phaseView(node, state);
  };
  return {
    ...createNodeApi(node, input),
    ...records,
    uploads: new Uploads(records, systemClock),
    ...createFileApi(node, input),
    ...createHandoverApi(node),
    ...createProofApi(node, input),
    ...createTrailApi(node),
    users: () => node.users.users(),
    addUser: (name, key) => node.users.addUser(name, key),
    revokeUser: name => node.users.revokeUser(name),
    members: () => light.system().members,
    member: id => findMember(light.system(), id),
    administrators: () => light.system().administrators,
    verifiedAt: () => light.head(),
    projects: () => Promise.all(light.projects().map(state => projectView(node, state))),
    phases: () => Promise.all(light.phases().map(state => phaseView(node, state))),
    phase,
  };
}
