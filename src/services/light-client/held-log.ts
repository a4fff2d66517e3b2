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
import type { Trust } from '../../core/light/trust.ts';
import { type Frontier, readFrontier, writeFrontier } from '../../core/merkle/log.ts';

/** What is held of one log: positions [from, to), verified, without a gap. */
export interface HeldLog {
  readonly logId: LogId;
  readonly ref: ScopeRef;
  readonly from: number;
  readonly to: number;
  /** Of the leaves [0, to). */
  readonly frontier: Frontier;
  /** Digest of the stored state; null without one. */
  readonly digest: Hash | null;
  /** Number of leaves that the stored state is the fold of. */
  readonly statePosition: number;
  /** The last leaf held is the removal of this member. */
  readonly ended: boolean;
}

const scopeNames = Object.keys(SCOPE_KINDS) as ScopeKind[];

export const { encode: encodeHeldLog, decode: decodeHeldLog } = contentCodec<HeldLog>(
  'held log',
  (writer, log) => {
    writer.hash(log.logId).u8(SCOPE_KINDS[log.ref.scope]).hash(log.ref.id).u64(log.from).u64(log.to);
    writeFrontier(writer, log.frontier);
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
      from: reader.u64(),
      to: reader.u64(),
      frontier: readFrontier(reader),
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
