import type { BlockHash, TransactionId } from '../../src/core/base/ids.ts';
import { isReject } from '../../src/core/base/reject.ts';
import { validatorSetHash } from '../../src/core/codec/chain.ts';
import { decodeSystemState, STATE_KEYS } from '../../src/core/codec/state.ts';
import { decodeTransaction } from '../../src/core/codec/transaction.ts';
import type { Certificate, Header, ValidatorSet } from '../../src/core/types/chain.ts';
import { KINDS } from '../../src/core/types/operation.ts';
import type { KvOperation } from '../../src/ports/kv.ts';
import type { decodeStoredBlock } from '../../src/store/chain-records.ts';
import { faultOf, hashOfHeader } from './checker-certificate.ts';
import type { Executed } from './checker-light.ts';
import type { Committed } from './checker-views.ts';
import type { Coverage } from './coverage.ts';
import { InvariantBroken } from './invariant.ts';
import { simulatedSuite as suite } from './suite.ts';

type Stored = ReturnType<typeof decodeStoredBlock>;

/** A block of the chain of the simulation, as the first honest node made it durable. */
interface Agreed extends Committed {
  readonly header: Header;
  readonly hash: BlockHash;
  /** The lowest of the certificates seen. */
  view: number;
  /** The stored forms that were found good: nodes mostly store the same bytes. */
  readonly judged: Uint8Array[];
}

/** A node that commits a block. */
interface Committer {
  readonly name: string;
  stored(key: string): Uint8Array | null;
}

const JUDGED_MAX = 4;

/** The one chain that all honest nodes must have: blocks, certificates, sets, and each transaction once. */
export class ChainRules {
  readonly agreed = new Map<number, Agreed>();
  readonly sets = new Map<number, ValidatorSet>();
  height = 0;
  transactions = 0;
  /** Everything that was executed, in order, where the ledger and light nodes are to be checked against it. */
  history: Executed[] | null = null;
  /** Of two blocks at one height, where more than f collude on purpose; otherwise that is a broken property. */
  onFork: ((certificate: Certificate) => void) | null = null;
  /** A block was committed, or was so in an earlier view than was known. */
  onAgreed: (block: Committed) => void = () => {};
  readonly executedAt = new Map<TransactionId, number>();
  /** Blocks that snapshots stand on and no honest node had stored, by height. */
  private readonly shown = new Map<number, BlockHash>();

  constructor(
    private readonly coverage: Coverage,
    genesisSet: ValidatorSet,
    private readonly isSubmitted: (id: TransactionId) => boolean,
    /** A set decides from here on. */
    private readonly opens: (set: ValidatorSet, header: Header, startHash: BlockHash) => void,
    private readonly fail: (what: string) => never,
  ) {
    this.sets.set(0, genesisSet);
  }

  /** Whether a snapshot may stand on this block: none of the honest nodes may have stored it yet, and its certificate tells. */
  stands({ block: { header }, hash, certificate }: Stored): boolean {
    const known = this.agreed.get(header.height)?.hash ?? this.shown.get(header.height);
    if (known !== undefined) return known === hash;
    const set = this.sets.get(header.validatorSetId);
    if (set === undefined || certificate === null || faultOf(header, hash, certificate, set) !== null)
      return false;
    this.shown.set(header.height, hash);
    return true;
  }

  isExecuted(id: TransactionId): boolean {
    return this.executedAt.has(id);
  }

  /** @param bytes the block as it is on disk */
  committed(node: Committer, stored: Stored, bytes: Uint8Array, operations: readonly KvOperation[]): void {
    const { block, hash, certificate } = stored;
    const { height } = block.header;
    if (certificate !== null)
      this.certified(node.name, { header: block.header, hash, certificate }, bytes, operations);
    if (this.agreed.get(height)?.hash === hash) this.executed(node, block, height);
  }

