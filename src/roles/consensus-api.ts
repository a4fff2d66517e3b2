import type { TransactionId } from '../core/base/ids.ts';
import { isReject } from '../core/base/reject.ts';
import { findMember } from '../core/ledger/read.ts';
import { quorumSize } from '../core/quorum/quorum.ts';
import { OUTCOMES } from '../core/types/outcome.ts';
import type { StoredBlock } from '../ports/chain-store.ts';
import type { ChainStatus, ConsensusNodeApi, HeadView, NodeStatus, TransactionStatus } from '../rpc/api.ts';
import { OBSERVER_HINT } from '../services/consensus/status.ts';
import type { ConsensusNode } from './consensus-node.ts';

/** Calls that may wait for a transaction at the same time; one more is answered at once. */
const STATUS_WAITERS_MAX = 16_384;

/** Outcome codes for transactions that were pending and can be in no block any more; all others have expired. */
const DISMISSED: Readonly<Record<string, number>> = {
  revoked_key: OUTCOMES.revokedKey,
  unknown_key: OUTCOMES.revokedKey,
  sender_revoked: OUTCOMES.revokedKey,
  sender_suspended: OUTCOMES.memberSuspended,
  unknown_sender: OUTCOMES.unknownSender,
};

/** The consensus node as the RPC methods see it; everything but `pending` is committed state. */
export function createConsensusApi(node: ConsensusNode, version: string): ConsensusNodeApi {
  const { chain, consensus } = node;
  const waiters = new StatusWaiters(node);
  const startedMs = node.options.clock.nowMs();
  return {
    status: () => nodeStatus(node, version, startedMs),
    headFrom: height => {
      const stored = height <= chain.headHeight() ? node.store.block(Math.max(0, height)) : null;
      return stored === null ? null : headView(stored);
    },
    onHead: listener => consensus.onCommitted(() => listener()),
    chain: () => chainStatus(node),
    block: height => node.store.block(height),
    evidence: () => consensus.evidence.list(),
    recordedEvidence: () => chain.system().governance.evidence,
    validators: () => chain.validatorSet(),
    genesis: () => node.options.genesis,
    submit: async signed => {
      const accepted = await node.submit(signed);
      return isReject(accepted) ? accepted : { id: accepted.id };
    },
    transactionStatus: (id, waitMs, signal) => waiters.wait(id, waitMs, signal),
    members: () => chain.system().members,
    member: id => findMember(chain.system(), id),
    administrators: () => chain.system().administrators,
  };
}

function headView({ block, hash }: StoredBlock): HeadView {
  const { height, timeMs } = block.header;
  return { height, hash, timeMs, transactions: block.entries.length };
}

function chainStatus({ chain, consensus, pool, store, options }: ConsensusNode): ChainStatus {
  const { baseHeight, blocksFrom, bodiesFrom } = store.history;
  const mode = options.keepBlocks === undefined ? 'archive' : 'pruned';
  const { view, primary } = consensus.status();
  const set = chain.validatorSet();
  return {
    head: headView(chain.head()),
    view,
    leader: primary,
    validatorSetId: set.id,
    quorum: quorumSize(set.validators.length),
    poolTransactions: pool.size,
    poolBytes: pool.bytes,
    evidence: consensus.evidence.list().length,
    history: { mode, baseHeight, blocksFrom, bodiesFrom },
  };
}

function nodeStatus(node: ConsensusNode, version: string, startedMs: number): NodeStatus {
  const { chain, options, transport } = node;
  const names = new Map(chain.validatorSet().validators.map(({ peerId, name }) => [peerId, name]));
  for (const member of chain.system().members) for (const peer of member.peerIds) names.set(peer, member.id);
  return {
    role: 'consensus',
    name: options.name,
    version,
    chainId: chain.chainId(),
    chainName: options.genesis.name,
    peerId: transport.peerId,
    addresses: transport.addresses(),
    head: headView(chain.head()),
    peers: transport
      .peers()
      .map(({ peer, connected }) => ({ peer, name: names.get(peer) ?? null, connected })),
    notReady: notReadyReasons(node),
    startedMs,
  };
}

