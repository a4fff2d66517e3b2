import type { PhaseId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { logIdOf } from '../../core/codec/transaction.ts';
import { nodeSuite } from '../../crypto/suite.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { AdminApi } from '../../rpc/api.ts';
import { FILES_PROTOCOL } from '../../services/files/limits.ts';
import { filesAnswerCodec, filesRequestCodec } from '../../wire/files.ts';
import type { MemberNode } from './member-node.ts';

const REQUEST_TIMEOUT_MS = 5_000;
const CONNECT_TRIES = 20;
const CONNECT_WAIT_MS = 100;

type Answer = Awaited<ReturnType<AdminApi['probe']>>;

const refused = (reason: string): Answer => ({ answer: 'refused', reason, bytes: 0 });

/** Serves the leaves from `from` on, or says why not; leaves before it that a former participant may have do not count. */
async function probeLog({ light }: MemberNode, peer: string, phase: PhaseId, from: number): Promise<Answer> {
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
  return refused(`nothing from position ${from} on; served up to position ${first + items.length - 1} only`);
}

async function connect(
  { transport, light, phaseFiles }: MemberNode,
  peer: string,
  addresses: readonly string[],
) {
  const isConnected = () => transport.peers().some(entry => entry.peer === peer && entry.connected);
  if (isConnected()) return true;
  const member = phaseFiles.memberOfPeer(peer);
  const told = addresses.length > 0 || member === null ? [] : await light.addressesOf([member]);
  transport.keepConnected(peer, [
    ...addresses,
    ...told.filter(entry => entry.peer === peer).flatMap(entry => entry.addresses),
  ]);
  for (let tries = 0; tries < CONNECT_TRIES && !isConnected(); tries += 1) {
    await new Promise(resolve => setTimeout(resolve, CONNECT_WAIT_MS));
  }
  return isConnected();
}

async function probeFile(
  { transport }: MemberNode,
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

/** Asks other nodes for what this member should not get, past all checks of its own node. */
export function createAdminApi(node: MemberNode): AdminApi {
  return {
    sources: () => node.light.system().validatorSet.validators,
    probe: async input => {
      const connected = await connect(node, input.peer, input.addresses);
      if (!connected) return { answer: 'unreachable', reason: 'the peer does not answer', bytes: 0 };
      try {
        return input.kind === 'log'
          ? await probeLog(node, input.peer, input.phase, input.from)
          : await probeFile(node, input.peer, input.phase, input.cid);
      } catch (error) {
        if (!(error instanceof OperatingError)) throw error;
        return { answer: 'unreachable', reason: error.message, bytes: 0 };
      }
    },
  };
}
