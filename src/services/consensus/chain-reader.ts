import { isExpired } from '../../core/access/ballots.ts';
import { assertDefined } from '../../core/base/assert.ts';
import type { BlockHash, Hash, Suite, TransactionId } from '../../core/base/ids.ts';
import type { Reject } from '../../core/base/reject.ts';
import { checkAdmission } from '../../core/ledger/admission.ts';
import { findMember, readSystem } from '../../core/ledger/read.ts';
import type { VerifyTransaction } from '../../core/ledger/signature.ts';
import type { EngineStart, Reign } from '../../core/pbft/config.ts';
import { quorumSize } from '../../core/quorum/quorum.ts';
import type { ValidatorSet } from '../../core/types/chain.ts';
import type { Parameters, SystemState } from '../../core/types/state.ts';
import type { Transaction } from '../../core/types/transaction.ts';
import type { ChainStore, StoredBlock } from '../../ports/chain-store.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import type { VerifyAside } from '../../ports/verify-aside.ts';
import { POOL_LIMITS } from '../pool/limits.ts';
import type { PoolChain } from '../pool/pool.ts';
import { VerifiedTransactions } from '../pool/verified.ts';

/** The committed chain as the services of a consensus node ask for it. */
export class ChainReader implements PoolChain {
  private cached: {
    readonly head: StoredBlock;
    readonly system: SystemState;
    readonly peers: readonly PeerId[];
    readonly candidates: readonly PeerId[];
  } | null = null;

  /** Remembers what it has verified: a transaction costs one curve operation from arrival to commit. */
  readonly verify: VerifyTransaction;
  private readonly verified: VerifiedTransactions;

  /** @param aside null: signatures are verified on this thread */
  constructor(
    readonly store: ChainStore,
    readonly suite: Suite,
    private readonly transport: Transport,
    aside: VerifyAside | null = null,
  ) {
    this.verified = new VerifiedTransactions(suite, POOL_LIMITS.verifiedSignaturesMax, aside);
    this.verify = this.verified.verify;
  }

  /** After genesis was applied. */
  head(): StoredBlock {
    return assertDefined(this.store.head(), 'the chain has its genesis block');
  }

  headHeight(): number {
    return this.head().block.header.height;
  }

  chainId(): Hash {
    return this.head().block.header.chainId;
  }

  private current() {
    const head = this.head();
    if (this.cached?.head.hash !== head.hash) {
      const system = readSystem(this.store.state);
      const { height } = head.block.header;
      const peers = system.validatorSet.validators.map(validator => validator.peerId);
      const others = (list: readonly PeerId[]) => list.filter(peer => peer !== this.transport.peerId);
      this.cached = { head, system, peers: others(peers), candidates: others(candidatesOf(system, height)) };
    }
    return this.cached;
  }

  system(): SystemState {
    return this.current().system;
  }

  parameters(): Parameters {
    return this.system().parameters;
  }

  validatorSet(): ValidatorSet {
    return this.system().validatorSet;
  }

  validatorPeers(): readonly PeerId[] {
    return this.current().peers;
  }

  connectedValidators(): readonly PeerId[] {
    return this.connected(this.validatorPeers());
  }

  /**
   * Whether this node, if it is a validator that votes, and those that it is connected with are a quorum of the current set.
   * @param votes it has the right to
   * @param without peers that do not count
   */
  reachesQuorum(votes: boolean, without: ReadonlySet<PeerId>): boolean {
    const size = this.validatorSet().validators.length;
    const own = votes ? size - this.validatorPeers().length : 0;
    const others = this.connectedValidators().filter(peer => !without.has(peer));
    return others.length + own >= quorumSize(size);
  }

  /** Nodes that an open proposal would make validators: they may fetch the chain before they have to decide it. */
  candidatePeers(): readonly PeerId[] {
    return this.current().candidates;
  }

  /** Who sends blocks to this node and gets them from it. */
  connectedSyncPeers(): readonly PeerId[] {
    return this.connected([...new Set([...this.validatorPeers(), ...this.candidatePeers()])]);
  }

  private connected(peers: readonly PeerId[]): readonly PeerId[] {
    const connected = new Set(
      this.transport
        .peers()
        .filter(info => info.connected)
        .map(info => info.peer),
    );
    return peers.filter(peer => connected.has(peer));
  }

  verifyAhead(transaction: Transaction): Promise<void> | null {
    const { sender, keyId, lastValidHeight } = transaction.body;
    const key = findMember(this.system(), sender)?.keys[keyId];
    if (key === undefined || lastValidHeight <= this.headHeight()) return null;
    return this.verified.ahead(transaction, key.signingKey);
  }

  checkAdmission(transaction: Transaction): Reject | null {
    return checkAdmission(this.suite, this.store.state, this.headHeight(), transaction, this.verify);
  }

  isCommitted(id: TransactionId): boolean {
    return this.store.locate(id) !== null;
  }

  wrapper(wrapperHash: Hash): Uint8Array | null {
    return this.store.wrapper(wrapperHash);
  }

  /** What the engine starts from, or goes on from after a state transfer. */
  engineStart(): EngineStart {
    const { block, hash, certificate } = this.head();
    const { parameters, validatorSet, setChangeHeight } = this.system();
    const reign: Reign = {
      chainId: block.header.chainId,
      set: validatorSet,
      startHeight: setChangeHeight,
      startHash: this.setChangeHash(setChangeHeight),
    };
    return { header: block.header, blockHash: hash, certificate, reign, parameters };
  }

  /** Of the block that brought a set in: that of genesis, or of a set change, which the store keeps for good. */
  private setChangeHash(height: number): BlockHash {
    if (height === 0) return assertDefined(this.store.block(0), 'genesis is kept').hash;
    const change = assertDefined(this.store.setChange(height), 'set changes are kept');
    return change.certified.certificate.blockHash;
  }
}

/** A proposal that has expired is noted as such by the next act of governance only: until then it still says that it is open. */
function candidatesOf({ governance }: SystemState, height: number): PeerId[] {
  const actions = governance.proposals
    .filter(proposal => proposal.status === 'open' && !isExpired(proposal, height + 1))
    .flatMap(entry => entry.actions);
  return actions.flatMap(action => (action.type === 'validatorAdd' ? [action.validator.peerId] : []));
}
