import { applyToScope } from '../access/apply.ts';
import { endedHolders, HOLDER_ENDING_KINDS } from '../access/members.ts';
import { mayLeaveRefusal, participantOf } from '../access/standing.ts';
import { assertDefined } from '../base/assert.ts';
import type { BlockHash, MemberId, Suite, TransactionId } from '../base/ids.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import { encodeBlockEntryLeaf, headerHash, validatorSetHash } from '../codec/chain.ts';
import type { ScopeRef } from '../codec/state.ts';
import { leafHash, treeRoot } from '../merkle/log.ts';
import type { Block, BlockEntry, Header } from '../types/chain.ts';
import { protocolVersionAt } from '../types/governance.ts';
import { KNOWN_PROTOCOL_VERSIONS } from '../types/limits.ts';
import { CUSTODY, type Operation } from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { Diff, StateView, SystemState } from '../types/state.ts';
import type { Transaction } from '../types/transaction.ts';
import { type AdmissionState, checkAdmissible } from './admission.ts';
import { decide, scopeRefOf } from './decide.ts';
import { findMember, readSystem } from './read.ts';
import { type VerifyTransaction, verifyTransactionSignature } from './signature.ts';
import { Workspace } from './workspace.ts';

export interface ParentBlock {
  readonly header: Header;
  readonly hash: BlockHash;
}

export interface BlockInput {
  /** Unix time in milliseconds, above the parent's. */
  readonly timeMs: number;
  readonly transactions: readonly Transaction[];
}

export interface ExecutionOptions {
  /** The verdict on signatures, when the shell has verified them already; by default it is computed here. */
  readonly verify?: VerifyTransaction;
}

export interface Execution {
  readonly block: Block;
  readonly hash: BlockHash;
  readonly diff: Diff;
}

/** A candidate that a proposer left out. */
export interface Skipped {
  readonly transaction: Transaction;
  readonly reason: Reject;
  /** True when no later block can contain it either, so that the pool may drop it and tell the sender. */
  readonly final: boolean;
}

export interface Selection {
  readonly transactions: readonly Transaction[];
  readonly skipped: readonly Skipped[];
}

/** Reasons that pass with time: the block was full, or the transaction comes too early. */
const PASSING = new Set(['block_full', 'member_quota', 'too_far_ahead']);

interface Usage {
  count: number;
  bytes: number;
}

/** Admission of a block's transactions: each by itself, and all of them together within the block's limits. */
class BlockAdmission {
  private readonly ids = new Set<TransactionId>();
  private readonly total: Usage = { count: 0, bytes: 0 };
  private readonly byMember = new Map<MemberId, Usage>();

  constructor(private readonly state: AdmissionState) {}

  /** Counts the transaction when it may be in the block. */
  admit(transaction: Transaction): Reject | null {
    const { id } = transaction;
    if (this.ids.has(id)) return reject('duplicate', `${id} is twice in the block`);
    const member = this.byMember.get(transaction.body.sender) ?? { count: 0, bytes: 0 };
    const fault = this.checkLimits(transaction, member) ?? checkAdmissible(this.state, transaction);
    if (fault !== null) return fault;
    this.ids.add(id);
    this.byMember.set(transaction.body.sender, member);
    for (const usage of [this.total, member]) {
      usage.count += 1;
      usage.bytes += transaction.bytes;
    }
    return null;
  }

  private checkLimits({ body, bytes }: Transaction, member: Usage): Reject | null {
    const limits = this.state.system.parameters;
    const { count, bytes: used } = this.total;
    if (count >= limits.blockTransactionsMax || used + bytes > limits.blockBytesMax) {
      return reject('block_full', `${count} transactions, ${used} bytes`);
    }
    if (
      member.count >= limits.memberTransactionsPerBlockMax ||
      member.bytes + bytes > limits.memberBytesPerBlockMax
    ) {
      return reject('member_quota', `${body.sender}: ${member.count} transactions, ${member.bytes} bytes`);
    }
    return null;
  }
}

