import { keyholders, recoveryKeyOf } from '../../src/core/access/epochs.ts';
import { bridged } from '../../src/core/access/flow.ts';
import { sourcePlaceOf } from '../../src/core/access/handover-item.ts';
import { recoveryWithout } from '../../src/core/access/recovery.ts';
import { utf8 } from '../../src/core/base/bytes.ts';
import type { Hash, LogId, MemberId, PhaseId, ProjectId } from '../../src/core/base/ids.ts';
import { isReject, type Reject } from '../../src/core/base/reject.ts';
import { handoverItemHash } from '../../src/core/codec/handover.ts';
import { memberUserBytes } from '../../src/core/codec/member.ts';
import { decodeHandoverItems } from '../../src/core/codec/operation.ts';
import { bodyId } from '../../src/core/codec/transaction.ts';
import { readPhase, readProject, readSystem } from '../../src/core/ledger/read.ts';
import { inclusionProof, treeRoot } from '../../src/core/merkle/log.ts';
import type { PhaseCardChange } from '../../src/core/types/card.ts';
import {
  type ApprovalRequestContent,
  DEFAULT_POLICY,
  type Deed,
  type FlowChange,
  type PhasePolicy,
  type PhasePolicyChange,
  type PhaseSkipProject,
} from '../../src/core/types/flow.ts';
import type { MemberUserAdd } from '../../src/core/types/member.ts';
import {
  CUSTODY,
  type EpochOpening,
  GRANTS,
  type HandoverItem,
  type ParticipantAdd,
  type PhaseAddPhase,
  type PhaseAddProject,
  ROLES,
} from '../../src/core/types/operation.ts';
import type { PhaseState, ProjectState } from '../../src/core/types/state.ts';
import type { Transaction } from '../../src/core/types/transaction.ts';
import { nodeSuite } from '../../src/crypto/suite.ts';
import {
  type Actor,
  bytesOf,
  cardProof,
  hashOf,
  type TestLedger,
  type TransactionOptions,
  testSigner,
} from './ledger-kit.ts';

const { sha256 } = nodeSuite;

/** Where a phase's log has a record: `item` is the index in a handover's items. */
export interface HandoverPlace {
  readonly position: number;
  readonly item: number | null;
}

function valid<T>(value: T | Reject): T {
  if (isReject(value)) throw new Error(value.detail);
  return value as T;
}

/** Of an item as it is, also of one that does not hold. */
export function itemHash(item: HandoverItem): Hash {
  const place = sourcePlaceOf(sha256, item);
  return handoverItemHash(sha256, item.salt, item, isReject(place) ? [] : place.steps);
}

/**
 * Correct transactions for the current state of a test ledger. What a test wants wrong it gives as `changes`, which replace
 * fields of the content.
 */
export class Actions {
  constructor(readonly ledger: TestLedger) {}

  phase(id: PhaseId): PhaseState {
    return readPhase(this.ledger.state, id)!;
  }

  project(id: ProjectId): ProjectState {
    return readProject(this.ledger.state, id)!;
  }

  protected phaseLog(id: PhaseId): LogId[] {
    return [this.ledger.logId('phase', id)];
  }

  register(administrator: Actor, actor: Actor, card = actor.card, options?: TransactionOptions): Transaction {
    const proof = cardProof(this.ledger.chainId, actor, card);
    const scopes = [this.ledger.logId('system')];
    return this.ledger.make(administrator, 'memberRegister', scopes, [{ card, proof }], options);
  }

  /** @param next the same member with its next keys; the transaction is signed with the current ones */
  rotate(actor: Actor, next: Actor, changes: { expectedVersion?: number } = {}): Transaction {
    const member = readSystem(this.ledger.state).members.find(entry => entry.id === actor.id);
    const content = {
      expectedVersion: member?.version ?? 0,
      card: next.card,
      proof: cardProof(this.ledger.chainId, next),
      ...changes,
    };
    return this.ledger.make(actor, 'memberRotate', [this.ledger.logId('system')], [content]);
  }

