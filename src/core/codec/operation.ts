import { isReject, type Reject, reject } from '../base/reject.ts';
import { LIMITS } from '../types/limits.ts';
import {
  type Contents,
  type EpochRotate,
  type FilePurge,
  type FilePurgeAck,
  type FileReceipt,
  KINDS,
  type KindName,
  type LeafReference,
  type Operation,
  type ParticipantAdd,
  type ParticipantRemove,
  type ParticipantRole,
  type ProjectArchive,
  type ProjectCreate,
  type RecordMeta,
} from '../types/operation.ts';
import type { Part } from '../types/transaction.ts';
import { decodePhaseCardChange, decodeProjectCardChange } from './card.ts';
import {
  contentCodec,
  readChoice,
  readEnvelope,
  readEpochOpening,
  readFileReference,
  readMemberId,
  readOptional,
  readWrappedKey,
  writeEnvelope,
  writeEpochOpening,
  writeFileReference,
  writeOptional,
  writeWrappedKey,
} from './content.ts';
import {
  decodeEpochComplaint,
  decodeRecoveryAsk,
  decodeRecoveryOffer,
  decodeRecoveryShares,
} from './custody.ts';
import {
  decodeApprovalRequest,
  decodeApprovalVote,
  decodeApprovalWithdraw,
  decodeFlowChange,
  decodePhaseAddPhase,
  decodePhaseAddProject,
  decodePhaseLifecycle,
  decodePhasePolicyChange,
  decodePhaseSkipProject,
} from './flow.ts';
import {
  decodeEvidence,
  decodeProposalCreate,
  decodeProposalVote,
  decodeProposalWithdraw,
} from './governance.ts';
import { decodeHandoverItems, decodePhaseHandoverSource, decodePhaseHandoverTarget } from './handover.ts';
import {
  decodeMemberRegister,
  decodeMemberRevoke,
  decodeMemberRotate,
  decodeMemberSuspend,
  decodeMemberUserAdd,
  decodeMemberUserRevoke,
} from './member.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

export {
  decodePhaseAddPhase,
  decodePhaseAddProject,
  decodePhaseLifecycle,
  encodePhaseAddPhase,
  encodePhaseAddProject,
  encodePhaseLifecycle,
} from './flow.ts';
export {
  decodeHandoverItems,
  decodePhaseHandoverSource,
  decodePhaseHandoverTarget,
  encodeHandoverItems,
  encodePhaseHandoverSource,
  encodePhaseHandoverTarget,
} from './handover.ts';

export {
  decodeMemberRegister,
  decodeMemberRevoke,
  decodeMemberRotate,
  encodeMemberRegister,
  encodeMemberRevoke,
  encodeMemberRotate,
  memberCardBytes,
} from './member.ts';

export const { encode: encodeProjectCreate, decode: decodeProjectCreate } = contentCodec<ProjectCreate>(
  'project create',
  (writer, content) => {
    writer.hash(content.project).bytes(content.card);
  },
  reader => ({ project: reader.hash(), card: reader.bytes(LIMITS.projectCardBytes) }),
);

export const { encode: encodeProjectArchive, decode: decodeProjectArchive } = contentCodec<ProjectArchive>(
  'project archive',
  (writer, content) => {
    writer.hash(content.project).u64(content.expectedVersion);
  },
  reader => ({ project: reader.hash(), expectedVersion: reader.u64() }),
);

export const { encode: encodeParticipantAdd, decode: decodeParticipantAdd } = contentCodec<ParticipantAdd>(
  'participant add',
  (writer, content) => {
    writer.hash(content.phase).u64(content.expectedMembershipVersion).text(content.member).u8(content.roles);
    writer.u8(content.grant).u32(content.fromEpoch);
    writeOptional(writer, content.envelope, writeEnvelope);
    writeOptional(writer, content.epoch, writeEpochOpening);
  },
  reader => ({
    phase: reader.hash(),
    expectedMembershipVersion: reader.u64(),
    member: readMemberId(reader),
    roles: readChoice(reader, 1, 15),
    grant: readChoice(reader, 0, 2),
    fromEpoch: reader.u32(),
    envelope: readOptional(reader, readEnvelope),
    epoch: readOptional(reader, readEpochOpening),
  }),
);

export const { encode: encodeParticipantRemove, decode: decodeParticipantRemove } =
  contentCodec<ParticipantRemove>(
    'participant remove',
    (writer, content) => {
      writer.hash(content.phase).u64(content.expectedMembershipVersion).text(content.member);
      writeOptional(writer, content.epoch, writeEpochOpening);
    },
    reader => ({
      phase: reader.hash(),
      expectedMembershipVersion: reader.u64(),
      member: readMemberId(reader),
      epoch: readOptional(reader, readEpochOpening),
    }),
  );

