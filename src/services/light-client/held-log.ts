import { hashBytes } from '../../core/base/bytes.ts';
import type { Hash, LogId } from '../../core/base/ids.ts';
import {
  readCertificate,
  readHeader,
  readValidatorSet,
  writeCertificate,
  writeHeader,
  writeValidatorSet,
} from '../../core/codec/chain.ts';
import { contentCodec, readOptional, writeOptional } from '../../core/codec/content.ts';
import type { ScopeKind, ScopeRef } from '../../core/codec/state.ts';
import { SCOPE_KINDS } from '../../core/codec/transaction.ts';
import type { SetChange, Trust } from '../../core/light/trust.ts';
import { EMPTY_FRONTIER, type Frontier, readFrontier, writeFrontier } from '../../core/merkle/log.ts';
import { LIMITS } from '../../core/types/limits.ts';
import type { Span } from '../../core/types/span.ts';

/** Positions [start.size, end.size) of a log without a gap, verified. */
export interface HeldRange {
  /** Of the leaves [0, start.size): what the first leaf was appended to. */
  readonly start: Frontier;
  /** Of the leaves [0, end.size). */
  readonly end: Frontier;
}

/** What is held of one log. Several ranges, with gaps between, where the member was removed and added again [83]. */
export interface HeldLog {
  readonly logId: LogId;
  readonly ref: ScopeRef;
  /** Ascending; none while only the state has come. */
  readonly ranges: readonly HeldRange[];
  /** Digest of the stored state; null without one. */
  readonly digest: Hash | null;
  /** Number of leaves that the stored state is the fold of. */
  readonly statePosition: number;
  /** The last leaf held is the removal of this member. */
  readonly ended: boolean;
}

/** The range that goes on with the log, or that the last removal ended. */
export function lastEnd(log: Pick<HeldLog, 'ranges'>): Frontier {
  return log.ranges.at(-1)?.end ?? EMPTY_FRONTIER;
}

export function spansOf(log: Pick<HeldLog, 'ranges'>): Span[] {
  return log.ranges.map(({ start, end }) => ({ from: start.size, to: end.size }));
}

const RANGES_MAX = LIMITS.formerPerPhase + 1;
const scopeNames = Object.keys(SCOPE_KINDS) as ScopeKind[];

export const { encode: encodeHeldLog, decode: decodeHeldLog } = contentCodec<HeldLog>(
  'held log',
  (writer, log) => {
    writer.hash(log.logId).u8(SCOPE_KINDS[log.ref.scope]).hash(log.ref.id);
    writer.list(log.ranges, (out, { start, end }) => {
      writeFrontier(out, start);
      writeFrontier(out, end);
    });
    writeOptional(writer, log.digest, (out, digest) => out.raw(hashBytes(digest)));
    writer.u64(log.statePosition).bool(log.ended);
  },
  reader => {
    const logId = reader.hash() as LogId;
    const kind = reader.u8();
    const scope = scopeNames.find(name => SCOPE_KINDS[name] === kind) ?? 'system';
    return {
      logId,
      ref: { scope, id: reader.hash() },
      ranges: reader.list(RANGES_MAX, from => ({ start: readFrontier(from), end: readFrontier(from) })),
      digest: readOptional(reader, from => from.hash()),
      statePosition: reader.u64(),
      ended: reader.bool(),
    };
  },
);

export const { encode: encodeTrust, decode: decodeTrust } = contentCodec<Trust>(
  'trust',
  (writer, trust) => {
    writeHeader(writer, trust.header);
    writer.hash(trust.hash);
    writeValidatorSet(writer, trust.set);
    writeOptional(writer, trust.proof ?? null, (out, proof) => {
      writeCertificate(out, proof.certificate);
      writeValidatorSet(out, proof.set);
    });
  },
  reader => {
    const trust = { header: readHeader(reader), hash: reader.hash(), set: readValidatorSet(reader) };
    const proof = readOptional(reader, from => ({
      certificate: readCertificate(from),
      set: readValidatorSet(from),
    }));
    return proof === null ? trust : { ...trust, proof };
  },
);

export const { encode: encodeSetChange, decode: decodeSetChange } = contentCodec<SetChange>(
  'set change',
  (writer, { certified, nextSet }) => {
    writeHeader(writer, certified.header);
    writeCertificate(writer, certified.certificate);
    writeValidatorSet(writer, nextSet);
  },
  reader => ({
    certified: { header: readHeader(reader), certificate: readCertificate(reader) },
    nextSet: readValidatorSet(reader),
  }),
);

/** A leaf with its transaction, as it is stored. */
export const { encode: encodeStoredItem, decode: decodeStoredItem } = contentCodec<{
  readonly leaf: Uint8Array;
  readonly transaction: Uint8Array;
}>(
  'stored item',
  (writer, item) => {
    writer.bytes(item.leaf).bytes(item.transaction);
  },
  reader => ({ leaf: reader.bytes(1 << 10), transaction: reader.bytes(1 << 24) }),
);
