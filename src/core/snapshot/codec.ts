import type { LogId } from '../base/ids.ts';
import { encodeBlock, readBlock, readCertificate, writeCertificate } from '../codec/chain.ts';
import { contentCodec, readOptional, writeOptional } from '../codec/content.ts';
import type { Reader } from '../codec/reader.ts';
import { readScopeKind } from '../codec/state.ts';
import { SCOPE_KINDS } from '../codec/transaction.ts';
import type { Writer } from '../codec/writer.ts';
import { readFrontier, writeFrontier } from '../merkle/log.ts';
import { readMapProof, writeMapProof } from '../merkle/map.ts';
import { LIMITS } from '../types/limits.ts';
import {
  type CertifiedBlock,
  type LeavesPart,
  type LeavesSegment,
  SNAPSHOT_LIMITS,
  type SnapshotChunk,
  type SnapshotRequest,
  type SnapshotScope,
} from './chunks.ts';

const KINDS = { scopes: 0, leaves: 1, blocks: 2 } as const;
/** A consistency proof has at most one hash a level, and one more. */
const PATH_MAX = 54;

function writeScope(writer: Writer, { ref, entry, proof, state }: SnapshotScope): void {
  writer.u8(SCOPE_KINDS[ref.scope]).hash(ref.id).u64(entry.size).hash(entry.root).hash(entry.digest);
  writeMapProof(writer, proof);
  writer.bytes(state);
}

function readScope(reader: Reader): SnapshotScope {
  return {
    ref: { scope: readScopeKind(reader), id: reader.hash() },
    entry: { size: reader.u64(), root: reader.hash(), digest: reader.hash() },
    proof: readMapProof(reader),
    state: reader.bytes(LIMITS.stateBytes),
  };
}

/** A scope with its proof and state, as a server keeps it. */
export const { encode: encodeScope, decode: decodeScope } = contentCodec<SnapshotScope>(
  'scope of a snapshot',
  writeScope,
  readScope,
);

function writePart(writer: Writer, part: LeavesPart): void {
  writer.hash(part.logId);
  writeFrontier(writer, part.frontier);
  writer.list(part.leaves, (out, leaf) => {
    out.u64(leaf.height).u64(leaf.timeMs).hash(leaf.transactionId).u16(leaf.outcome);
  });
  writer.list(part.consistency, (out, hash) => out.hash(hash));
  writer.list(part.transactions, (out, bytes) => out.bytes(bytes));
}

function readPart(reader: Reader): LeavesPart {
  return {
    logId: reader.hash() as LogId,
    frontier: readFrontier(reader),
    leaves: reader.list(SNAPSHOT_LIMITS.leavesPerSegment, from => ({
      height: from.u64(),
      timeMs: from.u64(),
      transactionId: from.hash(),
      outcome: from.u16(),
    })),
    consistency: reader.list(PATH_MAX, from => from.hash()),
    transactions: reader.list(SNAPSHOT_LIMITS.leavesPerSegment, from => from.bytes(LIMITS.transactionBytes)),
  };
}

function writeCertified(writer: Writer, { block, certificate }: CertifiedBlock): void {
  writer.raw(encodeBlock(block));
  writeCertificate(writer, certificate);
}

export const { encode: encodeSnapshotChunk, decode: decodeSnapshotChunk } = contentCodec<SnapshotChunk>(
  'snapshot chunk',
  (writer, chunk) => {
    writer.u8(KINDS[chunk.kind]);
    if (chunk.kind === 'scopes') writer.list(chunk.scopes, writeScope).bool(chunk.last);
    else if (chunk.kind === 'leaves') writer.list(chunk.parts, writePart);
    else writer.list(chunk.blocks, writeCertified);
  },
  reader => {
    const kind = reader.u8();
    if (kind === KINDS.scopes) {
      return {
        kind: 'scopes',
        scopes: reader.list(SNAPSHOT_LIMITS.scopesPerAnswer, readScope),
        last: reader.bool(),
      };
    }
    if (kind === KINDS.leaves) {
      return { kind: 'leaves', parts: reader.list(SNAPSHOT_LIMITS.logsPerRequest, readPart) };
    }
    if (kind !== KINDS.blocks) reader.fail(`chunk of kind ${kind}`);
    return {
      kind: 'blocks',
      blocks: reader.list(SNAPSHOT_LIMITS.blocksPerRequest, from => ({
        block: readBlock(from),
        certificate: readCertificate(from),
      })),
    };
  },
);

function readSegment(reader: Reader): LeavesSegment {
  const segment = { logId: reader.hash() as LogId, from: reader.u64(), to: reader.u64(), size: reader.u64() };
  const { from, to, size } = segment;
  const fits = from < to && to <= size && to - from <= SNAPSHOT_LIMITS.leavesPerSegment;
  if (!reader.failed && !fits) reader.fail('not a segment of a log');
  return segment;
}

export const { encode: encodeSnapshotRequest, decode: decodeSnapshotRequest } = contentCodec<SnapshotRequest>(
  'snapshot request',
  (writer, request) => {
    writer.u8(KINDS[request.kind]);
    if (request.kind === 'scopes') {
      writer.u64(request.height);
      writeOptional(writer, request.after, (out, key) => out.hash(key));
    } else if (request.kind === 'leaves') {
      writer.list(request.segments, (out, { logId, from, to, size }) => {
        out.hash(logId).u64(from).u64(to).u64(size);
      });
    } else writer.u64(request.from).u64(request.to);
  },
  reader => {
    const kind = reader.u8();
    if (kind === KINDS.scopes) {
      return { kind: 'scopes', height: reader.u64(), after: readOptional(reader, from => from.hash()) };
    }
    if (kind === KINDS.leaves) {
      return { kind: 'leaves', segments: reader.list(SNAPSHOT_LIMITS.logsPerRequest, readSegment) };
    }
    const range = { from: reader.u64(), to: reader.u64() };
    const fits = range.from < range.to && range.to - range.from <= SNAPSHOT_LIMITS.blocksPerRequest;
    if (!reader.failed && (kind !== KINDS.blocks || !fits)) reader.fail('not a range of blocks');
    return { kind: 'blocks', ...range };
  },
);
