import type {
  ApprovalRequest,
  ApprovalRequestContent,
  ApprovalRule,
  ApprovalVote,
  ApprovalWithdraw,
  Deed,
  FlowChange,
  PhasePolicy,
  PhasePolicyChange,
  PhaseSkipProject,
  Rewiring,
} from '../types/flow.ts';
import { LIMITS } from '../types/limits.ts';
import type { PhaseAddPhase, PhaseAddProject, PhaseLifecycle } from '../types/operation.ts';
import { contentCodec, readChoice, readEpochOpening, readMemberId, writeEpochOpening } from './content.ts';
import type { Reader } from './reader.ts';
import { Writer } from './writer.ts';

const ROLE_BITS = 15;

function writeRule(writer: Writer, rule: ApprovalRule): void {
  writer.u8(rule.roles).u16(rule.k);
}

function readRule(reader: Reader): ApprovalRule {
  return { roles: readChoice(reader, 1, ROLE_BITS), k: reader.u16() };
}

export function writePolicy(writer: Writer, policy: PhasePolicy): void {
  writer.u16(policy.copiesTarget).u16(policy.copiesMinimum).u8(policy.writers).u32(policy.retentionDays);
  const { close, handover, add, remove } = policy.approvals;
  for (const rule of [close, handover, add, remove]) writeRule(writer, rule);
}

export function readPolicy(reader: Reader): PhasePolicy {
  return {
    copiesTarget: reader.u16(),
    copiesMinimum: reader.u16(),
    writers: readChoice(reader, 1, ROLE_BITS),
    retentionDays: reader.u32(),
    approvals: {
      close: readRule(reader),
      handover: readRule(reader),
      add: readRule(reader),
      remove: readRule(reader),
    },
  };
}

/** For comparing: policies are the same when their bytes are. */
export function policyBytes(policy: PhasePolicy): Uint8Array {
  const writer = new Writer();
  writePolicy(writer, policy);
  return writer.finish();
}

function writeRewiring(writer: Writer, { phase, before, after }: Rewiring): void {
  writer.hash(phase);
  for (const ids of [before, after]) writer.list(ids, (out, id) => out.hash(id));
}

export function writeRewirings(writer: Writer, changes: readonly Rewiring[]): void {
  writer.list(changes, writeRewiring);
}

export function readRewirings(reader: Reader): Rewiring[] {
  const ids = (from: Reader) => from.list(LIMITS.predecessorsPerPhase, each => each.hash());
  return reader.list(LIMITS.rewiringsPerChange, from => ({
    phase: from.hash(),
    before: ids(from),
    after: ids(from),
  }));
}

export const { encode: encodePhaseAddProject, decode: decodePhaseAddProject } = contentCodec<PhaseAddProject>(
  'phase add, project part',
  (writer, content) => {
    writer.hash(content.project).u64(content.expectedVersion).hash(content.phase).bytes(content.card);
    writer.list(content.predecessors, (out, phase) => out.hash(phase));
    writeRewirings(writer, content.rewirings);
  },
  reader => ({
    project: reader.hash(),
    expectedVersion: reader.u64(),
    phase: reader.hash(),
    card: reader.bytes(LIMITS.projectCardBytes),
    predecessors: reader.list(LIMITS.predecessorsPerPhase, from => from.hash()),
    rewirings: readRewirings(reader),
  }),
);

export const { encode: encodePhaseAddPhase, decode: decodePhaseAddPhase } = contentCodec<PhaseAddPhase>(
  'phase add, phase part',
  (writer, content) => {
    writer.hash(content.project).hash(content.phase).u8(content.custody);
    writePolicy(writer, content.policy);
    writer.list(content.participants, (out, entry) => out.text(entry.member).u8(entry.roles));
    writeEpochOpening(writer, content.epoch);
  },
  reader => ({
    project: reader.hash(),
    phase: reader.hash(),
    custody: readChoice(reader, 0, 1),
    policy: readPolicy(reader),
    participants: reader.list(LIMITS.participantsPerPhase, from => ({
      member: readMemberId(from),
      roles: readChoice(from, 1, 15),
    })),
    epoch: readEpochOpening(reader),
  }),
);

export const { encode: encodePhaseLifecycle, decode: decodePhaseLifecycle } = contentCodec<PhaseLifecycle>(
  'phase lifecycle',
  (writer, content) => {
    writer.hash(content.phase).u64(content.expectedVersion);
  },
  reader => ({ phase: reader.hash(), expectedVersion: reader.u64() }),
);

function writeFlowChange(writer: Writer, content: FlowChange): void {
  writer.hash(content.project).u64(content.expectedVersion);
  writeRewirings(writer, content.changes);
}

function readFlowChange(reader: Reader): FlowChange {
  return { project: reader.hash(), expectedVersion: reader.u64(), changes: readRewirings(reader) };
}

export const { encode: encodeFlowChange, decode: decodeFlowChange } = contentCodec<FlowChange>(
  'flow change',
  writeFlowChange,
  readFlowChange,
);

export const { encode: encodePhaseSkipProject, decode: decodePhaseSkipProject } =
  contentCodec<PhaseSkipProject>(
    'phase skip, project part',
    (writer, content) => {
      writeFlowChange(writer, content);
      writer.hash(content.phase);
    },
    reader => ({ ...readFlowChange(reader), phase: reader.hash() }),
  );

