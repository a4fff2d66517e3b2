import { assertNever } from '../base/assert.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import {
  encodeBlock,
  encodeHeader,
  readBlock,
  readCertificate,
  readHeader,
  writeCertificate,
} from '../codec/chain.ts';
import { Reader } from '../codec/reader.ts';
import { Writer } from '../codec/writer.ts';
import type { Block } from '../types/chain.ts';
import { LIMITS, SIZES } from '../types/limits.ts';
import { ENGINE_LIMITS } from './config.ts';
import {
  type Checkpoint,
  type Complaint,
  type ConsensusMessage,
  MESSAGE_KINDS,
  type MessageContent,
  type MessageKind,
  type NewView,
  type PrePrepare,
  type PreparedProof,
  type ShownHead,
  type SignedMessage,
  type Status,
  type ViewChange,
  type Vote,
} from './messages.ts';

const kindOfNumber = new Map<number, MessageKind>(
  (Object.entries(MESSAGE_KINDS) as [MessageKind, number][]).map(([kind, number]) => [number, kind]),
);

/** Null for a number that no kind has. */
export function messageKind(number: number): MessageKind | null {
  return kindOfNumber.get(number) ?? null;
}

export function writeSignedMessage(writer: Writer, message: SignedMessage): void {
  writer
    .u8(MESSAGE_KINDS[message.kind])
    .u64(message.validatorSetId)
    .u16(message.signer)
    .bytes(message.body)
    .fixed(message.signature, SIZES.signature);
}

export function readSignedMessage(reader: Reader): SignedMessage {
  const kind = messageKind(reader.u8());
  if (kind === null) reader.fail('unknown message kind');
  return {
    kind: kind ?? 'status',
    validatorSetId: reader.u64(),
    signer: reader.u16(),
    body: reader.bytes(ENGINE_LIMITS.messageBodyBytes),
    signature: reader.fixed(SIZES.signature),
  };
}

function writeHead(writer: Writer, head: ShownHead): void {
  writer.raw(encodeHeader(head.header)).bool(head.certificate !== null);
  if (head.certificate !== null) writeCertificate(writer, head.certificate);
}

function readHead(reader: Reader): ShownHead {
  const header = readHeader(reader);
  return { header, certificate: reader.bool() ? readCertificate(reader) : null };
}

export function writePreparedProof(writer: Writer, proof: PreparedProof): void {
  writer.raw(encodeHeader(proof.header));
  writeCertificate(writer, proof.certificate);
}

export function readPreparedProof(reader: Reader): PreparedProof {
  return { header: readHeader(reader), certificate: readCertificate(reader) };
}

export function encodeContent(content: MessageContent): Uint8Array {
  const writer = new Writer();
  switch (content.kind) {
    case 'prePrepare':
      return writer.u64(content.view).hash(content.newViewDigest).raw(encodeBlock(content.block)).finish();
    case 'prepare':
    case 'commit':
      return writer
        .u64(content.view)
        .hash(content.newViewDigest)
        .u64(content.height)
        .hash(content.blockHash)
        .finish();
    case 'checkpoint':
      return writer.u64(content.height).hash(content.blockHash).finish();
    case 'viewChange':
      writeHead(writer.u64(content.view), content.head);
      return writer.list(content.prepared, writePreparedProof).finish();
    case 'newView':
      return writer
        .u64(content.view)
        .list(content.viewChanges, writeSignedMessage)
        .list(content.window, (out, hash) => out.hash(hash))
        .finish();
    case 'status':
      writeHead(writer.u64(content.view).bool(content.active), content.head);
      return writer.u64(content.acceptedHeight).u64(content.stableHeight).bool(content.reply).finish();
    case 'complaint':
      return writer
        .u64(content.view)
        .u64(content.height)
        .bool(content.lasting)
        .list(content.gone, (out, index) => out.u16(index))
        .finish();
    default:
      return assertNever(content);
  }
}

function readPrePrepare(reader: Reader): PrePrepare {
  const view = reader.u64();
  const newViewDigest = reader.hash();
  const block: Block = readBlock(reader);
  return { kind: 'prePrepare', view, newViewDigest, block };
}

function readVote(reader: Reader, kind: Vote['kind']): Vote {
  return {
    kind,
    view: reader.u64(),
    newViewDigest: reader.hash(),
    height: reader.u64(),
    blockHash: reader.hash(),
  };
}

function readCheckpoint(reader: Reader): Checkpoint {
  return { kind: 'checkpoint', height: reader.u64(), blockHash: reader.hash() };
}

function readViewChange(reader: Reader): ViewChange {
  return {
    kind: 'viewChange',
    view: reader.u64(),
    head: readHead(reader),
    prepared: reader.list(ENGINE_LIMITS.windowBlocksMax, readPreparedProof),
  };
}

function readNewView(reader: Reader): NewView {
  return {
    kind: 'newView',
    view: reader.u64(),
    viewChanges: reader.list(LIMITS.validatorsMax, readSignedMessage),
    window: reader.list(ENGINE_LIMITS.windowBlocksMax, from => from.hash()),
  };
}

function readStatus(reader: Reader): Status {
  return {
    kind: 'status',
    view: reader.u64(),
    active: reader.bool(),
    head: readHead(reader),
    acceptedHeight: reader.u64(),
    stableHeight: reader.u64(),
    reply: reader.bool(),
  };
}

function readComplaint(reader: Reader): Complaint {
  return {
    kind: 'complaint',
    view: reader.u64(),
    height: reader.u64(),
    lasting: reader.bool(),
    gone: reader.list(LIMITS.validatorsMax, from => from.u16()),
  };
}

function readContent(reader: Reader, kind: MessageKind): MessageContent {
  switch (kind) {
    case 'prePrepare':
      return readPrePrepare(reader);
    case 'prepare':
    case 'commit':
      return readVote(reader, kind);
    case 'checkpoint':
      return readCheckpoint(reader);
    case 'viewChange':
      return readViewChange(reader);
    case 'newView':
      return readNewView(reader);
    case 'status':
      return readStatus(reader);
    case 'complaint':
      return readComplaint(reader);
    default:
      return assertNever(kind);
  }
}

/** Decodes the body by the envelope's kind, so that the two cannot differ (SCENARIOS 31). Verifies nothing. */
export function decodeMessage(signed: SignedMessage): ConsensusMessage | Reject {
  if (signed.body.length > ENGINE_LIMITS.messageBodyBytes)
    return reject('malformed', 'message body too long');
  const reader = new Reader(signed.body);
  const content = reader.finish(readContent(reader, signed.kind), signed.kind);
  return isReject(content) ? content : { signed, content };
}
