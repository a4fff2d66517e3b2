import type {
  Complaint,
  EpochComplaint,
  OpenAsk,
  Recovery,
  RecoveryAsk,
  RecoveryHolder,
  RecoveryOffer,
  RecoveryShares,
  SealedShare,
} from '../types/custody.ts';
import { LIMITS, SIZES } from '../types/limits.ts';
import { contentCodec, readChoice, readMemberId } from './content.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

export const { encode: encodeEpochComplaint, decode: decodeEpochComplaint } = contentCodec<EpochComplaint>(
  'epoch complaint',
  (writer, content) => {
    writer.hash(content.phase).u32(content.epoch).u8(content.reason);
  },
  reader => ({ phase: reader.hash(), epoch: reader.u32(), reason: readChoice(reader, 0, 1) }),
);

function writeShare(writer: Writer, share: SealedShare): void {
  writer.text(share.member).u32(share.keyId).hash(share.commitment).bytes(share.sealed);
}

function readShare(reader: Reader): SealedShare {
  return {
    member: readMemberId(reader),
    keyId: reader.u32(),
    commitment: reader.hash(),
    sealed: reader.bytes(LIMITS.sealedShareBytes),
  };
}

export const { encode: encodeRecoveryShares, decode: decodeRecoveryShares } = contentCodec<RecoveryShares>(
  'recovery shares',
  (writer, content) => {
    writer.hash(content.phase).u64(content.expectedMembershipVersion).u8(content.threshold);
    writer.fixed(content.publicKey, SIZES.publicKey).hash(content.commitment);
    writer.u32(content.fromEpoch).bytes(content.history).list(content.shares, writeShare);
    writer.list(content.leaving, (out, member) => out.text(member));
  },
  reader => ({
    phase: reader.hash(),
    expectedMembershipVersion: reader.u64(),
    threshold: reader.u8(),
    publicKey: reader.fixed(SIZES.publicKey),
    commitment: reader.hash(),
    fromEpoch: reader.u32(),
    history: reader.bytes(LIMITS.envelopeBytes),
    shares: reader.list(LIMITS.recoveryHolders, readShare),
    leaving: reader.list(LIMITS.recoveryHolders, readMemberId),
  }),
);

export const { encode: encodeRecoveryAsk, decode: decodeRecoveryAsk } = contentCodec<RecoveryAsk>(
  'recovery ask',
  (writer, content) => {
    writer.hash(content.phase);
  },
  reader => ({ phase: reader.hash() }),
);

export const { encode: encodeRecoveryOffer, decode: decodeRecoveryOffer } = contentCodec<RecoveryOffer>(
  'recovery offer',
  (writer, content) => {
    writer.hash(content.phase).u64(content.ask).u32(content.keyId).bytes(content.sealed);
  },
  reader => ({
    phase: reader.hash(),
    ask: reader.u64(),
    keyId: reader.u32(),
    sealed: reader.bytes(LIMITS.sealedShareBytes),
  }),
);

export function writeComplaint(writer: Writer, complaint: Complaint): void {
  const { member, epoch, reason, height, times } = complaint;
  writer.text(member).u32(epoch).u8(reason).u64(height).u32(times);
}

export function readComplaint(reader: Reader): Complaint {
  return {
    member: readMemberId(reader),
    epoch: reader.u32(),
    reason: readChoice(reader, 0, 1),
    height: reader.u64(),
    times: reader.u32(),
  };
}

function writeHolder(writer: Writer, { member, commitment, startPosition }: RecoveryHolder): void {
  writer.text(member).hash(commitment).u64(startPosition);
}

function readHolder(reader: Reader): RecoveryHolder {
  return { member: readMemberId(reader), commitment: reader.hash(), startPosition: reader.u64() };
}

function writeAsk(writer: Writer, { number, member, height, offers }: OpenAsk): void {
  writer
    .u64(number)
    .text(member)
    .u64(height)
    .list(offers, (out, holder) => out.text(holder));
}

function readAsk(reader: Reader): OpenAsk {
  return {
    number: reader.u64(),
    member: readMemberId(reader),
    height: reader.u64(),
    offers: reader.list(LIMITS.recoveryHolders, readMemberId),
  };
}

export function writeRecovery(writer: Writer, recovery: Recovery): void {
  writer.u64(recovery.number).u8(recovery.threshold).fixed(recovery.publicKey, SIZES.publicKey);
  writer.hash(recovery.commitment).u32(recovery.fromEpoch).text(recovery.dealer).bool(recovery.ended);
  writer.list(recovery.holders, writeHolder).list(recovery.asks, writeAsk);
}

export function readRecovery(reader: Reader): Recovery {
  return {
    number: reader.u64(),
    threshold: reader.u8(),
    publicKey: reader.fixed(SIZES.publicKey),
    commitment: reader.hash(),
    fromEpoch: reader.u32(),
    dealer: readMemberId(reader),
    ended: reader.bool(),
    holders: reader.list(LIMITS.recoveryHolders, readHolder),
    asks: reader.list(LIMITS.participantsPerPhase, readAsk),
  };
}
