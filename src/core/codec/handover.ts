import type { Hash, Sha256 } from '../base/ids.ts';
import { leafHash } from '../merkle/log.ts';
import { LIMITS, SIZES } from '../types/limits.ts';
import type {
  HandoverItem,
  HandoverRelay,
  HandoverStep,
  PhaseHandoverSource,
  PhaseHandoverTarget,
} from '../types/operation.ts';
import {
  contentCodec,
  readMemberId,
  readOptional,
  readWrappedKey,
  writeOptional,
  writeWrappedKey,
} from './content.ts';
import type { Reader } from './reader.ts';
import { tagBytes } from './tags.ts';
import { readBatchPath, readPart, writeBatchPath, writePart } from './transaction.ts';
import { Writer } from './writer.ts';

/** The earlier handover and the one at hand are not among the steps of a relay. */
const RELAY_STEPS_MAX = LIMITS.handoversPerRecord - 2;

function writeStep(writer: Writer, step: HandoverStep): void {
  writer.hash(step.source).hash(step.handover).text(step.sender);
  writer.u64(step.position).u64(step.height).u64(step.timeMs);
}

function readStep(reader: Reader): HandoverStep {
  return {
    source: reader.hash(),
    handover: reader.hash(),
    sender: readMemberId(reader),
    position: reader.u64(),
    height: reader.u64(),
    timeMs: reader.u64(),
  };
}

function writeRelay(writer: Writer, relay: HandoverRelay): void {
  writer.bytes(relay.leaf).bytes(relay.body);
  writePart(writer, relay.target);
  writer.u32(relay.item).fixed(relay.salt, SIZES.salt);
  writer.list(relay.path, (out, hash) => out.hash(hash)).list(relay.steps, writeStep);
}

function readRelay(reader: Reader): HandoverRelay {
  return {
    leaf: reader.bytes(LIMITS.leafBytes),
    body: reader.bytes(LIMITS.bodyBytes),
    target: readPart(reader),
    item: reader.u32(),
    salt: reader.fixed(SIZES.salt),
    path: reader.list(LIMITS.handoverPathLength, from => from.hash()),
    steps: reader.list(RELAY_STEPS_MAX, readStep),
  };
}

export function writeHandoverItem(writer: Writer, item: HandoverItem): void {
  writer.u64(item.position);
  writeOptional(writer, item.relay, writeRelay);
  writer.fixed(item.salt, SIZES.salt);
  writer.bytes(item.leaf).bytes(item.body).fixed(item.signature, SIZES.signature);
  writeBatchPath(writer, item.batch);
  writePart(writer, item.meta);
  writePart(writer, item.payload);
  writeWrappedKey(writer, item.wrappedKey);
}

function readHandoverItem(reader: Reader): HandoverItem {
  return {
    position: reader.u64(),
    relay: readOptional(reader, readRelay),
    salt: reader.fixed(SIZES.salt),
    leaf: reader.bytes(LIMITS.leafBytes),
    body: reader.bytes(LIMITS.bodyBytes),
    signature: reader.fixed(SIZES.signature),
    batch: readBatchPath(reader),
    meta: readPart(reader),
    payload: readPart(reader),
    wrappedKey: readWrappedKey(reader),
  };
}

/** What stays the same of a record however often it is handed over; its body commits to metadata and payload. */
export type HandedRecord = Pick<HandoverItem, 'leaf' | 'body' | 'signature' | 'batch'>;

/**
 * The leaf hash of an item in the tree of its handover's items.
 * @param salt of the item in that handover
 * @param steps the handovers before that one, oldest first
 */
export function handoverItemHash(
  sha256: Sha256,
  salt: Uint8Array,
  record: HandedRecord,
  steps: readonly HandoverStep[],
): Hash {
  const writer = new Writer().raw(tagBytes('handoverItem')).fixed(salt, SIZES.salt);
  writer.bytes(record.leaf).bytes(record.body).fixed(record.signature, SIZES.signature);
  writeBatchPath(writer, record.batch);
  return leafHash(sha256, writer.list(steps, writeStep).finish());
}

export const { encode: encodePhaseHandoverSource, decode: decodePhaseHandoverSource } =
  contentCodec<PhaseHandoverSource>(
    'phase handover, source part',
    (writer, content) => {
      writer.hash(content.phase).hash(content.target);
      writer.list(content.records, (out, entry) => {
        out.u64(entry.position);
        writeOptional(out, entry.item, (to, item) => to.u32(item));
        out.hash(entry.id);
      });
    },
    reader => ({
      phase: reader.hash(),
      target: reader.hash(),
      records: reader.list(LIMITS.itemsPerHandover, from => ({
        position: from.u64(),
        item: readOptional(from, each => each.u32()),
        id: from.hash(),
      })),
    }),
  );

export const { encode: encodePhaseHandoverTarget, decode: decodePhaseHandoverTarget } =
  contentCodec<PhaseHandoverTarget>(
    'phase handover, target part',
    (writer, content) => {
      writer.hash(content.phase).hash(content.source).u32(content.epoch);
      writer.u32(content.itemCount).hash(content.itemsRoot);
    },
    reader => ({
      phase: reader.hash(),
      source: reader.hash(),
      epoch: reader.u32(),
      itemCount: reader.u32(),
      itemsRoot: reader.hash(),
    }),
  );

export const { encode: encodeHandoverItems, decode: decodeHandoverItems } = contentCodec<
  readonly HandoverItem[]
>(
  'phase handover, items',
  (writer, items) => {
    writer.list(items, writeHandoverItem);
  },
  reader => reader.list(LIMITS.itemsPerHandover, readHandoverItem),
);
