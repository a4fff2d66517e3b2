import type { Hash, LogId, MemberId, PhaseId, ProjectId, Sha256 } from '../base/ids.ts';
import { isReject } from '../base/reject.ts';
import { type Frontier, leafHash, readFrontier, treeRoot, writeFrontier } from '../merkle/log.ts';
import { LIMITS, SIZES } from '../types/limits.ts';
import type {
  Epoch,
  FormerParticipant,
  LogEntry,
  Member,
  MemberKey,
  Participant,
  PhaseState,
  ProjectPhase,
  ProjectState,
  SystemState,
} from '../types/state.ts';
import { readSealedCard, writeSealedCard } from './card.ts';
import { readValidatorSet, writeValidatorSet } from './chain.ts';
import { contentCodec, readChoice, readMemberId, readOptional, writeOptional } from './content.ts';
import { readComplaint, readRecovery, writeComplaint, writeRecovery } from './custody.ts';
import { readApproval, readPolicy, writeApproval, writePolicy } from './flow.ts';
import { readParameters, writeParameters } from './genesis.ts';
import { readGovernance, writeGovernance } from './governance.ts';
import type { Reader } from './reader.ts';
import { tagBytes } from './tags.ts';
import { SCOPE_KINDS } from './transaction.ts';
import { Writer } from './writer.ts';

export type ScopeKind = keyof typeof SCOPE_KINDS;

/** A scope and its own id: the chain id for `system`. */
export interface ScopeRef {
  readonly scope: ScopeKind;
  readonly id: Hash;
}

/** A log as the state keeps it: its certified entry, what appending needs, and whose log it is. */
export interface LogRow extends LogEntry, ScopeRef {
  readonly frontier: Frontier;
}

/** Where values stand in a `StateView`. */
export const STATE_KEYS = {
  chain: 'chain',
  system: 'system',
  project: (id: ProjectId) => `project/${id}`,
  phase: (id: PhaseId) => `phase/${id}`,
  log: (id: LogId) => `log/${id}`,
  memberScopeCount: (member: MemberId) => `member/${member}/scopes`,
  memberScope: (member: MemberId, index: number) => `member/${member}/scope/${index}`,
} as const;

const scopeNames = Object.keys(SCOPE_KINDS) as ScopeKind[];

export function readScopeKind(reader: Reader): ScopeKind {
  const kind = readChoice(reader, 0, 2);
  return scopeNames.find(name => SCOPE_KINDS[name] === kind) ?? 'system';
}

function expectScope(reader: Reader, scope: ScopeKind): void {
  if (reader.u8() !== SCOPE_KINDS[scope]) reader.fail(`not the state of a ${scope} scope`);
}

function writeKey(writer: Writer, key: MemberKey): void {
  writer.fixed(key.signingKey, SIZES.publicKey).u64(key.fromHeight).u64(key.untilHeight);
  writer.bool(key.user !== null);
  if (key.user === null) writer.fixed(key.sealingKey, SIZES.publicKey).bool(key.replaced);
  else writer.hash(key.user);
}

function readKey(reader: Reader): MemberKey {
  const span = {
    signingKey: reader.fixed(SIZES.publicKey),
    fromHeight: reader.u64(),
    untilHeight: reader.u64(),
  };
  return reader.bool()
    ? { ...span, user: reader.hash(), sealingKey: null }
    : { ...span, user: null, sealingKey: reader.fixed(SIZES.publicKey), replaced: reader.bool() };
}

function writeMember(writer: Writer, member: Member): void {
  writer.text(member.id).text(member.name).u64(member.version).bool(member.revoked);
  writer.u64(member.suspendedHeight);
  writer.list(member.peerIds, (out, peerId) => out.text(peerId));
  writer.list(member.keys, writeKey);
}

function readMember(reader: Reader): Member {
  return {
    id: readMemberId(reader),
    name: reader.text(LIMITS.memberNameBytes),
    version: reader.u64(),
    revoked: reader.bool(),
    suspendedHeight: reader.u64(),
    peerIds: reader.list(LIMITS.peerIdsPerMember, from => from.text(LIMITS.peerIdBytes)),
    keys: reader.list(LIMITS.keysPerMember, readKey),
  };
}