function admissionOf(
  suite: Suite,
  view: StateView,
  parent: ParentBlock,
  options: ExecutionOptions,
): BlockAdmission {
  return new BlockAdmission({
    suite,
    chainId: parent.header.chainId,
    system: readSystem(view),
    headHeight: parent.header.height,
    view,
    verify: options.verify ?? ((transaction, key) => verifyTransactionSignature(suite, transaction, key)),
  });
}

/** Everything that admitted transactions do, one after the other. */
class BlockRun {
  private readonly entries: BlockEntry[] = [];
  private readonly workspace: Workspace;
  readonly height: number;

  constructor(
    private readonly suite: Suite,
    private readonly view: StateView,
    private readonly parent: ParentBlock,
    readonly timeMs: number,
  ) {
    this.workspace = new Workspace(suite.sha256, view, parent.header.chainId);
    this.height = parent.header.height + 1;
  }

  execute(transaction: Transaction): void {
    const decision = decide(this.suite, this.workspace, transaction, this);
    if (decision.operation === null) this.refuse(transaction, decision.outcome);
    else this.apply(transaction, decision.operation);
    const { id, wrapperHash } = transaction;
    this.entries.push({ id, wrapperHash, outcome: decision.outcome });
  }

  private appendLeaf(transaction: Transaction, ref: ScopeRef, outcome: number): number {
    const { height, timeMs } = this;
    return this.workspace.appendLeaf(ref, { height, timeMs, transactionId: transaction.id, outcome });
  }

  /** Leaves of a refusal, only where the sender belongs. */
  private refuse(transaction: Transaction, outcome: number): void {
    const sender = findMember(this.workspace.system(), transaction.body.sender);
    if (sender === null) return;
    for (const logId of transaction.body.scopes) {
      const ref = this.workspace.logScope(logId);
      if (ref !== null && mayLeaveRefusal(this.workspace, sender, ref)) {
        this.appendLeaf(transaction, ref, outcome);
      }
    }
  }

  private apply(transaction: Transaction, operation: Operation): void {
    const before = this.workspace.system();
    for (const [index, logId] of transaction.body.scopes.entries()) {
      const ref = scopeRefOf(this.workspace, operation, logId, index);
      const known = assertDefined(ref, 'a committed transaction names known scopes');
      this.applyLeaf(transaction, operation, known, operation.contents[index]);
    }
    if (!HOLDER_ENDING_KINDS.has(transaction.body.kind)) return;
    for (const member of endedHolders(before, this.workspace.system())) {
      this.leaveEnd(transaction, operation, member);
    }
  }

  private applyLeaf(transaction: Transaction, operation: Operation, ref: ScopeRef, content: unknown): void {
    const position = this.appendLeaf(transaction, ref, OUTCOMES.committed);
    const { height, timeMs } = this;
    const place = { sender: transaction.body.sender, height, timeMs, position };
    this.workspace.setValue(ref, applyToScope(operation.kind, this.workspace.value(ref), content, place));
  }

  /** Whoever held keys of a phase, and does not go on with them, leaves a leaf in it, which the body need not name. */
  private leaveEnd(transaction: Transaction, operation: Operation, member: MemberId): void {
    for (const ref of this.workspace.scopesOf(member)) {
      const phase = ref.scope === 'phase' ? this.workspace.phase(ref.id) : null;
      if (phase === null) continue;
      const holdsAsOwner = phase.owner === member && phase.custody === CUSTODY.manager;
      if (holdsAsOwner || participantOf(phase, member) !== null) {
        this.applyLeaf(transaction, operation, ref, null);
      }
    }
  }