/** Validators link up with each other and with members' nodes only: one that is removed, or not added yet, sees nobody. */
function quorumReason({ chain, consensus, options }: ConsensusNode): string | null {
  const { validators } = chain.validatorSet();
  const needed = quorumSize(validators.length);
  const connected = chain.connectedValidators().length;
  if (!validators.some(({ name }) => name === options.name) && connected < needed) {
    return `not in the validator set as this node knows it: stop it, or phaseline validator propose-add ${options.name}`;
  }
  const present = connected + (consensus.status().observes === null ? 1 : 0);
  return present < needed ? `${present} of ${needed} validators needed for a quorum are connected` : null;
}

function notReadyReasons(node: ConsensusNode): string[] {
  const { chain, consensus, sync, rebuild } = node;
  const reasons: string[] = [];
  const { active, observes } = consensus.status();
  if (observes !== null) reasons.push(`this node observes and does not vote: ${observes}. ${OBSERVER_HINT}`);
  const quorum = quorumReason(node);
  if (quorum !== null) reasons.push(quorum);
  const target = sync.targetHeight;
  if (target !== null && target > chain.headHeight()) {
    const by = sync.snapshotHeight === null ? '' : `, by the snapshot of height ${sync.snapshotHeight}`;
    reasons.push(`catching up: height ${chain.headHeight()} of ${target}${by}`);
  }
  if (rebuild.target !== null) {
    reasons.push(
      `its state was damaged and is built anew, up to height ${rebuild.target}; it does not vote before`,
    );
  } else if (!active) reasons.push('a view change is under way');
  return reasons;
}

/** Answers status questions, now or when the transaction gets its outcome. */
class StatusWaiters {
  private readonly waiting = new Map<TransactionId, Set<() => void>>();
  private count = 0;

  constructor(private readonly node: ConsensusNode) {
    node.consensus.onCommitted(({ ids }) => {
      for (const id of ids) this.wake(id);
    });
    node.pool.onEvents({ added: () => {}, dismissed: id => this.wake(id) });
  }

  async wait(id: TransactionId, waitMs: number, signal: AbortSignal): Promise<TransactionStatus> {
    const now = this.status(id);
    const final = now.status === 'committed' || now.status === 'invalid';
    if (final || waitMs <= 0 || signal.aborted || this.count >= STATUS_WAITERS_MAX) return now;
    await new Promise<void>(resolve => {
      const end = () => {
        timer.cancel();
        signal.removeEventListener('abort', end);
        this.remove(id, end);
        resolve();
      };
      const timer = this.node.options.clock.setTimer(waitMs, end);
      signal.addEventListener('abort', end);
      this.add(id, end);
    });
    return this.status(id);
  }

  private status(id: TransactionId): TransactionStatus {
    const { store, pool } = this.node;
    const location = store.locate(id);
    if (location !== null) {
      const { height, outcome } = location;
      return { status: outcome === OUTCOMES.committed ? 'committed' : 'invalid', height, outcome };
    }
    if (pool.get(id) !== null) return { status: 'pending', height: null, outcome: null };
    const dismissal = pool.dismissal(id);
    if (dismissal === null) return { status: 'unknown', height: null, outcome: null };
    return { status: 'invalid', height: null, outcome: DISMISSED[dismissal.reject] ?? OUTCOMES.expired };
  }

  private add(id: TransactionId, end: () => void): void {
    const ends = this.waiting.get(id) ?? new Set();
    ends.add(end);
    this.waiting.set(id, ends);
    this.count += 1;
  }

  private remove(id: TransactionId, end: () => void): void {
    const ends = this.waiting.get(id);
    if (!ends?.delete(end)) return;
    this.count -= 1;
    if (ends.size === 0) this.waiting.delete(id);
  }

  private wake(id: TransactionId): void {
    for (const end of [...(this.waiting.get(id) ?? [])]) end();
  }
}
