import type { Hash, MemberId } from '../base/ids.ts';
import type { Validator } from '../types/chain.ts';
import {
  ACTION_TYPES,
  type Action,
  type ActionType,
  type Activation,
  type Administration,
  type Ballot,
  EVIDENCE_KINDS,
  type EvidenceKind,
  type EvidenceRecord,
  type Governance,
  PARAMETER_NUMBERS,
  PROPOSAL_STATUS,
  type Proposal,
  type ProposalStatus,
} from '../types/governance.ts';
import { LIMITS, SIZES } from '../types/limits.ts';
import type {
  EvidenceMessage,
  EvidenceProof,
  ProposalCreate,
  ProposalVote,
  ProposalWithdraw,
} from '../types/operation.ts';
import type { Parameters } from '../types/state.ts';
import { readValidator, readValidatorSet, writeValidator, writeValidatorSet } from './chain.ts';
import { contentCodec, readCard, readMemberId, readOptional, writeCard, writeOptional } from './content.ts';
import type { Reader } from './reader.ts';
import { tagBytes } from './tags.ts';
import { Writer } from './writer.ts';

/** The bytes that a consensus key signs before a proposal may name it: for this chain, validator and peer id only. */
export function validatorKeyBytes(chainId: Hash, validator: Validator): Uint8Array {
  const writer = new Writer().raw(tagBytes('validatorKey')).hash(chainId);
  writeValidator(writer, validator);
  return writer.finish();
}

/** One of a table of names, as the byte that stands for it. */
function readName<Name extends string>(reader: Reader, table: Readonly<Record<Name, number>>): Name {
  const number = reader.u8();
  const entries = Object.entries(table) as [Name, number][];
  const found = entries.find(([, value]) => value === number);
  if (found === undefined) {
    reader.fail(`no name for ${number}`);
    return entries[0]![0];
  }
  return found[0];
}

function writeAdministration(writer: Writer, { members, threshold }: Administration): void {
  writer.list(members, (out, id) => out.text(id)).u16(threshold);
}

function readAdministration(reader: Reader): Administration {
  return { members: reader.list(LIMITS.administratorsMax, readMemberId), threshold: reader.u16() };
}

function writeAddresses(writer: Writer, addresses: readonly string[]): void {
  writer.list(addresses, (out, address) => out.text(address));
}

function readAddresses(reader: Reader): readonly string[] {
  return reader.list(LIMITS.addressesPerValidator, from => from.text(LIMITS.addressBytes));
}

function readDismissal(reader: Reader): { readonly member: MemberId; readonly reason: string } {
  return { member: readMemberId(reader), reason: reader.text(LIMITS.labelBytes) };
}

function writeAction(writer: Writer, action: Action): void {
  writer.u8(ACTION_TYPES[action.type]);
  switch (action.type) {
    case 'validatorAdd':
      writeValidator(writer, action.validator);
      writeAddresses(writer, action.addresses);
      writer.fixed(action.proof, SIZES.signature);
      return;
    case 'validatorRemove':
      writer.text(action.name);
      return;
    case 'validatorRekey':
      writer.text(action.name).fixed(action.publicKey, SIZES.publicKey).fixed(action.proof, SIZES.signature);
      return;
    case 'parameters':
      writer.list(action.changes, (out, { name, before, after }) => {
        out.u8(PARAMETER_NUMBERS[name]).u64(before).u64(after);
      });
      return;
    case 'administrators':
      writeAdministration(writer, action.before);
      writeAdministration(writer, action.after);
      return;
    case 'protocolVersion':
      writer.u16(action.before).u16(action.version).u64(action.height);
      return;
    case 'memberSuspend':
    case 'memberRevoke':
      writer.text(action.member).text(action.reason);
      return;
    case 'memberResume':
      writer.text(action.member);
      return;
    case 'memberRekey':
      writer.u64(action.before);
      writeCard(writer, action.card);
      writer.fixed(action.proof, SIZES.signature);
  }
}

const actionReaders: { readonly [T in ActionType]: (reader: Reader) => Extract<Action, { type: T }> } = {
  validatorAdd: reader => ({
    type: 'validatorAdd',
    validator: readValidator(reader),
    addresses: readAddresses(reader),
    proof: reader.fixed(SIZES.signature),
  }),
  validatorRemove: reader => ({ type: 'validatorRemove', name: reader.text(LIMITS.memberNameBytes) }),
  validatorRekey: reader => ({
    type: 'validatorRekey',
    name: reader.text(LIMITS.memberNameBytes),
    publicKey: reader.fixed(SIZES.publicKey),
    proof: reader.fixed(SIZES.signature),
  }),
  parameters: reader => ({
    type: 'parameters',
    changes: reader.list(Object.keys(PARAMETER_NUMBERS).length, from => ({
      name: readName<keyof Parameters>(from, PARAMETER_NUMBERS),
      before: from.u64(),
      after: from.u64(),
    })),
  }),
  administrators: reader => ({
    type: 'administrators',
    before: readAdministration(reader),
    after: readAdministration(reader),
  }),
  protocolVersion: reader => ({
    type: 'protocolVersion',
    before: reader.u16(),
    version: reader.u16(),
    height: reader.u64(),
  }),
  memberSuspend: reader => ({ type: 'memberSuspend', ...readDismissal(reader) }),
  memberResume: reader => ({ type: 'memberResume', member: readMemberId(reader) }),
  memberRevoke: reader => ({ type: 'memberRevoke', ...readDismissal(reader) }),
  memberRekey: reader => ({
    type: 'memberRekey',
    before: reader.u64(),
    card: readCard(reader),
    proof: reader.fixed(SIZES.signature),
  }),
};

function readAction(reader: Reader): Action {
  return actionReaders[readName<ActionType>(reader, ACTION_TYPES)](reader);
}

