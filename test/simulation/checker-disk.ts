import { ZERO_HASH } from '../../src/core/base/ids.ts';
import { isReject } from '../../src/core/base/reject.ts';
import { decodeLogRow } from '../../src/core/codec/state.ts';
import type { Header } from '../../src/core/types/chain.ts';
import type { KvOperation } from '../../src/ports/kv.ts';
import { tagged, u64 } from './checker-certificate.ts';
import { InvariantBroken } from './invariant.ts';
import { simulatedSuite as suite } from './suite.ts';

interface Disk {
  readonly name: string;
  stored(key: string): Uint8Array | null;
}

/** Of the ids of the replay window every so many-th is looked for at a start, each time others; of the starts, every so many-th is compared. */
const IDS_STEP = 8;
const STARTS_STEP = 4;
const NODE_HEIGHT_BYTES = 8;
const HASH_BYTES = 32;
const BRANCH = 1;

const hexOf = (bytes: Uint8Array, from: number) =>
  Buffer.from(bytes.buffer, bytes.byteOffset + from, HASH_BYTES).toString('hex');

/** What is on the disk of a node when its program starts: the state that its head certifies, and the ids that must not come again. */
export class DiskRules {
  /** Logs that any node has written of. */
  private readonly logs = new Set<string>();
  private starts = 0;

  constructor(private readonly fail: (what: string) => never) {}

  written(operations: readonly KvOperation[]): void {
    for (const { type, key } of operations) {
      const at = type === 'put' && key.startsWith('state/') ? key.indexOf('/log/') : -1;
      if (at > 0) this.logs.add(key.slice(at + '/log/'.length));
    }
  }

  /** @param executed ids in the order of the chain, each with its height */
  opened(disk: Disk, head: Header, executed: ReadonlyMap<string, number>, windowBlocks: number): void {
    // Damage was found, and the state is being built anew.
    if (disk.stored('meta/rebuild') !== null) return;
    this.starts += 1;
    let at = 0;
    for (const [id, height] of executed) {
      if (height > head.height || height + windowBlocks < head.height) continue;
      at += 1;
      if ((at + this.starts) % IDS_STEP !== 0) continue;
      const place = disk.stored(`at/${id}`);
      if (place === null || Number(Buffer.from(place).readBigUInt64BE()) !== height)
        this.fail(`${disk.name} starts at ${head.height} and has forgotten a transaction of ${height}`);
    }
    if (this.starts % STARTS_STEP === 0) this.checkMap(disk, head);
  }

  /** Every row of a log is in the map, nothing else is, and the map's hash is what the header names. */
  private checkMap(disk: Disk, { chainId, height, mapRoot }: Header): void {
    const history = disk.stored('meta/history');
    const generation = history === null ? 0 : Number(Buffer.from(history).readBigUInt64BE());
    const values = new Map<string, string>();
    this.walk(disk, generation, mapRoot, values);
    this.logs.add(suite.sha256(tagged('log-id', `${chainId}00${chainId}`)));
    let rows = 0;
    for (const log of this.logs) {
      const bytes = disk.stored(`state/${generation}/log/${log}`);
      if (bytes === null) continue;
      const row = decodeLogRow(bytes);
      if (isReject(row)) throw new InvariantBroken(`${disk.name} has a row that cannot be read`);
      rows += 1;
      const value = suite.sha256(tagged('map-entry', `${u64(row.size)}${row.root}${row.digest}`));
      if (values.get(suite.sha256(tagged('map-key', log))) !== value)
        this.fail(`${disk.name} starts at ${height} with another row of log ${log} than its head certifies`);
      const state = row.scope === 'system' ? null : disk.stored(`state/${generation}/${row.scope}/${row.id}`);
      if (state !== null && suite.sha256(Buffer.concat([tagged('scope-state', ''), state])) !== row.digest)
        this.fail(`${disk.name} starts at ${height} with another state of ${row.scope} ${row.id}`);
    }
    if (rows !== values.size) this.fail(`${disk.name} starts with ${rows} rows of ${values.size} logs`);
  }

  private walk(disk: Disk, generation: number, hash: string, values: Map<string, string>): void {
    if (hash === ZERO_HASH) return;
    const node = disk.stored(`node/${generation}/${hash}`);
    if (node === null) throw new InvariantBroken(`${disk.name} starts without node ${hash} of its map`);
    const [first, second] = [
      hexOf(node, NODE_HEIGHT_BYTES + 1),
      hexOf(node, NODE_HEIGHT_BYTES + 1 + HASH_BYTES),
    ];
    const isBranch = node[NODE_HEIGHT_BYTES] === BRANCH;
    if (suite.sha256(tagged(isBranch ? 'map-branch' : 'map-leaf', `${first}${second}`)) !== hash)
      this.fail(`${disk.name} starts with a wrong node ${hash} of its map`);
    if (!isBranch) {
      values.set(first, second);
      return;
    }
    this.walk(disk, generation, first, values);
    this.walk(disk, generation, second, values);
  }
}
