import { keyholders, recoveryKeyOf } from '../../src/core/access/epochs.ts';
import { recoveryWithout } from '../../src/core/access/recovery.ts';
import type { Hash, LogId, MemberId, PhaseId, ProjectId } from '../../src/core/base/ids.ts';
import { isReject } from '../../src/core/base/reject.ts';
import { buildTransaction, signTransactions } from '../../src/core/codec/build.ts';
import * as codec from '../../src/core/codec/operation.ts';
import { encodeSignedTransaction } from '../../src/core/codec/transaction.ts';
import { findMember, readPhase, readProject, readSystem } from '../../src/core/ledger/read.ts';
import { DEFAULT_POLICY } from '../../src/core/types/flow.ts';
import {
  CUSTODY,
  type EpochOpening,
  type FileReference,
  GRANTS,
  type KindName,
  ROLES,
} from '../../src/core/types/operation.ts';
import type { PhaseState, StateView } from '../../src/core/types/state.ts';
import type { Transaction } from '../../src/core/types/transaction.ts';
import { type Actor, bytesOf, type Consortium, hashOf, keyIdOf } from './consortium.ts';
import { decodeTransaction } from './shared-work.ts';
import { simulatedKey, simulatedSuite as suite } from './suite.ts';

/** A transaction as a client submits it. */
export interface Draft {
  readonly transaction: Transaction;
  readonly bytes: Uint8Array;
}

interface Part {
  readonly scope: number;
  readonly content: Uint8Array;
}

/** Real transactions of every kind, for the state that a client has seen; that may be an old one. */
export class Drafts {
  private made = 0;

  constructor(readonly consortium: Consortium) {}

  sign(
    actor: Actor,
    kind: KindName,
    lastValidHeight: number,
    scopes: readonly LogId[],
    parts: readonly Part[],
  ): Draft {
    const [draft] = this.signTogether(actor, kind, lastValidHeight, scopes, [parts]);
    if (draft === undefined) throw new Error('one transaction gives one draft');
    return draft;
  }

  /** Several transactions of one kind under one signature. */
  private signTogether(
    actor: Actor,
    kind: KindName,
    lastValidHeight: number,
    scopes: readonly LogId[],
    contents: readonly (readonly Part[])[],
  ): Draft[] {
    const { sha256 } = suite;
    const { chainId } = this.consortium;
    const head = { chainId, sender: actor.id, keyId: actor.keyId, kind, lastValidHeight, scopes };
    const built = contents.map(parts => {
      this.made += 1;
      const salted = parts.map((part, index) => ({
        ...part,
        salt: bytesOf(`salt ${this.made} ${index}`, 32),
      }));
      return buildTransaction(sha256, { ...head, parts: salted });
    });
    return signTransactions(sha256, actor.signer, built).map(signed => {
      const bytes = encodeSignedTransaction(signed);
      const transaction = decodeTransaction(sha256, bytes);
      if (isReject(transaction))
        throw new Error(`a drafted transaction does not decode: ${transaction.detail}`);
      return { transaction, bytes };
    });
  }

  private system(): LogId[] {
    return [this.consortium.logId('system')];
  }

  private phaseLog(phase: PhaseId): LogId[] {
    return [this.consortium.logId('phase', phase)];
  }

  register(by: Actor, actor: Actor, until: number): Draft {
    const proof = actor.signer.sign(codec.memberCardBytes(this.consortium.chainId, actor.card));
    const content = codec.encodeMemberRegister({ card: actor.card, proof });
    return this.sign(by, 'memberRegister', until, this.system(), [{ scope: 0, content }]);
  }

  rotate(state: StateView, actor: Actor, next: Actor, until: number): Draft {
    const expectedVersion = findMember(readSystem(state), actor.id)?.version ?? 0;
    const proof = next.signer.sign(codec.memberCardBytes(this.consortium.chainId, next.card));
    const content = codec.encodeMemberRotate({ expectedVersion, card: next.card, proof });
    return this.sign(actor, 'memberRotate', until, this.system(), [{ scope: 0, content }]);
  }

  revoke(by: Actor, member: MemberId, until: number): Draft {
    const content = codec.encodeMemberRevoke({ member, reason: 'left' });
    return this.sign(by, 'memberRevoke', until, this.system(), [{ scope: 0, content }]);
  }

  createProject(owner: Actor, project: ProjectId, until: number): Draft {
    const content = codec.encodeProjectCreate({ project, card: bytesOf('card', 90) });
    const scopes = [this.consortium.logId('project', project)];
    return this.sign(owner, 'projectCreate', until, scopes, [{ scope: 0, content }]);
  }