  revoke(administrator: Actor, member: MemberId): Transaction {
    const scopes = [this.ledger.logId('system')];
    return this.ledger.make(administrator, 'memberRevoke', scopes, [{ member, reason: 'left' }]);
  }

  /** @param user whose key the transaction brings; its name stands for the id, too */
  addUser(actor: Actor, user: string, changes: Partial<MemberUserAdd> = {}): Transaction {
    const signer = testSigner(`user ${user}`);
    const plain = { user: hashOf(user), signingKey: signer.publicKey };
    const proof = signer.sign(memberUserBytes(this.ledger.chainId, actor.id, plain.signingKey));
    const scopes = [this.ledger.logId('system')];
    return this.ledger.make(actor, 'memberUserAdd', scopes, [{ ...plain, proof, ...changes }]);
  }

  revokeUser(actor: Actor, user: string): Transaction {
    const scopes = [this.ledger.logId('system')];
    return this.ledger.make(actor, 'memberUserRevoke', scopes, [{ user: hashOf(user) }]);
  }

  suspend(administrator: Actor, member: MemberId): Transaction {
    const scopes = [this.ledger.logId('system')];
    return this.ledger.make(administrator, 'memberSuspend', scopes, [{ member, reason: 'stolen' }]);
  }

  createProject(owner: Actor, project: ProjectId): Transaction {
    const scopes = [this.ledger.logId('project', project)];
    return this.ledger.make(owner, 'projectCreate', scopes, [{ project, card: bytesOf('card', 90) }]);
  }

  archive(owner: Actor, project: ProjectId, expectedVersion = this.project(project).version): Transaction {
    const scopes = [this.ledger.logId('project', project)];
    return this.ledger.make(owner, 'projectArchive', scopes, [{ project, expectedVersion }]);
  }

  /** @param phase null for the card of the project itself */
  projectCard(
    owner: Actor,
    project: ProjectId,
    phase: PhaseId | null,
    expectedVersion?: number,
  ): Transaction {
    const version = expectedVersion ?? this.project(project).version;
    const content = { project, expectedVersion: version, phase, card: bytesOf('another card', 90) };
    return this.ledger.make(owner, 'projectCard', [this.ledger.logId('project', project)], [content]);
  }

  phaseCard(actor: Actor, phase: PhaseId, changes: Partial<PhaseCardChange> = {}): Transaction {
    const { membershipVersion, epochs } = this.phase(phase);
    const card = { epoch: epochs.length - 1, bytes: bytesOf('another card', 90) };
    const content = { phase, expectedMembershipVersion: membershipVersion, card, ...changes };
    return this.ledger.make(actor, 'phaseCard', this.phaseLog(phase), [content]);
  }

  /**
   * An epoch with one envelope for each of `members`, sealed to the key each holds now.
   * @param recovers whether the phase has a recovery key, which gets the secret too
   */
  opening(number: number, members: Iterable<MemberId>, recovers = false): EpochOpening {
    const envelopes = [...members].map(member => ({
      member,
      keyId: this.ledger.keyIdOf(member),
      sealed: bytesOf(`envelope ${number} ${member}`, 80),
    }));
    const { publicKey } = testSigner('epoch');
    const card = bytesOf(`card ${number}`, 90);
    const extras = { historyFrom: number, recovery: bytesOf('recovery', recovers ? 121 : 0) };
    return { number, commitment: hashOf(`epoch ${number}`), publicKey, envelopes, card, ...extras };
  }

  /** The next epoch of a phase whose participants will be these. */
  nextEpoch(phase: PhaseState, participants: readonly MemberId[]): EpochOpening {
    const named = participants.map(member => ({ member }));
    const holders = keyholders(readSystem(this.ledger.state), { ...phase, participants: named });
    return this.opening(phase.epochs.length, holders, recoveryKeyOf(phase) !== null);
  }

