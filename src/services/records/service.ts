import type { MemberId, PhaseId, ProjectId, Suite, TransactionId, UserId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { logIdOf } from '../../core/codec/transaction.ts';
import type { PhaseCard } from '../../core/types/card.ts';
import type { MemberCard, MemberUserAdd } from '../../core/types/member.ts';
import type { Span } from '../../core/types/span.ts';
import type { PhaseState } from '../../core/types/state.ts';
import type { PhaseCrypto } from '../../ports/phase-crypto.ts';
import type { Unsealer } from '../../ports/sealing.ts';
import type { Signer } from '../../ports/signer.ts';
import {
  changePhaseCard,
  openedCard,
  openPhaseCard,
  phaseLabel,
  projectLabel,
  type Renamed,
  renamePhase,
  renameProject,
} from './cards.ts';
import type { Context } from './context.ts';
import { Custody } from './custody.ts';
import { type DisclosableRecord, disclose } from './disclosure.ts';
import { Flow } from './flow.ts';
import { PhaseFollower } from './follower.ts';
import {
  createProposal,
  type ProposalInput,
  type ProposalReceipt,
  voteOnProposal,
  withdrawProposal,
} from './governance.ts';
import { type HandoverInput, type HandoverReceipt, handover } from './handover.ts';
import { type HandoverToInput, handOverToAll, type TargetResult } from './handover-targets.ts';
import { type Lineage, recordLineage } from './lineage.ts';
import {
  addUser,
  proveCard,
  registerMember,
  revokeMember,
  revokeUser,
  rotateMember,
  suspendMember,
} from './members.ts';
import { type OpenedCard, OpenedCards } from './opened-cards.ts';
import {
  addParticipant,
  changeRole,
  type ParticipantInput,
  type Rekeyed,
  removeParticipant,
  rotateEpoch,
} from './participants.ts';
import type { LedgerAccess } from './ports.ts';
import {
  addPhase,
  archiveProject,
  closePhase,
  createProject,
  openPhase,
  type PhaseInput,
} from './projects.ts';
import type { RecordView } from './reading.ts';
import { RecordIndex } from './record-index.ts';
import {
  getRecord,
  listRecords,
  putRecord,
  type RecordInput,
  type RecordPage,
  type RecordReceipt,
  writablePhase,
} from './records.ts';
import { RecoveryWatch } from './recovery-watch.ts';
import type { Refusal } from './refusal.ts';
import { type Committed, type Draft, TransactionSender } from './sender.ts';
import { PhaseVault } from './vault.ts';
import { explainOutcome } from './wrong-state.ts';

export interface RecordsConfig {
  readonly access: LedgerAccess;
  readonly crypto: PhaseCrypto;
  readonly suite: Suite;
  readonly member: MemberId;
  /** Holds the member's current signing key. */
  readonly signer: Signer;
  /** The member's sealing keys: the current one and those from before rotations. */
  readonly unsealers: readonly Unsealer[];
}

export type SignedRecords = Pick<Records, 'putRecord' | 'flow'>;

/**
 * Everything that one member does with members, projects, phases and records, on top of its verified part of the ledger. A
 * refusal is a value; an OperatingError is thrown when no source can be reached.
 */
export class Records {
  private readonly context: Context;
  /** The flow of own projects while it runs; policies and approvals of phases. */
  readonly flow: Flow;
  /** Complaints about keys, and their recovery. */
  readonly custody: Custody;

  constructor(config: RecordsConfig) {
    const { access, crypto, suite, member, signer, unsealers } = config;
    const { sha256 } = suite;
    const vault = new PhaseVault({ access, crypto, member, unsealers });
    const logIdOfPhase = (id: PhaseId) => logIdOf(sha256, access.chainId, 'phase', id);
    const cards = new OpenedCards({ access, crypto, vault, logIdOf: logIdOfPhase });
    const index = new RecordIndex(sha256);
    const recovery = new RecoveryWatch({ access, crypto, member, vault });
    const follower = new PhaseFollower(access, sha256, member, [vault, recovery, cards, index]);
    const { randomBytes } = crypto;
    const explain = (outcome: number, sent: Draft) => explainOutcome(this.context, outcome, sent);
    const sender = new TransactionSender({ access, sha256, randomBytes, member, signer, explain });
    this.context = { access, crypto, suite, member, vault, cards, index, follower, sender };
    this.flow = new Flow(this.context);
    this.custody = new Custody(this.context, recovery);
  }

  /** What people do in person: with the key of a user of this member on the transactions. */
  signedBy(signer: Signer): SignedRecords {
    const context = { ...this.context, sender: this.context.sender.signedBy(signer) };
    return { putRecord: input => putRecord(context, input), flow: new Flow(context) };
  }

  addUser(user: MemberUserAdd): Promise<Committed | Refusal> {
    return addUser(this.context, user);
  }

  revokeUser(user: UserId): Promise<Committed | Refusal> {
    return revokeUser(this.context, user);
  }

  /** Epoch secrets by phase, in memory only; up to date after `catchUp`. */
  get vault(): PhaseVault {
    return this.context.vault;
  }

  /** Reads what is new in a phase's log; null when the phase cannot be read here. Every reading call does it by itself. */
  catchUp(phase: PhaseId): Promise<PhaseState | null> {
    return this.context.follower.catchUp(phase);
  }

  /** For transactions of other services, such as file receipts: they share signatures with those of this one. */
  send(draft: Draft): Promise<Committed | Refusal> {
    return this.context.sender.send(draft);
  }

  proveCard(card: MemberCard, signer: Signer): Uint8Array {
    return proveCard(this.context, card, signer);
  }

  registerMember(card: MemberCard, proof: Uint8Array): Promise<Committed | Refusal> {
    return registerMember(this.context, card, proof);
  }

  revokeMember(member: MemberId, reason: string): Promise<Committed | Refusal> {
    return revokeMember(this.context, member, reason);
  }

  suspendMember(member: MemberId, reason: string): Promise<Committed | Refusal> {
    return suspendMember(this.context, member, reason);
  }

  rotateMember(card: MemberCard, newSigner: Signer, newUnsealer: Unsealer): Promise<Committed | Refusal> {
    this.vault.addUnsealer(newUnsealer);
    return rotateMember(this.context, card, newSigner);
  }

  createProposal(input: ProposalInput): Promise<ProposalReceipt | Refusal> {
    return createProposal(this.context, input);
  }

  voteOnProposal(proposal: number, approve: boolean): Promise<Committed | Refusal> {
    return voteOnProposal(this.context, proposal, approve);
  }

  withdrawProposal(proposal: number): Promise<Committed | Refusal> {
    return withdrawProposal(this.context, proposal);
  }

  createProject(label: string): Promise<(Committed & { readonly project: ProjectId }) | Refusal> {
    return createProject(this.context, label);
  }

  /** The phase's card as this member can open it, or could at last; null when it never could. */
  phaseCard(phase: PhaseId): Promise<PhaseCard | null> {
    return openPhaseCard(this.context, phase);
  }

  /** The same with what opens it for a third party, and where it stands in the log. */
  openedCard(phase: PhaseId): Promise<OpenedCard | null> {
    return openedCard(this.context, phase);
  }

  /** Null when this member can open neither the phase's card nor the owner's. */
  phaseLabel(phase: PhaseId, project: ProjectId): Promise<string | null> {
    return phaseLabel(this.context, phase, project);
  }

  /** Null when this member can open neither the owner's card nor that of a phase of the project. */
  projectLabel(project: ProjectId): Promise<string | null> {
    return projectLabel(this.context, project);
  }

  changePhaseCard(phase: PhaseId, change: (card: PhaseCard) => PhaseCard): Promise<Committed | Refusal> {
    return changePhaseCard(this.context, phase, change);
  }

  renamePhase(phase: PhaseId, label: string): Promise<Committed | Refusal> {
    return renamePhase(this.context, phase, label);
  }

  renameProject(project: ProjectId, label: string): Promise<Renamed | Refusal> {
    return renameProject(this.context, project, label);
  }

  archiveProject(project: ProjectId): Promise<Committed | Refusal> {
    return archiveProject(this.context, project);
  }

  addPhase(input: PhaseInput): Promise<(Committed & { readonly phase: PhaseId }) | Refusal> {
    return addPhase(this.context, input);
  }

  openPhase(phase: PhaseId): Promise<Committed | Refusal> {
    return openPhase(this.context, phase);
  }

  closePhase(phase: PhaseId): Promise<Committed | Refusal> {
    return closePhase(this.context, phase);
  }

  addParticipant(input: ParticipantInput): Promise<Committed | Refusal> {
    return addParticipant(this.context, input);
  }

  removeParticipant(phase: PhaseId, member: MemberId): Promise<Rekeyed | Refusal> {
    return removeParticipant(this.context, phase, member);
  }

  changeRole(phase: PhaseId, member: MemberId, roles: number): Promise<Committed | Refusal> {
    return changeRole(this.context, phase, member, roles);
  }

  rotateEpoch(phase: PhaseId, accepted: readonly MemberId[] = []): Promise<Rekeyed | Refusal> {
    return rotateEpoch(this.context, phase, accepted);
  }

  /** What would keep this member from writing a record into a phase now; null when nothing does. */
  async checkWriter(phase: PhaseId): Promise<Refusal | null> {
    const found = await writablePhase(this.context, phase);
    return isReject(found) ? found : null;
  }

  putRecord(input: RecordInput): Promise<RecordReceipt | Refusal> {
    return putRecord(this.context, input);
  }

  getRecord(phase: PhaseId, key: TransactionId | number): Promise<RecordView | Refusal> {
    return getRecord(this.context, phase, key);
  }

  /** @param limit at most 1000 leaves' records */
  listRecords(phase: PhaseId, from: number, limit: number): Promise<RecordPage | Refusal> {
    return listRecords(this.context, phase, from, limit);
  }

  handover(input: HandoverInput): Promise<HandoverReceipt | Refusal> {
    return handover(this.context, input);
  }

  /** Where a record was written and what it was handed over to since, as far as this member may see it. */
  lineage(id: TransactionId): Promise<Lineage | Refusal> {
    return recordLineage(this.context, id);
  }

  /** The same to several successors, with what became of each. */
  handOverToAll(input: HandoverToInput): Promise<readonly TargetResult[] | Refusal> {
    return handOverToAll(this.context, input);
  }

  /** The records of a part of the phase's log, or one of them, with what shows them to others. */
  disclose(
    phase: PhaseId,
    span: Span,
    key: TransactionId | number | null,
  ): Promise<readonly DisclosableRecord[] | Refusal> {
    return disclose(this.context, phase, span, key);
  }
}