export const { encode: encodeParticipantRole, decode: decodeParticipantRole } = contentCodec<ParticipantRole>(
  'participant role',
  (writer, content) => {
    writer.hash(content.phase).u64(content.expectedMembershipVersion).text(content.member).u8(content.roles);
  },
  reader => ({
    phase: reader.hash(),
    expectedMembershipVersion: reader.u64(),
    member: readMemberId(reader),
    roles: readChoice(reader, 1, 15),
  }),
);

export const { encode: encodeEpochRotate, decode: decodeEpochRotate } = contentCodec<EpochRotate>(
  'epoch rotate',
  (writer, content) => {
    writer.hash(content.phase).u64(content.expectedMembershipVersion);
    writeEpochOpening(writer, content.epoch);
  },
  reader => ({
    phase: reader.hash(),
    expectedMembershipVersion: reader.u64(),
    epoch: readEpochOpening(reader),
  }),
);

export const { encode: encodeRecordMeta, decode: decodeRecordMeta } = contentCodec<RecordMeta>(
  'record metadata',
  (writer, content) => {
    writer.u32(content.epoch);
    writeWrappedKey(writer, content.wrappedKey);
    writer.hash(content.keyCommitment).hash(content.fieldsRoot).list(content.files, writeFileReference);
    writer.list(content.references, (out, id) => out.hash(id));
  },
  reader => ({
    epoch: reader.u32(),
    wrappedKey: readWrappedKey(reader),
    keyCommitment: reader.hash(),
    fieldsRoot: reader.hash(),
    files: reader.list(LIMITS.filesPerRecord, readFileReference),
    references: reader.list(LIMITS.referencesPerRecord, from => from.hash()),
  }),
);

function writeLeafReference(writer: Writer, reference: LeafReference): void {
  writer.u64(reference.position).hash(reference.record).bytes(reference.leaf);
}

function readLeafReference(reader: Reader): LeafReference {
  return { position: reader.u64(), record: reader.hash(), leaf: reader.bytes(LIMITS.leafBytes) };
}

export const { encode: encodeFileReceipt, decode: decodeFileReceipt } = contentCodec<FileReceipt>(
  'file receipt',
  (writer, content) => {
    writer.hash(content.phase).list(content.receipts, (out, entry) => {
      writeLeafReference(out, entry);
      out.list(entry.cids, (to, cid) => to.text(cid));
    });
  },
  reader => ({
    phase: reader.hash(),
    receipts: reader.list(LIMITS.receiptsPerTransaction, from => ({
      ...readLeafReference(from),
      cids: from.list(LIMITS.receiptsPerTransaction, each => each.text(LIMITS.cidBytes)),
    })),
  }),
);

export const { encode: encodeFilePurge, decode: decodeFilePurge } = contentCodec<FilePurge>(
  'file purge',
  (writer, content) => {
    writer.hash(content.phase).text(content.cid).text(content.reason);
    writer.list(content.references, writeLeafReference);
    writer.list(content.elsewhere, (out, entry) => out.hash(entry.logId).hash(entry.record));
  },
  reader => ({
    phase: reader.hash(),
    cid: reader.text(LIMITS.cidBytes),
    reason: reader.text(LIMITS.labelBytes),
    references: reader.list(LIMITS.referencesPerPurge, readLeafReference),
    elsewhere: reader.list(LIMITS.referencesPerPurge, from => ({ logId: from.hash(), record: from.hash() })),
  }),
);

export const { encode: encodeFilePurgeAck, decode: decodeFilePurgeAck } = contentCodec<FilePurgeAck>(
  'file purge acknowledgement',
  (writer, content) => {
    writer.hash(content.phase).text(content.node);
    writer.list(content.acks, (out, entry) => {
      writeLeafReference(out, entry);
      out.text(entry.cid).bool(entry.kept);
    });
  },
  reader => ({
    phase: reader.hash(),
    node: reader.text(LIMITS.peerIdBytes),
    acks: reader.list(LIMITS.receiptsPerTransaction, from => ({
      ...readLeafReference(from),
      cid: from.text(LIMITS.cidBytes),
      kept: from.bool(),
    })),
  }),
);

type PartDecoder<T> = (bytes: Uint8Array) => T | Reject;

/** Each part of a kind: the scope (index in `body.scopes`) that receives it, and its content. */
type Layout<C extends readonly unknown[]> = {
  readonly [I in keyof C]: { readonly scope: number; readonly decode: PartDecoder<C[I]> };
};

