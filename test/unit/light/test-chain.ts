import { createHash } from 'node:crypto';
import { utf8 } from '../../../src/core/base/bytes.ts';
import { type Hash, type LogId, type MemberId, ZERO_HASH } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { type BuiltTransaction, buildTransaction, signTransactions } from '../../../src/core/codec/build.ts';
import {
  encodeBlockEntryLeaf,
  headerHash,
  validatorSetHash,
  voteBytes,
} from '../../../src/core/codec/chain.ts';
import {
  decodeSystemState,
  encodePhaseState,
  encodeSystemState,
  mapKeyOf,
  mapValueOf,
  type ScopeKind,
  scopeDigest,
} from '../../../src/core/codec/state.ts';
import {
  decodeLeaf,
  decodeTransaction,
  encodeLeaf,
  encodeSignedTransaction,
  logIdOf,
} from '../../../src/core/codec/transaction.ts';
import type { DossierLog, ProvenEntry, ProvenMembers } from '../../../src/core/light/dossier.ts';
import type { LogItem, LogUpdate } from '../../../src/core/light/log-update.ts';
import { openLogs, provenMembers } from '../../../src/core/light/prove.ts';
import { genesisTrust, type SetChange, type Trust } from '../../../src/core/light/trust.ts';
import {
  appendLeaves,
  EMPTY_FRONTIER,
  type Frontier,
  frontierRoot,
  leafHash,
  treeRoot,
} from '../../../src/core/merkle/log.ts';
import { mapProve, mapUpdate } from '../../../src/core/merkle/map.ts';
import type { MapOpening } from '../../../src/core/merkle/map-opening.ts';
import { hashesRightOf } from '../../../src/core/merkle/range.ts';
import { quorumSize } from '../../../src/core/quorum/quorum.ts';
import type {
  Block,
  Certificate,
  CertifiedHeader,
  Header,
  ValidatorSet,
} from '../../../src/core/types/chain.ts';
import { DEFAULT_POLICY } from '../../../src/core/types/flow.ts';
import { INITIAL_GOVERNANCE } from '../../../src/core/types/governance.ts';
import type { KindName } from '../../../src/core/types/operation.ts';
import type { MemberKey, PhaseState, SystemState } from '../../../src/core/types/state.ts';
import type { SignedTransaction } from '../../../src/core/types/transaction.ts';
import { scalarBytes } from '../../../src/crypto/p256.ts';
import { p256Signer } from '../../../src/crypto/signer.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import type { Signer } from '../../../src/ports/signer.ts';
import { sampleCard } from './sample-card.ts';

export const suite = nodeSuite;
export const { sha256 } = nodeSuite;

/** A key drawn from a name: every run of the tests has the same keys. */
export function signerOf(name: string): Signer {
  const digest = createHash('sha256').update(name).digest('hex');
  return p256Signer(scalarBytes(BigInt(`0x${digest}`) >> 1n));
}

export function hashOf(name: string): Hash {
  return sha256(utf8(name));
}

export function ok<T>(value: T): Exclude<T, { readonly reject: string }> {
  if (isReject(value)) throw new Error(`${value.reject}: ${value.detail}`);
  return value as Exclude<T, { readonly reject: string }>;
}

export interface ValidatorKeys {
  readonly set: ValidatorSet;
  readonly signers: readonly Signer[];
}

export function validatorKeys(id: number, count = 4): ValidatorKeys {
  const names = Array.from({ length: count }, (_, index) => `validator-${id}-${index}`);
  const signers = names.map(signerOf);
  const validators = names.map((name, index) => {
    return { name, publicKey: signers[index]!.publicKey, peerId: `peer-${name}` };
  });
  return { set: { id, validators }, signers };
}

/** Signs COMMIT for a header with the given validators, by default a quorum. */
export function certify(header: Header, keys: ValidatorKeys, signers?: readonly number[]): Certificate {
  const subject = {
    validatorSetId: keys.set.id,
    view: 2,
    newViewDigest: hashOf('new view'),
    height: header.height,
    blockHash: headerHash(sha256, header),
  };
  const bytes = voteBytes('commit', { chainId: header.chainId, ...subject });
  const who = signers ?? Array.from({ length: quorumSize(keys.set.validators.length) }, (_, index) => index);
  return {
    ...subject,
    signatures: who.map(signer => ({ signer, signature: keys.signers[signer]!.sign(bytes) })),
  };
}

