import { strict as assert } from 'node:assert';
import { ownKeyOf } from '../../src/core/access/member-keys.ts';
import { utf8 } from '../../src/core/base/bytes.ts';
import type { BlockHash, Hash, LogId, MemberId, PhaseId, TransactionId } from '../../src/core/base/ids.ts';
import { isReject, type Reject } from '../../src/core/base/reject.ts';
import { type BuiltTransaction, buildTransaction, signTransactions } from '../../src/core/codec/build.ts';
import { encodePhaseCardChange, encodeProjectCardChange } from '../../src/core/codec/card.ts';
import * as custody from '../../src/core/codec/custody.ts';
import * as flow from '../../src/core/codec/flow.ts';
import {
  encodeEvidence,
  encodeProposalCreate,
  encodeProposalVote,
  encodeProposalWithdraw,
} from '../../src/core/codec/governance.ts';
import {
  encodeMemberSuspend,
  encodeMemberUserAdd,
  encodeMemberUserRevoke,
} from '../../src/core/codec/member.ts';
import * as codec from '../../src/core/codec/operation.ts';
import { decodeOperation, LAYOUTS, memberCardBytes } from '../../src/core/codec/operation.ts';
import { decodeTransaction, encodeSignedTransaction, logIdOf } from '../../src/core/codec/transaction.ts';
import { type Execution, executeBlock, type ParentBlock } from '../../src/core/ledger/execute.ts';
import { genesisBlock } from '../../src/core/ledger/genesis.ts';
import { findMember, readSystem } from '../../src/core/ledger/read.ts';
import type { Block } from '../../src/core/types/chain.ts';
import { type Contents, KINDS, type KindName, type MemberCard } from '../../src/core/types/operation.ts';
import { type OutcomeName, outcomeName } from '../../src/core/types/outcome.ts';
import type { Diff, Genesis, Parameters, StateView } from '../../src/core/types/state.ts';
import type { SignedTransaction, Transaction } from '../../src/core/types/transaction.ts';
import { generateSigningKey, p256Signer } from '../../src/crypto/signer.ts';
import { nodeSuite } from '../../src/crypto/suite.ts';
import type { Signer } from '../../src/ports/signer.ts';

const { sha256 } = nodeSuite;

/** A hash that stands for `text`: ids, commitments and salts of tests are the same in every run. */
export function hashOf(text: string): Hash {
  return sha256(utf8(text));
}

/** Bytes that stand for `text`, as many as asked for. */
export function bytesOf(text: string, length: number): Uint8Array {
  const hex = Array.from({ length: Math.ceil(length / 32) }, (_, index) => hashOf(`${text}/${index}`)).join(
    '',
  );
  return new Uint8Array(Buffer.from(hex, 'hex').subarray(0, length));
}

export function testSigner(text: string): Signer {
  return p256Signer(generateSigningKey(length => bytesOf(text, length)));
}

/** A member with its keys; `rotate` answers the same member with the next ones. */
export interface Actor {
  readonly id: MemberId;
  readonly keyId: number;
  readonly signer: Signer;
  readonly card: MemberCard;
}

export function createActor(
  name: string,
  keyId = 0,
  peerIds: readonly string[] = [`peer-of-${name}`],
): Actor {
  const id = name as MemberId;
  const signer = testSigner(`signing ${name} ${keyId}`);
  const sealingKey = testSigner(`sealing ${name} ${keyId}`).publicKey;
  const card = { id, name: `${name} Ltd`, signingKey: signer.publicKey, sealingKey, peerIds };
  return { id, keyId, signer, card };
}

export function cardProof(chainId: Hash, actor: Actor, card = actor.card): Uint8Array {
  return actor.signer.sign(memberCardBytes(chainId, card));
}

export const TEST_PARAMETERS: Parameters = {
  blockTransactionsMax: 500,
  blockBytesMax: 16 * 1024 * 1024,
  transactionBytesMax: 8 * 1024 * 1024,
  replayWindowBlocks: 100,
  memberTransactionsPerBlockMax: 400,
  memberBytesPerBlockMax: 12 * 1024 * 1024,
  clockDriftMsMax: 10_000,
  checkpointIntervalBlocks: 16,
  windowBlocks: 32,
  viewTimeoutMs: 1000,
  viewTimeoutMsMax: 10_000,
  rotationBlocks: 0,
};

/** Committed state in memory. */
export class MemoryState implements StateView {
  readonly values = new Map<string, Uint8Array>();
  readonly nodes = new Map<Hash, Uint8Array>();
  readonly leaves = new Map<LogId, { leaf: Uint8Array; leafHash: Hash; transactionId: TransactionId }[]>();
  readonly ids = new Map<TransactionId, number>();