/** The fixed part layout of every kind (core/types/operation.ts). */
export const LAYOUTS: { readonly [K in KindName]: Layout<Contents[K]> } = {
  memberRegister: [{ scope: 0, decode: decodeMemberRegister }],
  memberRotate: [{ scope: 0, decode: decodeMemberRotate }],
  memberRevoke: [{ scope: 0, decode: decodeMemberRevoke }],
  memberUserAdd: [{ scope: 0, decode: decodeMemberUserAdd }],
  memberUserRevoke: [{ scope: 0, decode: decodeMemberUserRevoke }],
  memberSuspend: [{ scope: 0, decode: decodeMemberSuspend }],
  projectCreate: [{ scope: 0, decode: decodeProjectCreate }],
  projectArchive: [{ scope: 0, decode: decodeProjectArchive }],
  projectCard: [{ scope: 0, decode: decodeProjectCardChange }],
  phaseAdd: [
    { scope: 0, decode: decodePhaseAddProject },
    { scope: 1, decode: decodePhaseAddPhase },
  ],
  phaseOpen: [{ scope: 0, decode: decodePhaseLifecycle }],
  phaseClose: [{ scope: 0, decode: decodePhaseLifecycle }],
  phaseCard: [{ scope: 0, decode: decodePhaseCardChange }],
  phaseHandover: [
    { scope: 0, decode: decodePhaseHandoverSource },
    { scope: 1, decode: decodePhaseHandoverTarget },
    { scope: 1, decode: decodeHandoverItems },
  ],
  participantAdd: [{ scope: 0, decode: decodeParticipantAdd }],
  participantRemove: [{ scope: 0, decode: decodeParticipantRemove }],
  participantRole: [{ scope: 0, decode: decodeParticipantRole }],
  epochRotate: [{ scope: 0, decode: decodeEpochRotate }],
  epochComplaint: [{ scope: 0, decode: decodeEpochComplaint }],
  recoveryShares: [{ scope: 0, decode: decodeRecoveryShares }],
  recoveryAsk: [{ scope: 0, decode: decodeRecoveryAsk }],
  recoveryOffer: [{ scope: 0, decode: decodeRecoveryOffer }],
  recordPut: [
    { scope: 0, decode: decodeRecordMeta },
    { scope: 0, decode: bytes => bytes },
  ],
  fileReceipt: [{ scope: 0, decode: decodeFileReceipt }],
  filePurge: [{ scope: 0, decode: decodeFilePurge }],
  filePurgeAck: [{ scope: 0, decode: decodeFilePurgeAck }],
  proposalCreate: [{ scope: 0, decode: decodeProposalCreate }],
  proposalVote: [{ scope: 0, decode: decodeProposalVote }],
  proposalWithdraw: [{ scope: 0, decode: decodeProposalWithdraw }],
  evidence: [{ scope: 0, decode: decodeEvidence }],
  flowChange: [{ scope: 0, decode: decodeFlowChange }],
  phaseReopen: [{ scope: 0, decode: decodePhaseLifecycle }],
  phasePolicy: [{ scope: 0, decode: decodePhasePolicyChange }],
  phaseArchive: [{ scope: 0, decode: decodePhaseLifecycle }],
  phaseSkip: [
    { scope: 0, decode: decodePhaseSkipProject },
    { scope: 1, decode: decodePhaseLifecycle },
  ],
  approvalRequest: [{ scope: 0, decode: decodeApprovalRequest }],
  approvalVote: [{ scope: 0, decode: decodeApprovalVote }],
  approvalWithdraw: [{ scope: 0, decode: decodeApprovalWithdraw }],
};

const kindNames = new Map<number, KindName>(
  (Object.entries(KINDS) as [KindName, number][]).map(([name, kind]) => [kind, name]),
);

export function kindName(kind: number): KindName | null {
  return kindNames.get(kind) ?? null;
}

/**
 * Decodes all parts of a transaction.
 * @param parts in the order of the body; each must be there
 */
export function decodeOperation(kind: number, parts: readonly (Part | null)[]): Operation | Reject {
  const name = kindName(kind);
  if (name === null) return reject('malformed', `unknown kind ${kind}`);
  const layout: readonly { readonly decode: PartDecoder<unknown> }[] = LAYOUTS[name];
  if (parts.length !== layout.length) return reject('malformed', `${name} has ${layout.length} parts`);
  const contents: unknown[] = [];
  for (const [index, entry] of layout.entries()) {
    const part = parts[index] ?? null;
    if (part === null) return reject('malformed', `${name}: part ${index} is missing`);
    const content = entry.decode(part.content);
    if (isReject(content)) return content;
    contents.push(content);
  }
  // the layout table pairs each kind with the decoders of its own contents
  return { kind: name, contents } as unknown as Operation;
}

/** Every part of the body names the scope that its kind's layout gives it. */
export function verifyLayout(kind: KindName, partScopes: readonly number[]): boolean {
  const layout: readonly { readonly scope: number }[] = LAYOUTS[kind];
  return (
    layout.length === partScopes.length && layout.every((entry, index) => entry.scope === partScopes[index])
  );
}
