import { execFile } from 'node:child_process';
import { appendFile, cp, mkdir, mkdtemp, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { dataPaths } from '../../../src/config/node-config.ts';
import { encodeWalRecords } from '../../../src/store/wal-record.ts';
import type { ChaosNode } from '../network/node.ts';
import { anyConsensus, type Nemesis, type Stage, seconds } from './stage.ts';

const execute = promisify(execFile);

const END_TIMEOUT_MS = 30_000;
const READY_TIMEOUT_MS = 60_000;
/** Room that a full disk has left before it is filled, in bytes. */
const DISK_ROOM_BYTES = 48 << 20;
/** How long a node on a damaged database may run before it is verified, in milliseconds. */
const DAMAGED_RUN_MS = 5_000;

/** Waits for a node that must end by itself, and say why. */
async function endsLoudly(stage: Stage, node: ChaosNode, words: RegExp): Promise<void> {
  const exit = await node.ends(END_TIMEOUT_MS);
  if (exit === null) throw new Error(`${node.name} goes on`);
  if (exit.code === 0 || exit.code === null)
    throw new Error(`${node.name} ended with ${exit.signal ?? exit.code}, not with an error`);
  const said = node.lastWords();
  if (!words.test(said)) throw new Error(`${node.name} ended and did not say why: ${said}`);
  stage.say(`  ${node.name} ended by itself: ${said.split('\n').at(-1)?.slice(0, 160)}`);
}

async function flipBit(path: string, at: number, bit: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    byte[0] = byte[0]! ^ (1 << bit);
    await file.write(byte, 0, 1, at);
  } finally {
    await file.close();
  }
}

const tornLog: Nemesis = {
  name: 'torn-log',
  title: '[66] a validator is killed in the middle of a write of its log',
  draw: (draws, shape) => {
    const target = anyConsensus(draws, shape);
    const record = encodeWalRecords([Buffer.alloc(draws.between(100, 2_000), draws.between(1, 255))]);
    const torn = draws.fraction() < 0.3 ? Buffer.alloc(4096) : record.subarray(0, draws.between(1, 99));
    return {
      words: `kill -9 ${target} in the middle of a write: ${torn.length} bytes of a record at the end of its log`,
      run: async stage => {
        const node = await stage.node(target);
        await node.kill();
        await appendFile(dataPaths(node.dir).wal, torn);
        node.start();
        await node.reaches('readyz', READY_TIMEOUT_MS);
        return node.name;
      },
    };
  },
};

const damagedLog: Nemesis = {
  name: 'damaged-log',
  title: '[66] a bit of a log has turned: the validator refuses to start',
  draw: (draws, shape) => {
    const target = anyConsensus(draws, shape);
    const place = draws.fraction();
    const bit = draws.between(0, 7);
    return {
      words: `kill -9 ${target} and turn a bit at ${(place * 100).toFixed(1)} % of its log; it must refuse to start`,
      run: async stage => {
        const node = await stage.node(target);
        await node.kill();
        const { wal } = dataPaths(node.dir);
        // a record that was cut short by the kill is no damage
        const { size } = await stat(wal);
        const at = Math.floor(place * size * 0.9);
        await flipBit(wal, at, bit);
        node.start();
        await endsLoudly(stage, node, /damaged at byte/);
        await flipBit(wal, at, bit);
        return `${node.name}, byte ${at} of ${size}`;
      },
    };
  },
};

/**
 * What leaves the node could contradict what it votes for when it is given its old directory back, so it is out of everybody's
 * reach as long as it runs on the damaged one.
 */
const damagedDatabase: Nemesis = {
  name: 'damaged-database',
  title: '[68] bits of a database have turned: the validator or db verify notices',
  draw: (draws, shape) => {
    const name = draws.pick(shape.consensus);
    const places = Array.from({ length: draws.between(1, 8) }, () => [draws.fraction(), draws.fraction()]);
    return {
      words: `kill -9 ${name} and turn ${places.length} bits of its database; it must not take that for truth`,
      run: async stage => {
        const node = stage.network.node(name);
        await node.kill();
        const { database, state } = dataPaths(node.dir);
        const before = `${database}.before`;
        await cp(database, before, { recursive: true });
        const files = (await readdir(state)).filter(file => /\.(ldb|log)$/.test(file)).sort();
        for (const [which, where] of places) {
          const path = join(state, files[Math.floor(which! * files.length)]!);
          const { size } = await stat(path);
          if (size > 0) await flipBit(path, Math.floor(where! * size), 3);
        }
        stage.network.links.refuse(name);
        node.start();
        const exit = await node.ends(DAMAGED_RUN_MS);
        if (exit?.code === 0) throw new Error(`${name} ended on a damaged database as if all were well`);
        const said = exit === null ? null : node.lastWords().split('\n').at(-1)?.slice(0, 200);
        await node.kill();
        const { fault, blocks } = await stage.network.verify(node);
        await rm(database, { recursive: true });
        await rename(before, database);
        if (said !== null) return `noticed at the start: ${said}`;
        return fault === null
          ? `nothing that is read was hit, ${blocks} blocks verify`
          : `found by db verify: ${fault}`;
      },
    };
  },
};