  archiveProject(state: StateView, owner: Actor, project: ProjectId, until: number): Draft {
    const expectedVersion = readProject(state, project)?.version ?? 0;
    const content = codec.encodeProjectArchive({ project, expectedVersion });
    const scopes = [this.consortium.logId('project', project)];
    return this.sign(owner, 'projectArchive', until, scopes, [{ scope: 0, content }]);
  }

  /** @param isRecoverable where the phase has a recovery key, which the epoch's secret is sealed to as well */
  private opening(
    state: StateView,
    number: number,
    holders: Iterable<MemberId>,
    isRecoverable: boolean,
  ): EpochOpening {
    const system = readSystem(state);
    const envelopes = [...holders].map(member => ({
      member,
      keyId: keyIdOf(system, member),
      sealed: bytesOf(`envelope ${number} ${member}`, 80),
    }));
    const publicKey = simulatedKey('epoch');
    const card = bytesOf(`card ${number}`, 90);
    const recovery = isRecoverable ? bytesOf(`recovery ${number}`, 113) : new Uint8Array();
    const extras = { historyFrom: number, recovery };
    return { number, commitment: hashOf(`epoch ${number}`), publicKey, envelopes, card, ...extras };
  }

  /** Null where the maker would not hold it, and so may not make it. @param phase as it will be */
  private nextEpoch(
    state: StateView,
    maker: Actor,
    phase: Pick<PhaseState, 'owner' | 'custody' | 'epochs' | 'recovery'>,
    participants: readonly MemberId[],
  ): EpochOpening | null {
    const named = participants.map(member => ({ member }));
    const holders = keyholders(readSystem(state), { ...phase, participants: named });
    if (!holders.has(maker.id)) return null;
    return this.opening(state, phase.epochs.length, holders, recoveryKeyOf(phase) !== null);
  }

  addPhase(
    state: StateView,
    owner: Actor,
    project: ProjectId,
    phase: PhaseId,
    members: readonly MemberId[],
    until: number,
    custody: number = CUSTODY.manager,
  ): Draft {
    const sorted = [...members].sort();
    const roles = ROLES.reader | ROLES.contributor | ROLES.steward;
    const inProject = codec.encodePhaseAddProject({
      project,
      expectedVersion: readProject(state, project)?.version ?? 0,
      phase,
      card: bytesOf('card', 90),
      // After the one before, so that it can be handed records.
      predecessors: (readProject(state, project)?.phases ?? []).slice(-1).map(({ id }) => id),
      rewirings: [],
    });
    const holders = new Set(custody === CUSTODY.manager ? [...sorted, owner.id] : sorted);
    const inPhase = codec.encodePhaseAddPhase({
      project,
      phase,
      custody,
      policy: DEFAULT_POLICY,
      participants: sorted.map(member => ({ member, roles })),
      epoch: this.opening(state, 0, holders, false),
    });
    const scopes = [this.consortium.logId('project', project), ...this.phaseLog(phase)];
    const parts = [
      { scope: 0, content: inProject },
      { scope: 1, content: inPhase },
    ];
    return this.sign(owner, 'phaseAdd', until, scopes, parts);
  }

  lifecycle(
    state: StateView,
    kind: 'phaseOpen' | 'phaseClose' | 'phaseReopen' | 'phaseArchive',
    by: Actor,
    phase: PhaseId,
    until: number,
  ): Draft {
    const expectedVersion = readPhase(state, phase)?.version ?? 0;
    const content = codec.encodePhaseLifecycle({ phase, expectedVersion });
    return this.sign(by, kind, until, this.phaseLog(phase), [{ scope: 0, content }]);
  }

  addParticipant(state: StateView, by: Actor, phase: PhaseId, member: MemberId, until: number): Draft {
    const known = readPhase(state, phase);
    const members = [...(known?.participants.map(entry => entry.member) ?? []), member];
    const none = this.made % 2 === 0;
    const keyId = keyIdOf(readSystem(state), member);
    const content = codec.encodeParticipantAdd({
      phase,
      expectedMembershipVersion: known?.membershipVersion ?? 0,
      member,
      roles: ROLES.reader | ROLES.contributor,
      grant: none ? GRANTS.none : GRANTS.all,
      fromEpoch: 0,
      envelope: none ? null : { member, keyId, sealed: bytesOf('granted', 80) },
      epoch: none && known !== null ? this.nextEpoch(state, by, known, members) : null,
    });
    return this.sign(by, 'participantAdd', until, this.phaseLog(phase), [{ scope: 0, content }]);
  }