export interface TestLog {
  readonly scope: ScopeKind;
  readonly id: Hash;
  readonly logId: LogId;
  state: Uint8Array;
  items: LogItem[];
  hashes: Hash[];
  frontier: Frontier;
}

export interface SealOptions {
  readonly outcome?: number;
  /** Logs that get a leaf although the body does not name them, as a revocation does. */
  readonly alsoIn?: readonly TestLog[];
  readonly nextKeys?: ValidatorKeys;
}

const CHAIN_ID = hashOf('test chain');

/** A chain made by hand, with real keys and signatures: what consensus nodes would serve to light ones. */
export class TestChain {
  readonly chainId = CHAIN_ID;
  readonly logs = new Map<LogId, TestLog>();
  readonly blocks: Block[] = [];
  readonly certificates: Certificate[] = [];
  readonly setChanges: SetChange[] = [];
  private readonly nodes = new Map<Hash, Uint8Array>();
  private mapRoot: Hash = ZERO_HASH;
  private salts = 0;
  keys: ValidatorKeys;

  constructor(validators = 4) {
    this.keys = validatorKeys(0, validators);
    this.push([], this.keys.set, ZERO_HASH);
  }

  get head(): CertifiedHeader {
    return this.certified(this.blocks.length - 1);
  }

  certified(height: number): CertifiedHeader {
    return { header: this.blocks[height]!.header, certificate: this.certificates[height]! };
  }

  get anchor() {
    return { genesisHeader: this.blocks[0]!.header, genesisSet: validatorKeys(0, this.anchorCount).set };
  }

  private get anchorCount(): number {
    return this.setChanges.length === 0 ? this.keys.set.validators.length : 4;
  }

  genesis(): Trust {
    return ok(genesisTrust(suite, this.anchor.genesisHeader, this.anchor.genesisSet));
  }

  addLog(scope: ScopeKind, id: Hash, state: Uint8Array): TestLog {
    const logId = logIdOf(sha256, CHAIN_ID, scope, id);
    const log = { scope, id, logId, state, items: [], hashes: [], frontier: EMPTY_FRONTIER };
    this.logs.set(logId, log);
    return log;
  }

  build(
    sender: string,
    keyId: number,
    kind: KindName,
    logs: readonly TestLog[],
    parts: readonly [scope: number, content: Uint8Array][],
  ): BuiltTransaction {
    return buildTransaction(sha256, {
      chainId: CHAIN_ID,
      sender: sender as MemberId,
      keyId,
      kind,
      lastValidHeight: 1000,
      scopes: logs.map(log => log.logId),
      parts: parts.map(([scope, content]) => {
        this.salts += 1;
        const salt = new Uint8Array(createHash('sha256').update(`salt ${this.salts}`).digest());
        return { scope, salt, content };
      }),
    });
  }

  /** Executes nothing: appends each transaction to each of its scopes and certifies the result. */
  seal(transactions: readonly SignedTransaction[], options: SealOptions = {}): Block {
    const height = this.blocks.length;
    const entries = transactions.map(signed => {
      const { id, wrapperHash, body } = ok(decodeTransaction(sha256, encodeSignedTransaction(signed)));
      const outcome = options.outcome ?? 0;
      for (const [index, logId] of body.scopes.entries()) {
        const own = body.parts.map((part, at) => (part.scope === index ? signed.parts[at]! : null));
        this.append(logId, height, encodeSignedTransaction({ ...signed, parts: own }), id, outcome);
      }
      const bare = encodeSignedTransaction({ ...signed, parts: signed.parts.map(() => null) });
      for (const { logId } of options.alsoIn ?? []) this.append(logId, height, bare, id, outcome);
      return { id, wrapperHash, outcome };
    });
    const touched = new Map(
      [...this.logs.values()].map(log => [mapKeyOf(sha256, log.logId), mapValueOf(sha256, this.entry(log))]),
    );
    const update = mapUpdate(sha256, hash => this.nodes.get(hash) ?? null, this.mapRoot, touched);
    for (const [hash, node] of update.added) this.nodes.set(hash, node);
    this.mapRoot = update.root;
    const next = options.nextKeys ?? this.keys;
    const block = this.push(entries, next.set, headerHash(sha256, this.blocks[height - 1]!.header));
    if (options.nextKeys !== undefined) {
      this.setChanges.push({ certified: this.certified(height), nextSet: next.set });
      this.keys = options.nextKeys;
    }
    return block;
  }