export const { encode: encodeSystemState, decode: decodeSystemState } = contentCodec<SystemState>(
  'system state',
  (writer, state) => {
    writer.u8(SCOPE_KINDS.system).u64(state.version);
    writeParameters(writer, state.parameters);
    writeValidatorSet(writer, state.validatorSet);
    writer.u64(state.setChangeHeight);
    writer.list(state.administrators, (out, id) => out.text(id)).u16(state.administratorThreshold);
    writer.list(state.members, writeMember);
    writeGovernance(writer, state.governance);
  },
  reader => {
    expectScope(reader, 'system');
    return {
      version: reader.u64(),
      parameters: readParameters(reader),
      validatorSet: readValidatorSet(reader),
      setChangeHeight: reader.u64(),
      administrators: reader.list(LIMITS.administratorsMax, readMemberId),
      administratorThreshold: reader.u16(),
      members: reader.list(LIMITS.membersMax, readMember),
      governance: readGovernance(reader),
    };
  },
);

function writeProjectPhase(writer: Writer, phase: ProjectPhase): void {
  writer.hash(phase.id).bytes(phase.card);
  writer.list(phase.predecessors, (out, id) => out.hash(id));
}

function readProjectPhase(reader: Reader): ProjectPhase {
  return {
    id: reader.hash(),
    card: reader.bytes(LIMITS.projectCardBytes),
    predecessors: reader.list(LIMITS.predecessorsPerPhase, from => from.hash()),
  };
}

export const { encode: encodeProjectState, decode: decodeProjectState } = contentCodec<ProjectState>(
  'project state',
  (writer, state) => {
    writer.u8(SCOPE_KINDS.project).hash(state.id).text(state.owner).bytes(state.card);
    writer.bool(state.archived).u64(state.version).list(state.phases, writeProjectPhase);
  },
  reader => {
    expectScope(reader, 'project');
    return {
      id: reader.hash(),
      owner: readMemberId(reader),
      card: reader.bytes(LIMITS.projectCardBytes),
      archived: reader.bool(),
      version: reader.u64(),
      phases: reader.list(LIMITS.phasesPerProject, readProjectPhase),
    };
  },
);

function writeParticipant(writer: Writer, participant: Participant): void {
  writer.text(participant.member).u8(participant.roles);
  writer.u64(participant.startPosition).u32(participant.fromEpoch).u32(participant.heldFrom);
}

function readParticipant(reader: Reader): Participant {
  return {
    member: readMemberId(reader),
    roles: readChoice(reader, 1, 15),
    startPosition: reader.u64(),
    fromEpoch: reader.u32(),
    heldFrom: reader.u32(),
  };
}

function writeFormer(writer: Writer, former: FormerParticipant): void {
  writer.text(former.member).u64(former.startPosition).u64(former.endPosition);
}

function readFormer(reader: Reader): FormerParticipant {
  return { member: readMemberId(reader), startPosition: reader.u64(), endPosition: reader.u64() };
}

function writeEpoch(writer: Writer, epoch: Epoch): void {
  writer.u32(epoch.number).hash(epoch.commitment).fixed(epoch.publicKey, SIZES.publicKey);
  writer.u64(epoch.startPosition).u64(epoch.height).text(epoch.opener);
}

function readEpoch(reader: Reader): Epoch {
  return {
    number: reader.u32(),
    commitment: reader.hash(),
    publicKey: reader.fixed(SIZES.publicKey),
    startPosition: reader.u64(),
    height: reader.u64(),
    opener: readMemberId(reader),
  };
}