  addPhase(
    owner: Actor,
    project: ProjectId,
    phase: PhaseId,
    participants: Readonly<Record<string, number>>,
    changes: { inProject?: Partial<PhaseAddProject>; inPhase?: Partial<PhaseAddPhase> } = {},
  ): Transaction {
    const custody = changes.inPhase?.custody ?? CUSTODY.manager;
    const members = Object.keys(participants).sort() as MemberId[];
    const holders = new Set(custody === CUSTODY.manager ? [...members, owner.id] : members);
    const inProject = {
      project,
      expectedVersion: readProject(this.ledger.state, project)?.version ?? 0,
      phase,
      card: bytesOf('card', 90),
      predecessors: [],
      rewirings: [],
      ...changes.inProject,
    };
    const inPhase = {
      project,
      phase,
      custody,
      policy: DEFAULT_POLICY,
      participants: members.map(member => ({ member, roles: participants[member]! })),
      epoch: this.opening(0, holders),
      ...changes.inPhase,
    };
    const scopes = [
      this.ledger.logId('project', inProject.project),
      this.ledger.logId('phase', inPhase.phase),
    ];
    return this.ledger.make(owner, 'phaseAdd', scopes, [inProject, inPhase]);
  }

  open(actor: Actor, phase: PhaseId, expectedVersion = this.phase(phase).version): Transaction {
    return this.ledger.make(actor, 'phaseOpen', this.phaseLog(phase), [{ phase, expectedVersion }]);
  }

  close(actor: Actor, phase: PhaseId, expectedVersion = this.phase(phase).version): Transaction {
    return this.ledger.make(actor, 'phaseClose', this.phaseLog(phase), [{ phase, expectedVersion }]);
  }

  put(actor: Actor, phase: PhaseId, text: string, epoch?: number, options?: TransactionOptions): Transaction {
    const current = readPhase(this.ledger.state, phase)?.epochs.at(-1)?.number ?? 0;
    const meta = {
      epoch: epoch ?? current,
      wrappedKey: { mode: 'epoch', bytes: bytesOf('wrapped', 60) } as const,
      keyCommitment: hashOf(`key of ${text}`),
      fieldsRoot: hashOf(`fields of ${text}`),
      files: [],
      references: [],
    };
    return this.ledger.make(actor, 'recordPut', this.phaseLog(phase), [meta, utf8(text)], options);
  }

  receipt(
    actor: Actor,
    phase: PhaseId,
    position: number,
    changes: { record?: Hash; leaf?: Uint8Array } = {},
  ) {
    const stored = this.ledger.leavesOf('phase', phase)[position]!;
    const entry = { position, record: stored.transactionId, leaf: stored.leaf, cids: ['bafk'], ...changes };
    return this.ledger.make(actor, 'fileReceipt', this.phaseLog(phase), [{ phase, receipts: [entry] }]);
  }

  private leafAt(phase: PhaseId, position: number) {
    const stored = this.ledger.leavesOf('phase', phase)[position]!;
    return { position, record: stored.transactionId, leaf: stored.leaf };
  }

  /** @param position of a record that names the file */
  purge(actor: Actor, phase: PhaseId, position: number) {
    const references = [this.leafAt(phase, position)];
    const content = { phase, cid: 'bafk', reason: 'asked for', references, elsewhere: [] };
    return this.ledger.make(actor, 'filePurge', this.phaseLog(phase), [content]);
  }

  /** @param position of the order */
  purgeAck(actor: Actor, phase: PhaseId, position: number, node = actor.card.peerIds[0]!) {
    const acks = [{ ...this.leafAt(phase, position), cid: 'bafk', kept: false }];
    return this.ledger.make(actor, 'filePurgeAck', this.phaseLog(phase), [{ phase, node, acks }]);
  }