  entry(log: TestLog) {
    const root = frontierRoot(sha256, log.frontier);
    return { size: log.frontier.size, root, digest: scopeDigest(sha256, log.state) };
  }

  /** What an honest source answers about a log at the head. */
  logUpdate(log: TestLog, from = 0): LogUpdate {
    return {
      logId: log.logId,
      entry: this.entry(log),
      mapProof: mapProve(
        sha256,
        hash => this.nodes.get(hash) ?? null,
        this.mapRoot,
        mapKeyOf(sha256, log.logId),
      ),
      state: log.state,
      from,
      frontier: appendLeaves(sha256, EMPTY_FRONTIER, log.hashes.slice(0, from)),
      items: log.items.slice(from),
    };
  }

  /** The leaves [from, to) of a log with their proof under the head. */
  dossierLog(log: TestLog, from = 0, to = log.items.length): DossierLog {
    const { entry, state } = this.logUpdate(log);
    const { size, digest } = entry;
    const rootOf = (start: number, end: number) => treeRoot(sha256, log.hashes.slice(start, end));
    return {
      ...{ scope: log.scope, id: log.id, size, digest, state },
      frontier: appendLeaves(sha256, EMPTY_FRONTIER, log.hashes.slice(0, from)),
      items: log.items.slice(from, to).map(({ leaf, transaction }) => {
        const { height, timeMs, outcome } = ok(decodeLeaf(leaf));
        return { height, timeMs, outcome, transaction };
      }),
      right: hashesRightOf(rootOf, to, log.items.length),
    };
  }

  /** Sections of the system log's state, all members by default. */
  provenMembers(log: TestLog, wanted?: readonly string[]): ProvenMembers {
    const { entry, state } = this.logUpdate(log);
    return provenMembers(sha256, ok(decodeSystemState(state!)), wanted ?? null, entry);
  }

  /** The head's map on the paths to these logs. */
  openMap(...logs: readonly TestLog[]): MapOpening {
    return openLogs(sha256, new Map(logs.map(log => [log.logId, this.provenEntry(log)])));
  }

  provenEntry(log: TestLog): ProvenEntry {
    const { entry, mapProof } = this.logUpdate(log);
    return { entry, siblings: mapProof.siblings };
  }

  absence(logId: LogId) {
    return mapProve(sha256, hash => this.nodes.get(hash) ?? null, this.mapRoot, mapKeyOf(sha256, logId));
  }

  private append(logId: LogId, height: number, transaction: Uint8Array, id: Hash, outcome: number): void {
    const log = this.logs.get(logId)!;
    const position = log.items.length;
    const leaf = encodeLeaf({ logId, position, height, timeMs: height * 1000, transactionId: id, outcome });
    log.items.push({ leaf, transaction });
    log.hashes.push(leafHash(sha256, leaf));
    log.frontier = appendLeaves(sha256, log.frontier, log.hashes.slice(-1));
  }

  private push(entries: Block['entries'], next: ValidatorSet, parentHash: Hash): Block {
    const parent = this.blocks.at(-1)?.header;
    const changed = parent !== undefined && parent.nextValidatorSetHash !== parent.validatorSetHash;
    const hashes = entries.map(entry => leafHash(sha256, encodeBlockEntryLeaf(entry)));
    const header: Header = {
      version: 1,
      chainId: CHAIN_ID,
      height: this.blocks.length,
      parentHash,
      timeMs: this.blocks.length * 1000,
      transactionsRoot: frontierRoot(sha256, appendLeaves(sha256, EMPTY_FRONTIER, hashes)),
      mapRoot: this.mapRoot,
      validatorSetId: this.keys.set.id,
      validatorSetHash: validatorSetHash(sha256, this.keys.set),
      nextValidatorSetHash: validatorSetHash(sha256, next),
      previousSetChangeHeight: changed ? parent.height : (parent?.previousSetChangeHeight ?? 0),
    };
    const block = { header, entries };
    this.blocks.push(block);
    this.certificates.push(certify(header, this.keys));
    return block;
  }
}