const emptyDirectory: Nemesis = {
  name: 'empty-directory',
  title: '[16] [50] a validator comes back without its database: it catches up and does not vote',
  draw: (draws, shape) => {
    const name = draws.pick(shape.consensus);
    const observeMs = draws.between(2_000, 6_000);
    return {
      words: `${name} comes back with an empty database; it must catch up and not vote`,
      run: async stage => {
        const node = stage.network.node(name);
        await node.kill();
        const { database } = dataPaths(node.dir);
        const aside = `${database}.aside`;
        await rename(database, aside);
        const { head } = await stage.chain();
        node.start();
        const height = () => node.call<{ height: number }>('chain_head').then(found => found.height);
        await stage.until(`${name} at ${head.height}`, async () => (await height()) >= head.height, 60_000);
        await stage.sleep(observeMs);
        const { notReady } = await node.call<{ notReady: string[] }>('node_status');
        if (!notReady.some(reason => /observe/.test(reason)))
          throw new Error(`${name} lost its log and does not say that it observes: ${notReady.join('; ')}`);
        await node.stop();
        await rm(database, { recursive: true });
        await rename(aside, database);
        return `caught up with ${head.height} blocks`;
      },
    };
  },
};

async function mountTemporary(path: string, bytes: number): Promise<void> {
  await execute('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=0700`, 'tmpfs', path]);
}

/** `npm run chaos` starts the harness in a name space where it may, if the system allows one. */
async function cannotMount(): Promise<string | null> {
  const dir = await mkdtemp(join(tmpdir(), 'phaseline-mount-'));
  try {
    await mountTemporary(dir, 1 << 20);
    await execute('umount', [dir]);
    return null;
  } catch {
    return 'no file system of limited size can be mounted here';
  } finally {
    await rmdir(dir);
  }
}

async function bytesBelow(dir: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(dir, { withFileTypes: true, recursive: true }))
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  return bytes;
}

async function fill(path: string): Promise<void> {
  const file = await open(path, 'w');
  try {
    for (const size of [1 << 20, 4096]) {
      const block = Buffer.alloc(size, 1);
      for (;;) if ((await file.write(block)).bytesWritten < size) break;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    await file.close();
  }
}

/** A disk of its own for the node's database, with what is there. */
async function withOwnDisk(node: ChaosNode, work: (database: string) => Promise<void>): Promise<void> {
  const { database } = dataPaths(node.dir);
  const aside = `${database}.aside`;
  await rename(database, aside);
  await mkdir(database, { mode: 0o700 });
  await mountTemporary(database, (await bytesBelow(aside)) + DISK_ROOM_BYTES);
  try {
    await cp(aside, database, { recursive: true });
    await work(database);
    await rm(aside, { recursive: true });
    await cp(database, aside, { recursive: true });
  } finally {
    await node.kill();
    await execute('umount', [database]);
    await rm(database, { recursive: true });
    await rename(aside, database);
  }
}

const fullDisk: Nemesis = {
  name: 'full-disk',
  title: '[67] [69] the disk of a validator is full: it stops, says so, and recovers',
  unavailable: cannotMount,
  draw: (draws, shape) => {
    const target = anyConsensus(draws, shape);
    const fullMs = draws.between(500, 4_000);
    return {
      words: `the disk of ${target} is full; it must stop, say so, and recover when there is room again`,
      run: async stage => {
        const node = await stage.node(target);
        await node.stop();
        await withOwnDisk(node, async database => {
          node.start();
          await node.reaches('readyz', READY_TIMEOUT_MS);
          node.expectEnd();
          await fill(join(database, 'filler'));
          await endsLoudly(stage, node, /no space|ENOSPC|free space/i);
          await stage.sleep(fullMs);
          await rm(join(database, 'filler'));
          node.start();
          await node.reaches('readyz', READY_TIMEOUT_MS);
          await node.stop();
        });
        return node.name;
      },
    };
  },
};

async function cannotLimit(): Promise<string | null> {
  return execute('prlimit', ['--version']).then(
    () => null,
    () => 'there is no prlimit here',
  );
}

const failedWrite: Nemesis = {
  name: 'failed-write',
  title: '[67] writes of a validator fail: it stops and says so',
  unavailable: cannotLimit,
  draw: (draws, shape) => {
    const target = anyConsensus(draws, shape);
    const downMs = draws.between(0, 3_000);
    return {
      words: `writes of ${target} fail; it must stop and say so. It is started again after ${seconds(downMs)}`,
      run: async stage => {
        const node = await stage.node(target);
        node.expectEnd();
        await execute('prlimit', ['--pid', String(node.pid), '--fsize=4096:4096']);
        await endsLoudly(stage, node, /cannot write|EFBIG|too large/i);
        await stage.sleep(downMs);
        return node.name;
      },
    };
  },
};

export const DISK_NEMESES: readonly Nemesis[] = [
  tornLog,
  damagedLog,
  damagedDatabase,
  emptyDirectory,
  fullDisk,
  failedWrite,
];