  /** @param received index in the handover at that position; null for a record that was written there */
  item(phase: PhaseId, position: number, received: number | null = null): HandoverItem {
    const stored = this.ledger.leavesOf('phase', phase)[position]!;
    const { signed } = this.ledger.transactions.get(stored.transactionId)!;
    const { body, signature, batch, parts } = signed;
    const wrappedKey = { mode: 'hpke', bytes: bytesOf('resealed', 113) } as const;
    const salt = bytesOf(`item ${phase} ${position} ${received}`, 32);
    if (received !== null) {
      const items = valid(decodeHandoverItems(parts[2]!.content));
      const hashes = items.map(itemHash);
      const { steps } = valid(sourcePlaceOf(sha256, items[received]!));
      const path = inclusionProof(sha256, at => hashes[at]!, received, items.length);
      const { salt: earlier } = items[received]!;
      const proof = { leaf: stored.leaf, body, target: parts[1]!, item: received };
      return { ...items[received]!, position, relay: { ...proof, salt: earlier, path, steps }, salt };
    }
    return {
      position,
      relay: null,
      salt,
      leaf: stored.leaf,
      body,
      signature,
      batch,
      meta: parts[0]!,
      payload: (parts[1] ?? parts[0])!,
      wrappedKey,
    };
  }

  /** The id of the record at a place; of none, when the handover there has no such item. */
  private recordId(phase: PhaseId, { position, item }: HandoverPlace): Hash {
    const { transactionId } = this.ledger.leavesOf('phase', phase)[position]!;
    if (item === null) return transactionId;
    const { parts } = this.ledger.transactions.get(transactionId)!.signed;
    const received = valid(decodeHandoverItems(parts[2]!.content))[item];
    return received === undefined ? hashOf('no such item') : bodyId(sha256, received.body);
  }

  handover(
    actor: Actor,
    source: PhaseId,
    target: PhaseId,
    places: readonly (number | HandoverPlace)[],
    changes: {
      items?: readonly HandoverItem[];
      epoch?: number;
      ids?: readonly Hash[];
      root?: Hash;
      count?: number;
    } = {},
  ): Transaction {
    const full = places.map(place => (typeof place === 'number' ? { position: place, item: null } : place));
    const records = full.map((place, index) => {
      return { ...place, id: changes.ids?.[index] ?? this.recordId(source, place) };
    });
    const items = changes.items ?? full.map(({ position, item }) => this.item(source, position, item));
    const itemsRoot = changes.root ?? treeRoot(sha256, items.map(itemHash));
    const epoch = changes.epoch ?? readPhase(this.ledger.state, target)?.epochs.at(-1)?.number ?? 0;
    const scopes = [...this.phaseLog(source), ...this.phaseLog(target)];
    return this.ledger.make(actor, 'phaseHandover', scopes, [
      { phase: source, target, records },
      { phase: target, source, epoch, itemCount: changes.count ?? items.length, itemsRoot },
      items,
    ]);
  }

  addParticipant(
    actor: Actor,
    phase: PhaseId,
    member: MemberId,
    grant: number,
    changes: Partial<ParticipantAdd> = {},
  ): Transaction {
    const state = this.phase(phase);
    const members = [...state.participants.map(entry => entry.member), member];
    const envelope = { member, keyId: this.ledger.keyIdOf(member), sealed: bytesOf('granted', 80) };
    const none = grant === GRANTS.none;
    const content: ParticipantAdd = {
      phase,
      expectedMembershipVersion: state.membershipVersion,
      member,
      roles: ROLES.reader | ROLES.contributor,
      grant,
      fromEpoch: 0,
      envelope: none ? null : envelope,
      epoch: none ? this.nextEpoch(state, members) : null,
      ...changes,
    };
    return this.ledger.make(actor, 'participantAdd', this.phaseLog(phase), [content]);
  }

  removeParticipant(
    actor: Actor,
    phase: PhaseId,
    member: MemberId,
    changes: { epoch?: EpochOpening | null; expectedMembershipVersion?: number } = {},
  ): Transaction {
    const state = this.phase(phase);
    const rest = state.participants.map(entry => entry.member).filter(id => id !== member);
    const content = {
      phase,
      expectedMembershipVersion: state.membershipVersion,
      member,
      epoch: this.nextEpoch({ ...state, recovery: recoveryWithout(state.recovery, member) }, rest),
      ...changes,
    };
    return this.ledger.make(actor, 'participantRemove', this.phaseLog(phase), [content]);
  }