export const { encode: encodePhasePolicyChange, decode: decodePhasePolicyChange } =
  contentCodec<PhasePolicyChange>(
    'phase policy',
    (writer, content) => {
      writer.hash(content.phase).u64(content.expectedVersion);
      writePolicy(writer, content.before);
      writePolicy(writer, content.after);
    },
    reader => ({
      phase: reader.hash(),
      expectedVersion: reader.u64(),
      before: readPolicy(reader),
      after: readPolicy(reader),
    }),
  );

/** The numbers are part of the chain. */
const DEEDS = [
  'phaseClose',
  'phaseSkip',
  'phaseHandover',
  'participantAdd',
  'participantRole',
  'participantRemove',
  'phasePolicy',
  'recoveryShares',
] as const satisfies readonly Deed['kind'][];

export function writeDeed(writer: Writer, deed: Deed): void {
  writer.u8(DEEDS.indexOf(deed.kind));
  if (deed.kind === 'phaseHandover') {
    writer.hash(deed.target).list(deed.records, (out, id) => out.hash(id));
  } else if (deed.kind === 'phasePolicy') {
    writePolicy(writer, deed.policy);
  } else if (deed.kind === 'participantAdd') {
    writer.text(deed.member).u8(deed.roles).u8(deed.grant).u32(deed.fromEpoch);
  } else if (deed.kind === 'participantRole') {
    writer.text(deed.member).u8(deed.roles);
  } else if (deed.kind === 'participantRemove') {
    writer.text(deed.member);
  } else if (deed.kind === 'recoveryShares') {
    writer.u8(deed.threshold).list(deed.holders, (out, member) => out.text(member));
  }
}

/** For comparing: deeds are the same when their bytes are. */
export function deedBytes(deed: Deed): Uint8Array {
  const writer = new Writer();
  writeDeed(writer, deed);
  return writer.finish();
}

export function readDeed(reader: Reader): Deed {
  const kind = DEEDS[readChoice(reader, 0, DEEDS.length - 1)] ?? 'phaseClose';
  if (kind === 'phaseHandover') {
    const records = (from: Reader) => from.list(LIMITS.recordsPerRequest, each => each.hash());
    return { kind, target: reader.hash(), records: records(reader) };
  }
  if (kind === 'phasePolicy') return { kind, policy: readPolicy(reader) };
  if (kind === 'participantAdd') {
    const who = { member: readMemberId(reader), roles: readChoice(reader, 1, ROLE_BITS) };
    return { kind, ...who, grant: readChoice(reader, 0, 2), fromEpoch: reader.u32() };
  }
  if (kind === 'participantRole') {
    return { kind, member: readMemberId(reader), roles: readChoice(reader, 1, ROLE_BITS) };
  }
  if (kind === 'recoveryShares') {
    return { kind, threshold: reader.u8(), holders: reader.list(LIMITS.recoveryHolders, readMemberId) };
  }
  return kind === 'participantRemove' ? { kind, member: readMemberId(reader) } : { kind };
}

export const { encode: encodeApprovalRequest, decode: decodeApprovalRequest } =
  contentCodec<ApprovalRequestContent>(
    'approval request',
    (writer, content) => {
      writer.hash(content.phase).u64(content.expectedVersion).u64(content.expectedMembershipVersion);
      writer.u64(content.expiresHeight);
      writeDeed(writer, content.deed);
    },
    reader => ({
      phase: reader.hash(),
      expectedVersion: reader.u64(),
      expectedMembershipVersion: reader.u64(),
      expiresHeight: reader.u64(),
      deed: readDeed(reader),
    }),
  );

export const { encode: encodeApprovalVote, decode: decodeApprovalVote } = contentCodec<ApprovalVote>(
  'approval vote',
  (writer, content) => {
    writer.hash(content.phase).u64(content.request).bool(content.approve);
  },
  reader => ({ phase: reader.hash(), request: reader.u64(), approve: reader.bool() }),
);

export const { encode: encodeApprovalWithdraw, decode: decodeApprovalWithdraw } =
  contentCodec<ApprovalWithdraw>(
    'approval withdraw',
    (writer, content) => {
      writer.hash(content.phase).u64(content.request);
    },
    reader => ({ phase: reader.hash(), request: reader.u64() }),
  );

/** An open request as the phase's state keeps it. */
export function writeApproval(writer: Writer, request: ApprovalRequest): void {
  writer.u64(request.number).text(request.requester).u64(request.height).u64(request.expiresHeight);
  writer.u64(request.version).u64(request.membershipVersion);
  writeDeed(writer, request.deed);
  writer.list(request.votes, (out, vote) => out.text(vote.member).bool(vote.approve));
}

export function readApproval(reader: Reader): ApprovalRequest {
  return {
    number: reader.u64(),
    requester: readMemberId(reader),
    height: reader.u64(),
    expiresHeight: reader.u64(),
    version: reader.u64(),
    membershipVersion: reader.u64(),
    deed: readDeed(reader),
    votes: reader.list(LIMITS.participantsPerPhase, from => ({
      member: readMemberId(from),
      approve: from.bool(),
    })),
  };
}
