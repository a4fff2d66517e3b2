import type { LogId } from '../base/ids.ts';
import type { Reject } from '../base/reject.ts';
import { readOptional, writeOptional } from '../codec/content.ts';
import { Reader } from '../codec/reader.ts';
import { Writer } from '../codec/writer.ts';
import { readFrontier, writeFrontier } from '../merkle/log.ts';
import { readMapProof, writeMapProof } from '../merkle/map.ts';
import { LIMITS } from '../types/limits.ts';
import type { LogItem, LogUpdate } from './log-update.ts';

/** Items of one update, in a message or in a dossier. */
const LOG_ITEMS_MAX = 1_048_576;

function writeLogItem(writer: Writer, item: LogItem): void {
  writer.bytes(item.leaf).bytes(item.transaction);
}

function decodeItem(reader: Reader): LogItem {
  return { leaf: reader.bytes(LIMITS.leafBytes), transaction: reader.bytes(LIMITS.transactionBytes) };
}

export function writeLogUpdate(writer: Writer, update: LogUpdate): void {
  const { entry } = update;
  writer.hash(update.logId).u64(entry.size).hash(entry.root).hash(entry.digest);
  writeMapProof(writer, update.mapProof);
  writeOptional(writer, update.state, (out, state) => out.bytes(state));
  writer.u64(update.from);
  writeFrontier(writer, update.frontier);
  writer.list(update.items, writeLogItem);
}

export function readLogUpdate(reader: Reader): LogUpdate {
  return {
    logId: reader.hash() as LogId,
    entry: { size: reader.u64(), root: reader.hash(), digest: reader.hash() },
    mapProof: readMapProof(reader),
    state: readOptional(reader, from => from.bytes(LIMITS.stateBytes)),
    from: reader.u64(),
    frontier: readFrontier(reader),
    items: reader.list(LOG_ITEMS_MAX, decodeItem),
  };
}

export function encodeLogUpdate(update: LogUpdate): Uint8Array {
  const writer = new Writer();
  writeLogUpdate(writer, update);
  return writer.finish();
}

export function decodeLogUpdate(bytes: Uint8Array): LogUpdate | Reject {
  const reader = new Reader(bytes);
  return reader.finish(readLogUpdate(reader), 'log update');
}