  changeRole(actor: Actor, phase: PhaseId, member: MemberId, roles: number, expected?: number): Transaction {
    const expectedMembershipVersion = expected ?? this.phase(phase).membershipVersion;
    const content = { phase, expectedMembershipVersion, member, roles };
    return this.ledger.make(actor, 'participantRole', this.phaseLog(phase), [content]);
  }

  rotateEpoch(
    actor: Actor,
    phase: PhaseId,
    changes: { epoch?: EpochOpening; expectedMembershipVersion?: number } = {},
  ): Transaction {
    const state = this.phase(phase);
    const members = state.participants.map(entry => entry.member);
    const content = {
      phase,
      expectedMembershipVersion: state.membershipVersion,
      epoch: this.nextEpoch(state, members),
      ...changes,
    };
    return this.ledger.make(actor, 'epochRotate', this.phaseLog(phase), [content]);
  }
  flowChange(
    owner: Actor,
    project: ProjectId,
    after: Readonly<Record<PhaseId, readonly PhaseId[]>>,
    changes: Partial<FlowChange> = {},
  ): Transaction {
    const { version, phases } = this.project(project);
    const rewirings = (Object.keys(after) as PhaseId[]).map(phase => ({
      phase,
      before: phases.find(({ id }) => id === phase)?.predecessors ?? [],
      after: after[phase] ?? [],
    }));
    const content = { project, expectedVersion: version, changes: rewirings, ...changes };
    return this.ledger.make(owner, 'flowChange', [this.ledger.logId('project', project)], [content]);
  }

  skip(owner: Actor, phase: PhaseId, changes: Partial<PhaseSkipProject> = {}): Transaction {
    const { project: id, version } = this.phase(phase);
    const project = this.project(id);
    const inProject = {
      ...{ project: id, expectedVersion: project.version, phase },
      changes: bridged(project.phases, phase),
      ...changes,
    };
    const scopes = [this.ledger.logId('project', id), ...this.phaseLog(phase)];
    return this.ledger.make(owner, 'phaseSkip', scopes, [inProject, { phase, expectedVersion: version }]);
  }

  reopen(actor: Actor, phase: PhaseId, expectedVersion = this.phase(phase).version): Transaction {
    return this.ledger.make(actor, 'phaseReopen', this.phaseLog(phase), [{ phase, expectedVersion }]);
  }

  archivePhase(actor: Actor, phase: PhaseId, expectedVersion = this.phase(phase).version): Transaction {
    return this.ledger.make(actor, 'phaseArchive', this.phaseLog(phase), [{ phase, expectedVersion }]);
  }

  policy(
    owner: Actor,
    phase: PhaseId,
    change: Partial<PhasePolicy>,
    changes: Partial<PhasePolicyChange> = {},
  ) {
    const { version: expectedVersion, policy: before } = this.phase(phase);
    const content = { phase, expectedVersion, before, after: { ...before, ...change }, ...changes };
    return this.ledger.make(owner, 'phasePolicy', this.phaseLog(phase), [content]);
  }

  request(
    actor: Actor,
    phase: PhaseId,
    deed: Deed,
    changes: Partial<ApprovalRequestContent> = {},
  ): Transaction {
    const { version: expectedVersion, membershipVersion: expectedMembershipVersion } = this.phase(phase);
    const expiresHeight = this.ledger.head.header.height + 20;
    const content = { phase, expectedVersion, expectedMembershipVersion, expiresHeight, deed, ...changes };
    return this.ledger.make(actor, 'approvalRequest', this.phaseLog(phase), [content]);
  }

  approve(actor: Actor, phase: PhaseId, request: number, approve = true): Transaction {
    return this.ledger.make(actor, 'approvalVote', this.phaseLog(phase), [{ phase, request, approve }]);
  }

  withdrawRequest(actor: Actor, phase: PhaseId, request: number): Transaction {
    return this.ledger.make(actor, 'approvalWithdraw', this.phaseLog(phase), [{ phase, request }]);
  }
}