  private certified(
    name: string,
    { header, hash, certificate }: { header: Header; hash: BlockHash; certificate: Certificate },
    bytes: Uint8Array,
    operations: readonly KvOperation[],
  ): void {
    const { height } = header;
    const known = this.agreed.get(height);
    if (known?.judged.some(judged => Buffer.compare(judged, bytes) === 0)) return;
    const set = this.sets.get(header.validatorSetId);
    if (set === undefined) throw new InvariantBroken(`${name} commits ${height} under an unknown set`);
    const fault = faultOf(header, hash, certificate, set);
    if (fault !== null) this.fail(`${name} commits ${height}: ${fault}`);
    if (known !== undefined) {
      if (known.hash !== hash && this.onFork !== null) this.onFork(certificate);
      else if (known.hash !== hash) this.fail(`two blocks at height ${height}: ${name} commits another`);
      else if (known.judged.length < JUDGED_MAX) known.judged.push(bytes);
      if (known.hash !== hash || certificate.view >= known.view) return;
      known.view = certificate.view;
      this.onAgreed(known);
      return;
    }
    if ((this.shown.get(height) ?? hash) !== hash)
      this.fail(`${name} commits ${height}, and a snapshot stands on another block`);
    const parent = this.agreed.get(height - 1);
    if (parent !== undefined && parent.hash !== header.parentHash) this.fail(`${height} has another parent`);
    const { view } = certificate;
    const agreed = { set: set.id, height, header, hash, view, judged: [bytes] };
    this.agreed.set(height, agreed);
    if (this.onFork === null) this.onAgreed(agreed);
    this.height = Math.max(this.height, height);
    if (header.nextValidatorSetHash !== header.validatorSetHash) this.changeSet(header, operations);
  }

  /** The next set is read from the state that the block leaves, and must be what its header names. */
  private changeSet(header: Header, operations: readonly KvOperation[]): void {
    const isSystem = (key: string) => key.startsWith('state/') && key.endsWith(`/${STATE_KEYS.system}`);
    const written = operations.find(operation => isSystem(operation.key));
    if (written?.type !== 'put') throw new InvariantBroken(`${header.height} changes the set and no state`);
    const system = decodeSystemState(written.value);
    if (isReject(system)) throw new InvariantBroken(`the state at ${header.height} cannot be read`);
    const { validatorSet: set } = system;
    if (validatorSetHash(suite.sha256, set) !== header.nextValidatorSetHash)
      this.fail(`${header.height} names another next set than its state has`);
    if (set.id !== header.validatorSetId + 1) this.fail(`set ${set.id} follows ${header.validatorSetId}`);
    this.sets.set(set.id, set);
    this.opens(set, header, hashOfHeader(header) as BlockHash);
  }

  private executed(node: Committer, block: Stored['block'], height: number): void {
    for (const { id, wrapperHash, outcome } of block.entries) {
      const before = this.executedAt.get(id);
      if (before !== undefined && before !== height)
        this.fail(`a transaction of height ${before} is executed again at ${height}`);
      if (before !== undefined) continue;
      const bytes = node.stored(`tx/${wrapperHash}`);
      if (!this.isSubmitted(id) && !this.isEvidence(bytes))
        this.fail(`${height} holds a transaction that nobody submitted`);
      this.executedAt.set(id, height);
      this.transactions += 1;
      if (this.history !== null && bytes !== null) this.history.push({ height, id, outcome, bytes });
    }
  }

  /** Nodes make these themselves; they prove what they say. */
  private isEvidence(wrapper: Uint8Array | null): boolean {
    const transaction = wrapper === null ? null : decodeTransaction(suite.sha256, wrapper);
    if (transaction === null || isReject(transaction)) return false;
    const isEvidence = transaction.body.kind === KINDS.evidence;
    if (isEvidence) this.coverage.hit('transaction: evidence');
    return isEvidence;
  }

  forgetBelow(height: number): void {
    for (const at of this.agreed.keys()) {
      if (at >= height) break;
      this.agreed.delete(at);
    }
    for (const [id, at] of this.executedAt) {
      if (at >= height) break;
      this.executedAt.delete(id);
    }
  }
}