  seal(): Execution {
    const { sha256 } = this.suite;
    const parent = this.parent.header;
    const before = readSystem(this.view);
    const ids = this.entries.map(entry => entry.id);
    const { diff, mapRoot } = this.workspace.finish(this.height, parent.mapRoot, ids);
    const header: Header = {
      version: protocolVersionAt(before.governance, this.height),
      chainId: parent.chainId,
      height: this.height,
      parentHash: this.parent.hash,
      timeMs: this.timeMs,
      transactionsRoot: treeRoot(
        sha256,
        this.entries.map(entry => leafHash(sha256, encodeBlockEntryLeaf(entry))),
      ),
      mapRoot,
      validatorSetId: before.validatorSet.id,
      validatorSetHash: validatorSetHash(sha256, before.validatorSet),
      nextValidatorSetHash: validatorSetHash(sha256, this.workspace.system().validatorSet),
      previousSetChangeHeight: before.setChangeHeight,
    };
    return { block: { header, entries: this.entries }, hash: headerHash(sha256, header), diff };
  }
}

/** The protocol version of the block of this height, where this program does not know it; otherwise null. */
export function unknownVersionAt(system: SystemState, height: number): number | null {
  const version = protocolVersionAt(system.governance, height);
  return KNOWN_PROTOCOL_VERSIONS.includes(version) ? null : version;
}

/**
 * Executes a block on the state of its parent. Pure: the same view and input give the same header on every node.
 * @param view the state after `parent`
 * @param input each transaction decoded whole (`decodeTransaction`), with every part
 * @returns a Reject when no correct proposer makes this block: a transaction that is not admissible, limits exceeded,
 *   no transaction at all, or a time that is not above the parent's
 */
export function executeBlock(
  suite: Suite,
  view: StateView,
  parent: ParentBlock,
  input: BlockInput,
  options: ExecutionOptions = {},
): Execution | Reject {
  if (!Number.isSafeInteger(input.timeMs) || input.timeMs <= parent.header.timeMs) {
    return reject('bad_time', `${input.timeMs} is not above the parent's ${parent.header.timeMs}`);
  }
  if (input.transactions.length === 0) return reject('empty_block', 'there are no null blocks');
  const unknown = unknownVersionAt(readSystem(view), parent.header.height + 1);
  if (unknown !== null) return reject('unknown_version', `block version ${unknown}`, 'ignore');
  const admission = admissionOf(suite, view, parent, options);
  const run = new BlockRun(suite, view, parent, input.timeMs);
  for (const transaction of input.transactions) {
    const fault = admission.admit(transaction);
    if (fault !== null) return fault;
    run.execute(transaction);
  }
  return run.seal();
}

/**
 * What a proposer puts into the next block: the candidates in their order, without those that would make the block
 * invalid, so that a bad one never stops the good ones [72].
 * @param view the state after `parent`
 */
export function selectTransactions(
  suite: Suite,
  view: StateView,
  parent: ParentBlock,
  candidates: Iterable<Transaction>,
  options: ExecutionOptions = {},
): Selection {
  const admission = admissionOf(suite, view, parent, options);
  const transactions: Transaction[] = [];
  const skipped: Skipped[] = [];
  for (const transaction of candidates) {
    const reason = admission.admit(transaction);
    if (reason === null) transactions.push(transaction);
    else skipped.push({ transaction, reason, final: !PASSING.has(reason.reject) });
  }
  return { transactions, skipped };
}

/**
 * Selects and executes in one go: the signature of each candidate is verified once.
 * @returns `execution` null when no candidate is admissible, or when `timeMs` is not above the parent's
 */
export function buildBlock(
  suite: Suite,
  view: StateView,
  parent: ParentBlock,
  input: { readonly timeMs: number; readonly candidates: Iterable<Transaction> },
  options: ExecutionOptions = {},
): Selection & { readonly execution: Execution | null } {
  const selection = selectTransactions(suite, view, parent, input.candidates, options);
  const { transactions } = selection;
  const block = { timeMs: input.timeMs, transactions };
  const execution = executeBlock(suite, view, parent, block, { verify: () => true });
  return { ...selection, execution: isReject(execution) ? null : execution };
}
