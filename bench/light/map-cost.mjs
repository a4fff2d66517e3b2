// What the map of all logs costs a block, by the number of logs: processor time for the new root, and for the chain store to
// read and write the nodes.
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const BLOCKS = 200;
/** Before that: until each block cleans up after an earlier one, as it does for ever after. */
const WARM_UP_BLOCKS = 60;
const STALE_NODE_BLOCKS = 40;
const hashOf = text => createHash('sha256').update(text).digest('hex');
const ZERO = '0'.repeat(64);

/** A store whose blocks change the map and nothing else. */
class MapOfLogs {
  height = -1;
  root = ZERO;

  constructor(program, store) {
    this.program = program;
    this.store = store;
  }

  /** @returns processor time of the new root and of the commit, in µs */
  async change(changes) {
    const { mapUpdate, nodeSuite } = this.program;
    const startUs = process.cpuUsage();
    const nodes = hash => this.store.state.mapNode(hash);
    const { root, added, stale } = mapUpdate(nodeSuite.sha256, nodes, this.root, changes);
    const updated = process.cpuUsage(startUs);
    this.height += 1;
    this.root = root;
    const header = {
      ...{ version: 1, chainId: ZERO, height: this.height, parentHash: ZERO, timeMs: this.height },
      ...{ transactionsRoot: ZERO, mapRoot: root, validatorSetId: 0, validatorSetHash: ZERO },
      ...{ nextValidatorSetHash: ZERO, previousSetChangeHeight: 0 },
    };
    const diff = {
      height: this.height,
      state: new Map(),
      mapNodes: added,
      staleMapNodes: stale,
      leaves: [],
      ids: [],
    };
    await this.store.commit(
      { block: { header, entries: [] }, hash: hashOf(`${this.height}`), certificate: null },
      diff,
      [],
    );
    const all = process.cpuUsage(startUs);
    return { rootUs: updated.user + updated.system, allUs: all.user + all.system, nodes: added.size };
  }
}

/** @returns for each number of logs: nodes and microseconds of one touched log */
export async function mapCost(program, dir, counts, touched) {
  const rows = [];
  for (const count of counts) {
    const path = join(dir, `map-${count}`);
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { recursive: true });
    const kv = new program.LevelStore(path);
    await kv.open();
    const map = new MapOfLogs(program, new program.KvChainStore(kv, { staleNodeBlocks: STALE_NODE_BLOCKS }));
    const keys = Array.from({ length: count }, (_, index) => hashOf(`log ${index}`));
    await map.change(new Map(keys.map(key => [key, hashOf(`first ${key}`)])));
    const perBlock = Math.min(touched, count);
    const total = { rootUs: 0, allUs: 0, nodes: 0 };
    for (let block = -WARM_UP_BLOCKS; block < BLOCKS; block += 1) {
      const chosen = Array.from(
        { length: perBlock },
        (_, index) => keys[((block + WARM_UP_BLOCKS) * 7_919 + index * 104_729) % count],
      );
      const cost = await map.change(new Map(chosen.map(key => [key, hashOf(`${block} ${key}`)])));
      if (block < 0) continue;
      for (const name of Object.keys(total)) total[name] += cost[name];
    }
    await kv.close();
    rmSync(path, { recursive: true, force: true });
    const logs = BLOCKS * perBlock;
    rows.push({
      ...{ logs: count, touched: perBlock, nodesPerLog: total.nodes / logs },
      ...{ rootUsPerLog: total.rootUs / logs, allUsPerLog: total.allUs / logs },
    });
  }
  return rows;
}
