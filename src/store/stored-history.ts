import { isReject } from '../core/base/reject.ts';
import { Reader } from '../core/codec/reader.ts';
import { Writer } from '../core/codec/writer.ts';
import type { History } from '../ports/chain-store.ts';
import type { KeyValueStore, KvOperation } from '../ports/kv.ts';
import { decodeHeight, encodeHeight } from './chain-records.ts';
import { corrupt } from './checksum.ts';
import { keys } from './keyspaces.ts';

/** `History`, and which generation of the state is in force. */
export interface StoredHistory extends History {
  readonly generation: number;
}

export function readHistory(kv: KeyValueStore): StoredHistory {
  const bytes = kv.get(keys.history);
  const bodies = kv.get(keys.bodiesFrom);
  const bodiesFrom = bodies === null ? 1 : decodeHeight(keys.bodiesFrom, bodies);
  if (bytes === null) return { generation: 0, baseHeight: 0, blocksFrom: 1, bodiesFrom };
  const reader = new Reader(bytes);
  const record = { generation: reader.u64(), baseHeight: reader.u64(), blocksFrom: reader.u64() };
  const read = reader.finish(record, 'history');
  if (isReject(read)) throw corrupt(keys.history, new Error(read.detail));
  return { ...read, bodiesFrom };
}

export function historyWrites(history: StoredHistory): KvOperation[] {
  const { generation, baseHeight, blocksFrom, bodiesFrom } = history;
  const value = new Writer().u64(generation).u64(baseHeight).u64(blocksFrom).finish();
  return [
    { type: 'put', key: keys.history, value },
    { type: 'put', key: keys.bodiesFrom, value: encodeHeight(bodiesFrom) },
  ];
}