export const { encode: encodePhaseState, decode: decodePhaseState } = contentCodec<PhaseState>(
  'phase state',
  (writer, state) => {
    writer.u8(SCOPE_KINDS.phase).hash(state.id).hash(state.project).text(state.owner);
    writeSealedCard(writer, state.card);
    writer
      .u8(state.lifecycle)
      .u64(state.lifecycleHeight)
      .u64(state.closedMs)
      .u64(state.version)
      .u64(state.membershipVersion)
      .u8(state.custody);
    writePolicy(writer, state.policy);
    writer.bool(state.frozen).list(state.participants, writeParticipant);
    writer.list(state.former, writeFormer).list(state.epochs, writeEpoch);
    writer.list(state.requests, writeApproval).list(state.complaints, writeComplaint);
    writeOptional(writer, state.recovery, writeRecovery);
  },
  reader => {
    expectScope(reader, 'phase');
    return {
      id: reader.hash(),
      project: reader.hash(),
      owner: readMemberId(reader),
      card: readSealedCard(reader),
      lifecycle: readChoice(reader, 0, 4),
      lifecycleHeight: reader.u64(),
      closedMs: reader.u64(),
      version: reader.u64(),
      membershipVersion: reader.u64(),
      custody: readChoice(reader, 0, 1),
      policy: readPolicy(reader),
      frozen: reader.bool(),
      participants: reader.list(LIMITS.participantsPerPhase, readParticipant),
      former: reader.list(LIMITS.formerPerPhase, readFormer),
      epochs: reader.list(LIMITS.epochsPerPhase, readEpoch),
      requests: reader.list(LIMITS.requestsPerPhase, readApproval),
      complaints: reader.list(LIMITS.participantsPerPhase + 1, readComplaint),
      recovery: readOptional(reader, readRecovery),
    };
  },
);

export type ScopeState =
  | { readonly scope: 'system'; readonly state: SystemState }
  | { readonly scope: 'project'; readonly state: ProjectState }
  | { readonly scope: 'phase'; readonly state: PhaseState };

/** The state of a scope opens with the byte of its kind, so one digest never stands for two kinds. */
export function encodeScopeState(value: ScopeState): Uint8Array {
  if (value.scope === 'system') return encodeSystemState(value.state);
  if (value.scope === 'project') return encodeProjectState(value.state);
  return encodePhaseState(value.state);
}

export const { encode: encodeMember, decode: decodeMember } = contentCodec<Member>(
  'member',
  writeMember,
  readMember,
);

/** The system state cut into leaves: all but the members, then each member, so that one member's keys can be proven alone. */
export function systemSections(state: SystemState): Uint8Array[] {
  return [encodeSystemState({ ...state, members: [] }), ...state.members.map(encodeMember)];
}

/** @param root RFC 9162 root over the sections */
export function systemDigest(sha256: Sha256, sections: number, root: Hash): Hash {
  return new Writer().raw(tagBytes('systemState')).u32(sections).hash(root).digest(sha256);
}

/** `LogEntry.digest`: of the bytes themselves; of the system state the root over its sections. */
export function scopeDigest(sha256: Sha256, stateBytes: Uint8Array): Hash {
  const system = stateBytes[0] === SCOPE_KINDS.system ? decodeSystemState(stateBytes) : null;
  if (system === null || isReject(system))
    return new Writer().raw(tagBytes('scopeState')).raw(stateBytes).digest(sha256);
  const sections = systemSections(system);
  const leaves = sections.map(section => leafHash(sha256, section));
  return systemDigest(sha256, sections.length, treeRoot(sha256, leaves));
}

export const { encode: encodeLogRow, decode: decodeLogRow } = contentCodec<LogRow>(
  'log row',
  (writer, row) => {
    writer.u8(SCOPE_KINDS[row.scope]).hash(row.id).hash(row.root).hash(row.digest);
    writeFrontier(writer, row.frontier);
  },
  reader => {
    const scope = readScopeKind(reader);
    const [id, root, digest] = [reader.hash(), reader.hash(), reader.hash()];
    const frontier = readFrontier(reader);
    return { scope, id, root, digest, size: frontier.size, frontier };
  },
);

export const { encode: encodeScopeRef, decode: decodeScopeRef } = contentCodec<ScopeRef>(
  'scope reference',
  (writer, ref) => {
    writer.u8(SCOPE_KINDS[ref.scope]).hash(ref.id);
  },
  reader => ({ scope: readScopeKind(reader), id: reader.hash() }),
);

export const { encode: encodeCount, decode: decodeCount } = contentCodec<number>(
  'count',
  (writer, count) => {
    writer.u64(count);
  },
  reader => reader.u64(),
);

/** The sparse map's key and value of a log. */
export function mapKeyOf(sha256: Sha256, logId: LogId): Hash {
  return new Writer().raw(tagBytes('mapKey')).hash(logId).digest(sha256);
}

export function mapValueOf(sha256: Sha256, entry: LogEntry): Hash {
  const writer = new Writer().raw(tagBytes('mapEntry'));
  return writer.u64(entry.size).hash(entry.root).hash(entry.digest).digest(sha256);
}