function writeBallot(writer: Writer, ballot: Ballot): void {
  writer.text(ballot.member).bool(ballot.approve).u64(ballot.height);
}

function readBallot(reader: Reader): Ballot {
  return { member: readMemberId(reader), approve: reader.bool(), height: reader.u64() };
}

function writeProposal(writer: Writer, proposal: Proposal): void {
  writer.u64(proposal.number).text(proposal.proposer).text(proposal.title);
  writer.u64(proposal.height).u64(proposal.position).u64(proposal.expiresHeight);
  writer.u64(proposal.validatorSetId).list(proposal.actions, writeAction);
  writer.list(proposal.ballots, writeBallot);
  writer.u8(PROPOSAL_STATUS[proposal.status]).u16(proposal.reason).u64(proposal.closedHeight);
}

function readProposal(reader: Reader): Proposal {
  return {
    number: reader.u64(),
    proposer: readMemberId(reader),
    title: reader.text(LIMITS.labelBytes),
    height: reader.u64(),
    position: reader.u64(),
    expiresHeight: reader.u64(),
    validatorSetId: reader.u64(),
    actions: reader.list(LIMITS.actionsPerProposal, readAction),
    ballots: reader.list(LIMITS.ballotsPerProposal, readBallot),
    status: readName<ProposalStatus>(reader, PROPOSAL_STATUS),
    reason: reader.u16(),
    closedHeight: reader.u64(),
  };
}

function writeEvidenceKind(writer: Writer, kind: EvidenceKind): void {
  writer.u8(EVIDENCE_KINDS[kind]);
}

function readEvidenceKind(reader: Reader): EvidenceKind {
  return readName<EvidenceKind>(reader, EVIDENCE_KINDS);
}

function writeEvidenceRecord(writer: Writer, record: EvidenceRecord): void {
  writer.u64(record.validatorSetId).u16(record.signer).text(record.validator);
  writeEvidenceKind(writer, record.kind);
  writer.u64(record.view).u64(record.slotHeight).u64(record.height).u64(record.position);
}

function readEvidenceRecord(reader: Reader): EvidenceRecord {
  return {
    validatorSetId: reader.u64(),
    signer: reader.u16(),
    validator: reader.text(LIMITS.memberNameBytes),
    kind: readEvidenceKind(reader),
    view: reader.u64(),
    slotHeight: reader.u64(),
    height: reader.u64(),
    position: reader.u64(),
  };
}

function writeActivation(writer: Writer, { version, height }: Activation): void {
  writer.u16(version).u64(height);
}

export function writeGovernance(writer: Writer, state: Governance): void {
  writer.u16(state.protocolVersion);
  writeOptional(writer, state.activation, writeActivation);
  writeOptional(writer, state.previousSet, writeValidatorSet);
  writer.list(state.addresses, (out, { peerId, addresses }) => {
    out.text(peerId);
    writeAddresses(out, addresses);
  });
  writer.u64(state.nextProposal).list(state.proposals, writeProposal);
  writer.list(state.evidence, writeEvidenceRecord);
}

export function readGovernance(reader: Reader): Governance {
  return {
    protocolVersion: reader.u16(),
    activation: readOptional(reader, from => ({ version: from.u16(), height: from.u64() })),
    previousSet: readOptional(reader, readValidatorSet),
    addresses: reader.list(LIMITS.validatorsMax, from => ({
      peerId: from.text(LIMITS.peerIdBytes),
      addresses: readAddresses(from),
    })),
    nextProposal: reader.u64(),
    proposals: reader.list(LIMITS.proposalsMax, readProposal),
    evidence: reader.list(LIMITS.evidenceRecords, readEvidenceRecord),
  };
}

export const { encode: encodeProposalCreate, decode: decodeProposalCreate } = contentCodec<ProposalCreate>(
  'proposal create',
  (writer, content) => {
    writer.text(content.title).u64(content.expiresHeight).u64(content.validatorSetId);
    writer.list(content.actions, writeAction);
  },
  reader => ({
    title: reader.text(LIMITS.labelBytes),
    expiresHeight: reader.u64(),
    validatorSetId: reader.u64(),
    actions: reader.list(LIMITS.actionsPerProposal, readAction),
  }),
);

export const { encode: encodeProposalVote, decode: decodeProposalVote } = contentCodec<ProposalVote>(
  'proposal vote',
  (writer, content) => {
    writer.u64(content.proposal).bool(content.approve);
  },
  reader => ({ proposal: reader.u64(), approve: reader.bool() }),
);

export const { encode: encodeProposalWithdraw, decode: decodeProposalWithdraw } =
  contentCodec<ProposalWithdraw>(
    'proposal withdraw',
    (writer, content) => {
      writer.u64(content.proposal);
    },
    reader => ({ proposal: reader.u64() }),
  );

function writeEvidenceMessage(writer: Writer, message: EvidenceMessage): void {
  writer.bytes(message.body).fixed(message.signature, SIZES.signature);
}

function readEvidenceMessage(reader: Reader): EvidenceMessage {
  return { body: reader.bytes(LIMITS.evidenceBodyBytes), signature: reader.fixed(SIZES.signature) };
}

export const { encode: encodeEvidence, decode: decodeEvidence } = contentCodec<EvidenceProof>(
  'evidence',
  (writer, content) => {
    writer.u64(content.validatorSetId).u16(content.signer);
    writeEvidenceKind(writer, content.kind);
    writeEvidenceMessage(writer, content.first);
    writeEvidenceMessage(writer, content.second);
  },
  reader => ({
    validatorSetId: reader.u64(),
    signer: reader.u16(),
    kind: readEvidenceKind(reader),
    first: readEvidenceMessage(reader),
    second: readEvidenceMessage(reader),
  }),
);