  /** Nodes of maps that were: a chain store keeps them for a while too. */
  private readonly staleNodes = new Map<Hash, Uint8Array>();

  get = (key: string) => this.values.get(key) ?? null;
  mapNode = (hash: Hash) => this.nodes.get(hash) ?? this.staleNodes.get(hash) ?? null;
  leafHash = (logId: LogId, position: number) => this.leaves.get(logId)?.[position]?.leafHash ?? null;
  seen = (id: TransactionId) => this.ids.get(id) ?? null;

  apply(diff: Diff): void {
    for (const [key, value] of diff.state) {
      if (value === null) this.values.delete(key);
      else this.values.set(key, value);
    }
    for (const [hash, node] of diff.mapNodes) this.nodes.set(hash, node);
    for (const hash of diff.staleMapNodes) {
      this.staleNodes.set(hash, this.nodes.get(hash)!);
      this.nodes.delete(hash);
    }
    for (const entry of diff.leaves) {
      const log = this.leaves.get(entry.logId) ?? [];
      assert.equal(entry.position, log.length, 'leaves come without gaps');
      this.leaves.set(entry.logId, [...log, entry]);
    }
    for (const id of diff.ids) this.ids.set(id, diff.height);
  }
}

export function testGenesis(
  administrators: readonly Actor[],
  members: readonly Actor[],
  parameters: Partial<Parameters> = {},
): Genesis {
  const cards = [...administrators, ...members].map(actor => actor.card);
  return {
    name: 'test consortium',
    timeMs: 1_000,
    parameters: { ...TEST_PARAMETERS, ...parameters },
    validators: ['v1', 'v2', 'v3', 'v4'].map(name => ({
      name,
      publicKey: testSigner(`validator ${name}`).publicKey,
      peerId: `peer-of-validator-${name}`,
    })),
    administrators: administrators.map(actor => actor.id),
    administratorThreshold: 1,
    members: cards.sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
}

type EncodersOf<C extends readonly unknown[]> = { readonly [I in keyof C]: (content: C[I]) => Uint8Array };
type Encoders = { readonly [K in KindName]: EncodersOf<Contents[K]> };

const ENCODERS: Encoders = {
  memberRegister: [codec.encodeMemberRegister],
  memberRotate: [codec.encodeMemberRotate],
  memberRevoke: [codec.encodeMemberRevoke],
  memberUserAdd: [encodeMemberUserAdd],
  memberUserRevoke: [encodeMemberUserRevoke],
  memberSuspend: [encodeMemberSuspend],
  projectCreate: [codec.encodeProjectCreate],
  projectArchive: [codec.encodeProjectArchive],
  projectCard: [encodeProjectCardChange],
  phaseAdd: [codec.encodePhaseAddProject, codec.encodePhaseAddPhase],
  phaseOpen: [codec.encodePhaseLifecycle],
  phaseClose: [codec.encodePhaseLifecycle],
  phaseCard: [encodePhaseCardChange],
  phaseHandover: [
    codec.encodePhaseHandoverSource,
    codec.encodePhaseHandoverTarget,
    codec.encodeHandoverItems,
  ],
  participantAdd: [codec.encodeParticipantAdd],
  participantRemove: [codec.encodeParticipantRemove],
  participantRole: [codec.encodeParticipantRole],
  epochRotate: [codec.encodeEpochRotate],
  epochComplaint: [custody.encodeEpochComplaint],
  recoveryShares: [custody.encodeRecoveryShares],
  recoveryAsk: [custody.encodeRecoveryAsk],
  recoveryOffer: [custody.encodeRecoveryOffer],
  recordPut: [codec.encodeRecordMeta, payload => payload],
  fileReceipt: [codec.encodeFileReceipt],
  filePurge: [codec.encodeFilePurge],
  filePurgeAck: [codec.encodeFilePurgeAck],
  proposalCreate: [encodeProposalCreate],
  proposalVote: [encodeProposalVote],
  proposalWithdraw: [encodeProposalWithdraw],
  evidence: [encodeEvidence],
  flowChange: [flow.encodeFlowChange],
  phaseReopen: [flow.encodePhaseLifecycle],
  phasePolicy: [flow.encodePhasePolicyChange],
  phaseArchive: [flow.encodePhaseLifecycle],
  phaseSkip: [flow.encodePhaseSkipProject, flow.encodePhaseLifecycle],
  approvalRequest: [flow.encodeApprovalRequest],
  approvalVote: [flow.encodeApprovalVote],
  approvalWithdraw: [flow.encodeApprovalWithdraw],
};

export function encodeContents<K extends KindName>(kind: K, contents: Contents[K]): Uint8Array[] {
  const encoders = ENCODERS[kind] as unknown as readonly ((content: unknown) => Uint8Array)[];
  const parts = (contents as readonly unknown[]).map((content, index) => encoders[index]!(content));
  const salt = new Uint8Array(32);
  const back = decodeOperation(
    KINDS[kind],
    parts.map(content => ({ salt, content })),
  );
  assert(!isReject(back), 'what is encoded decodes');
  assert.deepEqual(back.contents, contents, 'and gives the same contents');
  return parts;
}

/** What a test may change of a transaction that is otherwise correct. */
export interface TransactionOptions {
  readonly lastValidHeight?: number;
  readonly keyId?: number;
  readonly signer?: Signer;
  readonly chainId?: Hash;
  readonly scopes?: readonly LogId[];
  readonly parts?: readonly { readonly scope: number; readonly content: Uint8Array }[];
}

/** A chain of one node without consensus: builds transactions of actors, executes blocks, keeps everything. */
export class TestLedger {
  readonly state = new MemoryState();
  readonly chainId: Hash;
  readonly blocks: { block: Block; hash: BlockHash }[] = [];
  readonly wrappers = new Map<TransactionId, Uint8Array>();
  readonly transactions = new Map<TransactionId, Transaction>();
  private salts = 0;

  constructor(readonly genesis: Genesis) {
    const first = genesisBlock(nodeSuite, genesis);
    this.chainId = first.block.header.chainId;
    this.keep(first);
  }

  get head(): ParentBlock {
    const { block, hash } = this.blocks.at(-1)!;
    return { header: block.header, hash };
  }

  get height(): number {
    return this.head.header.height;
  }

  keep(execution: Execution): void {
    this.state.apply(execution.diff);
    this.blocks.push({ block: execution.block, hash: execution.hash });
  }

  logId(scope: 'system' | 'project' | 'phase', id: Hash = this.chainId): LogId {
    return logIdOf(sha256, this.chainId, scope, id);
  }

  /** Scopes of a kind by its contents; a record's phase is given by the caller in `options.scopes`. */
  build<K extends KindName>(
    actor: Actor,
    kind: K,
    scopes: readonly LogId[],
    contents: Contents[K],
    options: TransactionOptions = {},
  ): BuiltTransaction {
    const layout = LAYOUTS[kind] as readonly { readonly scope: number }[];
    const plain = () =>
      encodeContents(kind, contents).map((content, index) => ({ scope: layout[index]!.scope, content }));
    const parts = (options.parts ?? plain()).map(part => {
      this.salts += 1;
      return { ...part, salt: bytesOf(`salt ${this.salts}`, 32) };
    });
    return buildTransaction(sha256, {
      chainId: options.chainId ?? this.chainId,
      sender: actor.id,
      keyId: options.keyId ?? actor.keyId,
      kind,
      lastValidHeight: options.lastValidHeight ?? this.height + 50,
      scopes: options.scopes ?? scopes,
      parts,
    });
  }

  decode(signed: SignedTransaction): Transaction {
    const bytes = encodeSignedTransaction(signed);
    const transaction = decodeTransaction(sha256, bytes);
    assert(!isReject(transaction), 'a signed transaction decodes');
    this.wrappers.set(transaction.id, bytes);
    this.transactions.set(transaction.id, transaction);
    return transaction;
  }

  make<K extends KindName>(
    actor: Actor,
    kind: K,
    scopes: readonly LogId[],
    contents: Contents[K],
    options: TransactionOptions = {},
  ): Transaction {
    const built = this.build(actor, kind, scopes, contents, options);
    return this.decode(signTransactions(sha256, options.signer ?? actor.signer, [built])[0]!);
  }

  execute(transactions: readonly Transaction[], timeMs = this.head.header.timeMs + 10): Execution | Reject {
    return executeBlock(nodeSuite, this.state, this.head, { timeMs, transactions });
  }

  /** Commits one block. @returns the outcome of each transaction, by name */
  commit(...transactions: readonly Transaction[]): OutcomeName[] {
    return this.commitAt(this.head.header.timeMs + 10, ...transactions);
  }

  /** @param timeMs of the block */
  commitAt(timeMs: number, ...transactions: readonly Transaction[]): OutcomeName[] {
    const execution = this.execute(transactions, timeMs);
    assert(!isReject(execution), `the block is valid: ${JSON.stringify(execution)}`);
    this.keep(execution);
    return execution.block.entries.map(entry => outcomeName(entry.outcome)!);
  }

  keyIdOf(member: MemberId): number {
    const found = findMember(readSystem(this.state), member);
    return found === null ? 0 : ownKeyOf(found).keyId;
  }

  leavesOf(scope: 'system' | 'project' | 'phase', id: Hash = this.chainId) {
    return this.state.leaves.get(this.logId(scope, id)) ?? [];
  }
}

export type { PhaseId };
