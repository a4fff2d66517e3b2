import { isMemberId, type MemberId } from '../base/ids.ts';
import type { Reject } from '../base/reject.ts';
import { LIMITS, SIZES } from '../types/limits.ts';
import type { Envelope, EpochOpening, FileReference, MemberCard, WrappedKey } from '../types/operation.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

/** The canonical encoding of one kind of value, both ways. */
export interface ContentCodec<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T | Reject;
}

/** Binds a field writer and a field reader; `what` names the value in a refusal. */
export function contentCodec<T>(
  what: string,
  write: (writer: Writer, value: T) => void,
  read: (reader: Reader) => T,
): ContentCodec<T> {
  return {
    encode: value => {
      const writer = new Writer();
      write(writer, value);
      return writer.finish();
    },
    decode: bytes => {
      const reader = new Reader(bytes);
      return reader.finish(read(reader), what);
    },
  };
}

export function readMemberId(reader: Reader): MemberId {
  const id = reader.text(32) as MemberId;
  if (!reader.failed && !isMemberId(id)) reader.fail('not a member id');
  return id;
}

/** An integer of one byte that must lie in [min, max]. */
export function readChoice(reader: Reader, min: number, max: number): number {
  const value = reader.u8();
  if (!reader.failed && (value < min || value > max)) reader.fail(`${value} is not in ${min}…${max}`);
  return value;
}

export function writeOptional<T>(
  writer: Writer,
  value: T | null,
  write: (out: Writer, value: T) => void,
): void {
  writer.bool(value !== null);
  if (value !== null) write(writer, value);
}

export function readOptional<T>(reader: Reader, read: (from: Reader) => T): T | null {
  return reader.bool() ? read(reader) : null;
}

export function writeCard(writer: Writer, card: MemberCard): void {
  writer.text(card.id).text(card.name);
  writer.fixed(card.signingKey, SIZES.publicKey).fixed(card.sealingKey, SIZES.publicKey);
  writer.list(card.peerIds, (out, peerId) => out.text(peerId));
}

export function readCard(reader: Reader): MemberCard {
  return {
    id: readMemberId(reader),
    name: reader.text(LIMITS.memberNameBytes),
    signingKey: reader.fixed(SIZES.publicKey),
    sealingKey: reader.fixed(SIZES.publicKey),
    peerIds: reader.list(LIMITS.peerIdsPerMember, from => from.text(LIMITS.peerIdBytes)),
  };
}

export function writeEnvelope(writer: Writer, envelope: Envelope): void {
  writer.text(envelope.member).u32(envelope.keyId).bytes(envelope.sealed);
}

export function readEnvelope(reader: Reader): Envelope {
  return { member: readMemberId(reader), keyId: reader.u32(), sealed: reader.bytes(LIMITS.envelopeBytes) };
}

export function writeEpochOpening(writer: Writer, epoch: EpochOpening): void {
  writer.u32(epoch.number).hash(epoch.commitment).fixed(epoch.publicKey, SIZES.publicKey);
  writer.list(epoch.envelopes, writeEnvelope).bytes(epoch.card).u32(epoch.historyFrom).bytes(epoch.recovery);
}

export function readEpochOpening(reader: Reader): EpochOpening {
  return {
    number: reader.u32(),
    commitment: reader.hash(),
    publicKey: reader.fixed(SIZES.publicKey),
    // every participant and the owner
    envelopes: reader.list(LIMITS.participantsPerPhase + 1, readEnvelope),
    card: reader.bytes(LIMITS.cardBytes),
    historyFrom: reader.u32(),
    recovery: reader.bytes(LIMITS.sealedShareBytes),
  };
}

export function writeWrappedKey(writer: Writer, key: WrappedKey): void {
  writer.u8(key.mode === 'epoch' ? 0 : 1).bytes(key.bytes);
}

export function readWrappedKey(reader: Reader): WrappedKey {
  const mode = readChoice(reader, 0, 1) === 0 ? 'epoch' : 'hpke';
  return { mode, bytes: reader.bytes(LIMITS.wrappedKeyBytes) };
}

export function writeFileReference(writer: Writer, file: FileReference): void {
  writer.text(file.cid).u64(file.ciphertextBytes).hash(file.keyCommitment);
}

export function readFileReference(reader: Reader): FileReference {
  return {
    cid: reader.text(LIMITS.cidBytes),
    ciphertextBytes: reader.u64(),
    keyCommitment: reader.hash(),
  };
}
