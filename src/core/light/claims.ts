import type { Hash, LogId, MemberId, TransactionId } from '../base/ids.ts';
import { readChoice, readMemberId } from '../codec/content.ts';
import type { Reader } from '../codec/reader.ts';
import { readScopeKind, type ScopeRef } from '../codec/state.ts';
import { SCOPE_KINDS } from '../codec/transaction.ts';
import type { Writer } from '../codec/writer.ts';
import { type MapProof, readMapProof, writeMapProof } from '../merkle/map.ts';
import type { CertifiedHeader } from '../types/chain.ts';
import { SIZES } from '../types/limits.ts';
import type { ProvenEntry, RecordPlace } from './dossier.ts';
import {
  type LogNumbers,
  readCertified,
  readEntry,
  readPath,
  readPlace,
  writeCertified,
  writeEntry,
  writePath,
  writePlace,
} from './dossier-parts.ts';

/** What the numbers of a range are. */
export const RANGE_UNITS = { position: 0, height: 1, time: 2 } as const;
export type RangeUnit = keyof typeof RANGE_UNITS;

/** One log under an earlier head, and the RFC 9162 consistency path to what the dossier has of it. */
export interface EarlierLog extends ScopeRef, ProvenEntry {
  readonly path: readonly Hash[];
}

/** What a dossier says on top of its evidence. A verifier believes none of it before the evidence gives it. */
export type Claim =
  /** A committed record stands at the place; which one, and whose, the evidence says. */
  | { readonly type: 'record'; readonly place: RecordPlace }
  /** The leaves of the log from `from` on and below `to` (of the unit; times in milliseconds) are all here. */
  | {
      readonly type: 'range';
      readonly logId: LogId;
      readonly unit: RangeUnit;
      readonly from: number;
      readonly to: number;
    }
  /** No leaf of the log, and nothing handed over to it, has this id. */
  | { readonly type: 'noRecord'; readonly logId: LogId; readonly id: TransactionId }
  /** The chain has no log of this scope. */
  | { readonly type: 'noLog'; readonly ref: ScopeRef; readonly proof: MapProof }
  /** The head is a successor of this one, and has forgotten or changed nothing of these logs. */
  | { readonly type: 'consistency'; readonly earlier: CertifiedHeader; readonly logs: readonly EarlierLog[] }
  /** Who was in the phase at the height. */
  | { readonly type: 'participants'; readonly logId: LogId; readonly height: number }
  /** Which key epoch was current in the phase at the height. */
  | { readonly type: 'epoch'; readonly logId: LogId; readonly height: number }
  /** Which keys the member signed with at the height. */
  | { readonly type: 'memberKey'; readonly member: MemberId; readonly height: number }
  /** What the card of the phase says, which is current at the head; the content key opens this one card. */
  | { readonly type: 'card'; readonly logId: LogId; readonly contentKey: Uint8Array };

export const CLAIM_TYPES = {
  record: 0,
  range: 1,
  noRecord: 2,
  noLog: 3,
  consistency: 4,
  participants: 5,
  epoch: 6,
  memberKey: 7,
  card: 8,
} as const satisfies Record<Claim['type'], number>;

const EARLIER_LOGS_MAX = 4096;

function writeRef(writer: Writer, { scope, id }: ScopeRef): void {
  writer.u8(SCOPE_KINDS[scope]).hash(id);
}

function readRef(reader: Reader): ScopeRef {
  return { scope: readScopeKind(reader), id: reader.hash() };
}

/** The type's number, then its fields in the order of `Claim`. @param logs those of the file */
export function writeClaim(writer: Writer, logs: LogNumbers, claim: Claim): void {
  writer.u8(CLAIM_TYPES[claim.type]);
  if ('logId' in claim) logs.write(writer, claim.logId);
  switch (claim.type) {
    case 'record':
      writePlace(writer, logs, claim.place);
      return;
    case 'range':
      writer.u8(RANGE_UNITS[claim.unit]).u64(claim.from).u64(claim.to);
      return;
    case 'noRecord':
      writer.hash(claim.id);
      return;
    case 'noLog':
      writeRef(writer, claim.ref);
      writeMapProof(writer, claim.proof);
      return;
    case 'consistency':
      writeCertified(writer, claim.earlier);
      writer.list(claim.logs, (out, log) => {
        writeRef(out, log);
        writeEntry(out, log);
        writePath(out, log.path);
      });
      return;
    case 'participants':
    case 'epoch':
      writer.u64(claim.height);
      return;
    case 'memberKey':
      writer.text(claim.member).u64(claim.height);
      return;
    case 'card':
      writer.fixed(claim.contentKey, SIZES.contentKey);
  }
}

type ReadClaim<T> = (reader: Reader, logs: LogNumbers) => Omit<Extract<Claim, { type: T }>, 'type'>;

const READERS: { [T in Claim['type']]: ReadClaim<T> } = {
  record: (reader, logs) => ({ place: readPlace(reader, logs) }),
  range: (reader, logs) => {
    const logId = logs.read(reader);
    const unit = (Object.keys(RANGE_UNITS) as RangeUnit[])[readChoice(reader, 0, 2)]!;
    return { logId, unit, from: reader.u64(), to: reader.u64() };
  },
  noRecord: (reader, logs) => ({ logId: logs.read(reader), id: reader.hash() }),
  noLog: reader => ({ ref: readRef(reader), proof: readMapProof(reader) }),
  consistency: reader => ({
    earlier: readCertified(reader),
    logs: reader.list(EARLIER_LOGS_MAX, from => ({
      ...readRef(from),
      ...readEntry(from),
      path: readPath(from),
    })),
  }),
  participants: (reader, logs) => ({ logId: logs.read(reader), height: reader.u64() }),
  epoch: (reader, logs) => ({ logId: logs.read(reader), height: reader.u64() }),
  memberKey: reader => ({ member: readMemberId(reader), height: reader.u64() }),
  card: (reader, logs) => ({ logId: logs.read(reader), contentKey: reader.fixed(SIZES.contentKey) }),
};

export function readClaim(reader: Reader, logs: LogNumbers): Claim {
  const types = Object.keys(CLAIM_TYPES) as Claim['type'][];
  const type = types[readChoice(reader, 0, types.length - 1)] ?? 'record';
  return { type, ...READERS[type](reader, logs) } as Claim;
}
