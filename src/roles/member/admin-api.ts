import { isHolder } from '../../core/access/standing.ts';
import { equalBytes } from '../../core/base/bytes.ts';
import type { MemberId, PhaseId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { logIdOf } from '../../core/codec/transaction.ts';
import type { PhaseState } from '../../core/types/state.ts';
import { nodeSuite } from '../../crypto/suite.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { PeerId } from '../../ports/transport.ts';
import type { PhaseStanding } from '../../rpc/admin-api.ts';
import type { AdminApi } from '../../rpc/api.ts';
import { FILES_PROTOCOL } from '../../services/files/limits.ts';
import type { LightClient } from '../../services/light-client/light-client.ts';
import type { Records } from '../../services/records/service.ts';
import { filesAnswerCodec, filesRequestCodec } from '../../wire/files.ts';
import type { MemberNode } from './member-node.ts';

export interface AdminNode extends Pick<MemberNode, 'transport' | 'keeps' | 'member'> {
  readonly light: Pick<LightClient, 'chainId' | 'system' | 'askPeer' | 'addressesOf' | 'phase'>;
  readonly records: Pick<Records, 'openedCard' | 'phaseLabel' | 'projectLabel' | 'vault'>;
  readonly phaseFiles: Pick<MemberNode['phaseFiles'], 'memberOfPeer'>;
}

const REQUEST_TIMEOUT_MS = 5_000;
const CONNECT_TRIES = 20;
const CONNECT_WAIT_MS = 100;

type Answer = Awaited<ReturnType<AdminApi['probe']>>;

const refused = (reason: string): Answer => ({ answer: 'refused', reason, bytes: 0 });

/** Serves the leaves from `from` on, or says why not; leaves before it that a former participant may have do not count. */
async function probeLog({ light }: AdminNode, peer: string, phase: PhaseId, from: number): Promise<Answer> {
  const logId = logIdOf(nodeSuite.sha256, light.chainId, 'phase', phase);
  const held = from > 0 ? [{ from: 0, to: from }] : [];
  const logs = [{ logId, held, digest: null, ended: false }];
  const query = { kind: 'logs' as const, knownHeight: 0, scopesFrom: Number.MAX_SAFE_INTEGER, logs };
  const answer = await light.askPeer(peer, query);
  if (isReject(answer)) return refused(`${answer.reject}: ${answer.detail}`);
  const [log] = answer.kind === 'logs' ? answer.logs : [];
  if (log?.kind !== 'part') return refused(log?.kind === 'refused' ? log.code : 'nothing');
  const { items, from: first } = log.part;
  const beyond = items.slice(Math.max(0, from - first));
  const bytes = beyond.reduce((sum, item) => sum + item.leaf.length + item.transaction.length, 0);
  if (beyond.length > 0)
    return { answer: 'served', reason: `${beyond.length} leaves from position ${from}`, bytes };
  const { size } = log.part.entry;
  return refused(
    `nothing from position ${from} on; served up to position ${first + items.length - 1} only, and told that there are ${size} leaves`,
  );
}

/** Links that probes made, with the number of probes that use each. */
type ProbeLinks = Map<PeerId, number>;

function isConnected({ transport }: AdminNode, peer: PeerId): boolean {
  return transport.peers().some(entry => entry.peer === peer && entry.connected);
}

/** @returns false when the peer does not answer */
async function connect(node: AdminNode, peer: PeerId, addresses: readonly string[]): Promise<boolean> {
  const { transport, light, phaseFiles } = node;
  const member = phaseFiles.memberOfPeer(peer);
  const told = addresses.length > 0 || member === null ? [] : await light.addressesOf([member]);
  const known = [
    ...addresses,
    ...told.filter(entry => entry.peer === peer).flatMap(entry => entry.addresses),
  ];
  // an empty list would take the addresses from a link that the node keeps by itself
  if (known.length > 0) transport.keepConnected(peer, known);
  for (let tries = 0; tries < CONNECT_TRIES && !isConnected(node, peer); tries += 1) {
    await new Promise(resolve => setTimeout(resolve, CONNECT_WAIT_MS));
  }
  return isConnected(node, peer);
}

/** Runs `work` while the peer is linked. A link that was made for it goes when no probe uses it any more. */
async function whileConnected(
  node: AdminNode,
  links: ProbeLinks,
  peer: PeerId,
  addresses: readonly string[],
  work: () => Promise<Answer>,
): Promise<Answer> {
  const unreachable: Answer = { answer: 'unreachable', reason: 'the peer does not answer', bytes: 0 };
  if (isConnected(node, peer) && !links.has(peer)) return work();
  links.set(peer, (links.get(peer) ?? 0) + 1);
  try {
    return (await connect(node, peer, addresses)) ? await work() : unreachable;
  } finally {
    const users = links.get(peer)! - 1;
    if (users > 0) links.set(peer, users);
    else links.delete(peer);
    if (users === 0 && !node.keeps(peer)) node.transport.release(peer);
  }
}

async function probeFile(
  { transport }: AdminNode,
  peer: string,
  phase: PhaseId,
  cid: string,
): Promise<Answer> {
  const frame = filesRequestCodec.encode({ kind: 'get', phase, root: cid, cids: [cid] });
  const bytes = await transport.request(peer, FILES_PROTOCOL, frame, { timeoutMs: REQUEST_TIMEOUT_MS });
  if (isReject(bytes)) return refused(`${bytes.reject}: ${bytes.detail}`);
  const answer = filesAnswerCodec.decode(bytes);
  if (isReject(answer) || answer.kind !== 'blocks' || answer.blocks.length === 0)
    return refused('no block was sent');
  return { answer: 'served', reason: `${answer.blocks.length} blocks`, bytes: bytes.length };
}

const FOREIGN: PhaseStanding = {
  standing: 'foreign',
  ...{ end: null, epochs: 0, openEpochs: [], frozen: false, opensCard: false },
  ...{ label: null, projectLabel: null },
};

function standingIn(state: PhaseState, member: MemberId, isIn: boolean): PhaseStanding['standing'] {
  if (isIn) return 'participant';
  if (state.owner === member) return 'owner';
  return isHolder(state, member) ? 'holder' : 'removed';
}

async function standingOf({ light, records, member }: AdminNode, phase: PhaseId): Promise<PhaseStanding> {
  const card = await records.openedCard(phase);
  const state = light.phase(phase);
  if (state === null) return FOREIGN;
  const isIn = state.participants.some(entry => entry.member === member);
  const stays = state.former.filter(entry => entry.member === member).map(entry => entry.endPosition);
  return {
    standing: standingIn(state, member, isIn),
    end: isIn || stays.length === 0 ? null : Math.max(...stays),
    epochs: state.epochs.length,
    openEpochs: records.vault.openEpochs(phase),
    frozen: state.frozen,
    opensCard: card !== null && equalBytes(card.sealed, state.card.bytes),
    label: await records.phaseLabel(phase, state.project),
    projectLabel: await records.projectLabel(state.project),
  };
}

/** Asks other nodes for what this member should not get, past all checks of its own node. */
export function createAdminApi(node: AdminNode): AdminApi {
  const links: ProbeLinks = new Map();
  const ask = (input: Parameters<AdminApi['probe']>[0]): Promise<Answer> =>
    input.kind === 'log'
      ? probeLog(node, input.peer, input.phase, input.from)
      : probeFile(node, input.peer, input.phase, input.cid);
  return {
    sources: () => node.light.system().validatorSet.validators,
    standing: phase => standingOf(node, phase),
    probe: async input => {
      try {
        return await whileConnected(node, links, input.peer, input.addresses, () => ask(input));
      } catch (error) {
        if (!(error instanceof OperatingError)) throw error;
        return { answer: 'unreachable', reason: error.message, bytes: 0 };
      }
    },
  };
}