  removeParticipant(state: StateView, by: Actor, phase: PhaseId, member: MemberId, until: number): Draft {
    const known = readPhase(state, phase);
    const rest = known?.participants.map(entry => entry.member).filter(id => id !== member) ?? [];
    const after = known === null ? null : { ...known, recovery: recoveryWithout(known.recovery, member) };
    const content = codec.encodeParticipantRemove({
      phase,
      expectedMembershipVersion: known?.membershipVersion ?? 0,
      member,
      epoch: after === null ? null : this.nextEpoch(state, by, after, rest),
    });
    return this.sign(by, 'participantRemove', until, this.phaseLog(phase), [{ scope: 0, content }]);
  }

  changeRole(
    state: StateView,
    by: Actor,
    phase: PhaseId,
    member: MemberId,
    roles: number,
    until: number,
  ): Draft {
    const expectedMembershipVersion = readPhase(state, phase)?.membershipVersion ?? 0;
    const content = codec.encodeParticipantRole({ phase, expectedMembershipVersion, member, roles });
    return this.sign(by, 'participantRole', until, this.phaseLog(phase), [{ scope: 0, content }]);
  }

  rotateEpoch(state: StateView, by: Actor, phase: PhaseId, until: number): Draft {
    const known = readPhase(state, phase);
    const members = known?.participants.map(entry => entry.member) ?? [];
    const next = known === null ? null : this.nextEpoch(state, by, known, members);
    const content = codec.encodeEpochRotate({
      phase,
      expectedMembershipVersion: known?.membershipVersion ?? 0,
      epoch: next ?? this.opening(state, known?.epochs.length ?? 0, [], false),
    });
    return this.sign(by, 'epochRotate', until, this.phaseLog(phase), [{ scope: 0, content }]);
  }

  put(
    state: StateView,
    by: Actor,
    phase: PhaseId,
    payload: Uint8Array,
    files: readonly FileReference[],
    until: number,
  ): Draft {
    const parts = this.recordParts(state, phase, payload, files);
    return this.sign(by, 'recordPut', until, this.phaseLog(phase), parts);
  }

  /** Records of one member under one signature. */
  putTogether(
    state: StateView,
    by: Actor,
    phase: PhaseId,
    payloads: readonly Uint8Array[],
    until: number,
  ): Draft[] {
    const contents = payloads.map(payload => this.recordParts(state, phase, payload, []));
    return this.signTogether(by, 'recordPut', until, this.phaseLog(phase), contents);
  }

  private recordParts(
    state: StateView,
    phase: PhaseId,
    payload: Uint8Array,
    files: readonly FileReference[],
  ): Part[] {
    const epoch = readPhase(state, phase)?.epochs.at(-1)?.number ?? 0;
    const meta = codec.encodeRecordMeta({
      epoch,
      wrappedKey: { mode: 'epoch', bytes: bytesOf('wrapped', 60) },
      keyCommitment: hashOf(`key ${this.made}`),
      fieldsRoot: hashOf(`fields ${this.made}`),
      files,
      references: [],
    });
    return [
      { scope: 0, content: meta },
      { scope: 0, content: payload },
    ];
  }

  /** The order to delete a file that a record names. */
  purge(
    by: Actor,
    phase: PhaseId,
    cid: string,
    reference: { position: number; record: Hash; leaf: Uint8Array },
    until: number,
  ): Draft {
    const content = codec.encodeFilePurge({
      phase,
      cid,
      reason: 'asked for',
      references: [reference],
      elsewhere: [],
    });
    return this.sign(by, 'filePurge', until, this.phaseLog(phase), [{ scope: 0, content }]);
  }

  purgeAcknowledged(
    by: Actor,
    phase: PhaseId,
    cid: string,
    order: { position: number; record: Hash; leaf: Uint8Array },
    until: number,
  ): Draft {
    const node = by.card.peerIds[0] ?? '';
    const content = codec.encodeFilePurgeAck({ phase, node, acks: [{ ...order, cid, kept: false }] });
    return this.sign(by, 'filePurgeAck', until, this.phaseLog(phase), [{ scope: 0, content }]);
  }

  receipt(
    by: Actor,
    phase: PhaseId,
    entry: { position: number; record: Hash; leaf: Uint8Array; cids: readonly string[] },
    until: number,
  ): Draft {
    const content = codec.encodeFileReceipt({ phase, receipts: [entry] });
    return this.sign(by, 'fileReceipt', until, this.phaseLog(phase), [{ scope: 0, content }]);
  }
}