export function memberKey(name: string, fromHeight: number, untilHeight: number): MemberKey {
  const { publicKey } = signerOf(name);
  return {
    signingKey: publicKey,
    fromHeight,
    untilHeight,
    user: null,
    sealingKey: publicKey,
    replaced: false,
  };
}

/** Alice has one key; bob rotated at height 5. Each has two nodes. */
export function sampleSystem(): SystemState {
  const member = (id: string, keys: readonly MemberKey[]) => {
    const standing = { version: keys.length - 1, revoked: false, suspendedHeight: 0 };
    return { id: id as MemberId, name: id, ...standing, peerIds: [`${id}-1`, `${id}-2`], keys };
  };
  return {
    version: 0,
    parameters: {
      blockTransactionsMax: 100,
      blockBytesMax: 1 << 20,
      transactionBytesMax: 1 << 20,
      replayWindowBlocks: 1000,
      memberTransactionsPerBlockMax: 100,
      memberBytesPerBlockMax: 1 << 20,
      clockDriftMsMax: 1000,
      checkpointIntervalBlocks: 16,
      windowBlocks: 32,
      viewTimeoutMs: 1000,
      viewTimeoutMsMax: 10_000,
      rotationBlocks: 0,
    },
    validatorSet: validatorKeys(0).set,
    setChangeHeight: 0,
    administrators: ['alice' as MemberId],
    administratorThreshold: 1,
    members: [
      member('alice', [memberKey('alice', 0, 0)]),
      member('bob', [memberKey('bob', 0, 5), memberKey('bob 2', 5, 0)]),
    ],
    governance: INITIAL_GOVERNANCE,
  };
}

export function samplePhase(name: string): PhaseState {
  return {
    id: hashOf(name),
    project: hashOf('project'),
    owner: 'alice' as MemberId,
    card: { epoch: 1, bytes: new Uint8Array(90) },
    lifecycleHeight: 0,
    closedMs: 0,
    lifecycle: 1,
    version: 1,
    membershipVersion: 1,
    custody: 0,
    policy: DEFAULT_POLICY,
    frozen: false,
    participants: [
      { member: 'alice' as MemberId, roles: 15, startPosition: 0, fromEpoch: 1, heldFrom: 1 },
      { member: 'bob' as MemberId, roles: 3, startPosition: 0, fromEpoch: 1, heldFrom: 1 },
    ],
    former: [],
    epochs: [
      {
        number: 1,
        commitment: hashOf('epoch'),
        publicKey: signerOf('epoch').publicKey,
        startPosition: 0,
        height: 1,
        opener: 'alice' as MemberId,
      },
    ],
    requests: [],
    complaints: [],
    recovery: null,
  };
}

/** A chain with the system log and two phases, `a` with records of alice and bob. */
export function sampleChain(records = 6) {
  const chain = new TestChain();
  const system = chain.addLog('system', chain.chainId, encodeSystemState(sampleSystem()));
  const named = { ...samplePhase('phase a'), card: sampleCard(chain.chainId, hashOf('phase a')) };
  const a = chain.addLog('phase', named.id, encodePhaseState(named));
  const b = chain.addLog('phase', hashOf('phase b'), encodePhaseState(samplePhase('phase b')));
  const alice = signerOf('alice');
  const note = (log: TestLog, text: string) => chain.build('alice', 0, 'phaseOpen', [log], [[0, utf8(text)]]);
  chain.seal(signTransactions(sha256, alice, [note(system, 'member'), note(a, 'opens'), note(b, 'opens')]));
  for (let index = 0; index < records; index += 1) {
    const both = chain.build(
      'alice',
      0,
      'phaseHandover',
      [a, b],
      [
        [0, utf8(`a ${index}`)],
        [1, utf8(`b ${index}`)],
      ],
    );
    chain.seal(signTransactions(sha256, alice, [note(a, `record ${index}`), both]));
  }
  return { chain, system, a, b };
}

/** The transaction that a leaf of the log names. */
export function recordIdOf(log: TestLog, position: number): Hash {
  return ok(decodeLeaf(log.items[position]!.leaf)).transactionId;
}
