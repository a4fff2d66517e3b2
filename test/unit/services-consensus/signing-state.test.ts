import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createConsensusApi } from '../../../src/roles/consensus-api.ts';
import { FileWal } from '../../../src/store/file-wal.ts';
import { FileFirstStart } from '../../../src/store/first-start.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import { testSigner } from '../../support/ledger-kit.ts';
import { Cluster } from './cluster.ts';

const LAST = 3;
let root: string;
let net: Cluster;

const place = (index: number) => join(root, `${index}`);
const walOf = (directory: string) => join(directory, 'consensus.wal');

/** The node's disks and mark, opened anew. */
function attach(index: number, directory = place(index)): void {
  net.disks[index] = {
    kv: new LevelStore(join(directory, 'state')),
    wal: new FileWal(walOf(directory)),
  };
  net.firstStarts[index] = new FileFirstStart(join(root, `first-start-${index}`));
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'phaseline-signing-'));
  net = new Cluster();
  for (const index of [0, 1, 2, LAST]) {
    attach(index);
    await new FileFirstStart(join(root, `first-start-${index}`)).mark(
      testSigner(`validator v${index + 1}`).publicKey,
    );
  }
});

afterEach(async () => {
  await net.stop();
  await rm(root, { recursive: true, force: true });
});

async function commitBlocks(count: number, nodes = net.running): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const { id, bytes } = net.transaction();
    await net.node(0).pool.submit(bytes);
    await net.committed([id], nodes);
  }
}

async function restart(directory = place(LAST)): Promise<void> {
  attach(LAST, directory);
  await net.start(LAST);
}

/** The last node follows the chain, says why it does not vote, and signs nothing. */
async function expectObserver(reason: RegExp): Promise<void> {
  const { consensus, transport } = net.node(LAST);
  await commitBlocks(3);
  expect(net.chain(LAST)).toEqual(net.chain(0));
  expect(consensus.status()).toMatchObject({ seat: null, observes: expect.stringMatching(reason) });
  expect(consensus.counters.messagesOut).toBe(0);
  const { notReady } = createConsensusApi(net.node(LAST), 'test').status();
  expect(notReady.join()).toMatch(/observes and does not vote.*new consensus key/);
  const signers = net
    .node(0)
    .store.head()!
    .certificate!.signatures.map(({ signer }) => net.genesis.validators[signer]!.peerId);
  expect(signers).not.toContain(transport.peerId);
}

describe('a validator that lost its signing state', () => {
  it('[14] votes on after a restart with everything in place', async () => {
    await net.start();
    await commitBlocks(2);
    await net.stop(LAST);
    await restart();
    await net.stop(0);
    const { id, bytes } = net.transaction();
    await net.node(1).pool.submit(bytes);
    await net.committed([id]);
    expect(net.node(LAST).consensus.status()).toMatchObject({ seat: LAST, observes: null });
  });

  it('[16] observes when its log was wiped, and after every later start', async () => {
    await net.start();
    await commitBlocks(2);
    await net.stop(LAST);
    await rm(walOf(place(LAST)));
    await restart();
    await expectObserver(/log is missing/);
    await net.stop(LAST);
    await restart();
    await expectObserver(/log is missing/);
  });

  it('[16] observes when its log is that of another node', async () => {
    await net.start();
    await commitBlocks(2);
    await net.stop(2, LAST);
    await cp(walOf(place(2)), walOf(place(LAST)));
    await rm(walOf(place(2)));
    attach(2);
    await net.start(2);
    await net.stop(2);
    await restart();
    await cp(walOf(place(LAST)), walOf(place(2)));
    attach(2);
    await net.start(2);
    await expectObserver(/belongs to another database/);
  });

  it('[16] observes when the whole database was wiped', async () => {
    await net.start();
    await commitBlocks(2);
    await net.stop(LAST);
    await rm(place(LAST), { recursive: true });
    await restart();
    await net.sameHead();
    await expectObserver(/may have voted before/);
  });

  it('[16] observes when the database was wiped and the log was kept', async () => {
    await net.start();
    await commitBlocks(2);
    await net.stop(LAST);
    await rm(join(place(LAST), 'state'), { recursive: true });
    await restart();
    await net.sameHead();
    await expectObserver(/may have voted before/);
  });

  it('[16] observes with keys that were copied into a new directory, though the chain is at its start', async () => {
    await net.start(LAST);
    await net.stop(LAST);
    await restart(join(root, 'copy'));
    await net.start(0, 1, 2);
    await expectObserver(/may have voted before/);
  });

  it('[16] stops when an old copy of its directory meets its own signatures, and observes from then on', async () => {
    await net.start();
    await commitBlocks(2);
    await net.stop(LAST);
    await cp(place(LAST), join(root, 'backup'), { recursive: true });
    await restart();
    await net.stop(0);
    const { id, bytes } = net.transaction();
    await net.node(1).pool.submit(bytes);
    await net.committed([id]);
    await net.stop(LAST);
    await net.start(0);
    await net.committed([id]);
    attach(LAST, join(root, 'backup'));
    await net.start(LAST);
    await net.until(() => net.fatal.length > 0);
    expect(net.fatal).toMatchObject([{ code: 'signing_state_lost' }]);
    await net.stop(LAST);
    await restart(join(root, 'backup'));
    await net.sameHead();
    await expectObserver(/signed what its log does not hold/);
  });

  it('[16] votes when it starts late for the first time: its key never signed', async () => {
    await net.start(0, 1, 2);
    await commitBlocks(3);
    await net.start(LAST);
    await net.sameHead();
    await net.stop(0);
    const { id, bytes } = net.transaction();
    await net.node(1).pool.submit(bytes);
    await net.committed([id]);
    expect(net.node(LAST).consensus.status().observes).toBeNull();
  });
});

describe('the mark of a first start', () => {
  it('[16] is for one key, and is gone before that key signs', async () => {
    const path = join(root, 'first-start-3');
    const key = testSigner('validator v4').publicKey;
    const mark = new FileFirstStart(path);
    expect(await mark.isMarked(testSigner('validator v1').publicKey)).toBe(false);
    expect(await mark.isMarked(key)).toBe(true);
    await net.start(LAST);
    expect(await mark.isMarked(key)).toBe(false);
    await expect(readFile(path)).rejects.toMatchObject({ code: 'ENOENT' });
    await mark.consume(key);
  });

  it('[10][16] a crash between the steps of the first start leaves a node that may vote', async () => {
    const disk = net.disks[LAST]!;
    await disk.wal.open();
    await disk.wal.create();
    await disk.wal.close();
    await net.start();
    await commitBlocks(1);
    expect(net.node(LAST).consensus.status()).toMatchObject({ seat: LAST, observes: null });
    await net.stop(LAST);
    await new FileFirstStart(join(root, 'first-start-3')).mark(testSigner('validator v4').publicKey);
    await restart();
    expect(net.node(LAST).consensus.status()).toMatchObject({ seat: LAST, observes: null });
  });
});
