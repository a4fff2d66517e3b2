import { describe, expect, it } from 'vitest';
import type { Hash, LogId, PhaseId, ProjectId } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { STATE_KEYS } from '../../../src/core/codec/state.ts';
import { decodeTransaction } from '../../../src/core/codec/transaction.ts';
import { executeBlock } from '../../../src/core/ledger/execute.ts';
import { readMemberScopes, readSystem } from '../../../src/core/ledger/read.ts';
import type { SnapshotChunk, SnapshotRequest } from '../../../src/core/snapshot/chunks.ts';
import { SnapshotFetch } from '../../../src/core/snapshot/fetch.ts';
import { ROLES } from '../../../src/core/types/operation.ts';
import type { Transaction } from '../../../src/core/types/transaction.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import type { SnapshotStage } from '../../../src/ports/chain-store.ts';
import type { KeyValueStore } from '../../../src/ports/kv.ts';
import { SYNC_LIMITS } from '../../../src/services/sync/limits.ts';
import { SnapshotServer } from '../../../src/services/sync/snapshot-server.ts';
import { KvChainStore } from '../../../src/store/kv-chain-store.ts';
import { KvServedSnapshots } from '../../../src/store/kv-served-snapshots.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import { createActor, hashOf } from '../../support/ledger-kit.ts';
import { ask, fetchOf, heldBy, serverAt, transfer } from '../../support/snapshot-kit.ts';
import { type MadeBlock, StoredChain } from '../../support/stored-chain.ts';

const { sha256 } = nodeSuite;
const HEIGHT = 90;
const project = hashOf('snapshot project') as ProjectId;
const phase = hashOf('snapshot phase') as PhaseId;
const carol = createActor('carol');

/** 100 blocks with members who come and go, records, refusals, and a log of some length. */
function storyChain(): StoredChain {
  const chain = new StoredChain({ replayWindowBlocks: 50 });
  const { actions, alice, bob } = chain;
  chain.next(actions.createProject(alice, project));
  chain.next(actions.register(alice, carol));
  chain.next(actions.addPhase(alice, project, phase, { alice: 15, bob: ROLES.contributor }));
  chain.next(actions.open(alice, phase));
  chain.next(actions.addParticipant(alice, phase, carol.id, 1));
  chain.next(actions.put(bob, phase, 'first'), actions.createProject(carol, project));
  chain.next(actions.removeParticipant(alice, phase, bob.id));
  while (chain.height < 60) chain.next();
  chain.next(...Array.from({ length: 70 }, (_, index) => actions.put(alice, phase, `record ${index}`)));
  chain.next(actions.rotate(carol, createActor('carol', 1)));
  while (chain.height < 100) chain.next();
  return chain;
}

const chain = storyChain();
const shared = await serverAt(chain, HEIGHT);
const systemLog = chain.ledger.logId('system');
const phaseLog = chain.ledger.logId('phase', phase);

async function receiver(upTo = 0, kv: KeyValueStore = new MemoryStore()) {
  const store = await chain.store(upTo, kv);
  return { store, stage: store.stage(), kv };
}

async function install(store: KvChainStore, stage: SnapshotStage, limits = {}) {
  const source = Object.keys(limits).length === 0 ? shared : await serverAt(chain, HEIGHT, limits);
  const fetch = fetchOf(chain, HEIGHT, store, stage);
  await stage.begin();
  const requests = await transfer(fetch, stage, source.server);
  expect(fetch.complete).toBe(true);
  const end = fetch.finish();
  if (isReject(end)) throw new Error(end.detail);
  await stage.install(end);
  return requests;
}

function transactionsOf({ transactions }: MadeBlock): Transaction[] {
  return transactions.map(bytes => {
    const transaction = decodeTransaction(sha256, bytes);
    if (isReject(transaction)) throw new Error(transaction.detail);
    return transaction;
  });
}

/** Executes the rest of the chain on the store: every header must come out the same. */
async function followOn(store: KvChainStore): Promise<void> {
  for (const made of chain.made.slice(store.head()!.block.header.height + 1)) {
    const head = store.head()!;
    const parent = { header: head.block.header, hash: head.hash };
    const { timeMs } = made.block.header;
    const result = executeBlock(nodeSuite, store.state, parent, {
      timeMs,
      transactions: transactionsOf(made),
    });
    if (isReject(result)) throw new Error(result.detail);
    expect(result.hash).toBe(made.hash);
    await store.commit({ ...made }, result.diff, made.transactions);
  }
}

/** What both stores must have in common at the snapshot's height. */
async function expectSame(store: KvChainStore): Promise<void> {
  const whole = await chain.store(HEIGHT);
  expect(store.head()).toEqual(whole.head());
  const logs = [systemLog, phaseLog, chain.ledger.logId('project', project)];
  for (const logId of logs) {
    const size = whole.logSize(logId);
    expect(store.logSize(logId)).toBe(size);
    expect(store.leafHashes(logId, 0, size)).toEqual(whole.leafHashes(logId, 0, size));
    expect(store.leaves(logId, 0, size, size)).toEqual(whole.leaves(logId, 0, size, size));
    expect(store.state.get(STATE_KEYS.log(logId))).toEqual(whole.state.get(STATE_KEYS.log(logId)));
  }
  for (const { transactionId } of whole.leaves(systemLog, 0, 99, 99)) {
    expect(store.transaction(transactionId)).toEqual(whole.transaction(transactionId));
  }
  for (const key of [
    STATE_KEYS.system,
    STATE_KEYS.chain,
    STATE_KEYS.phase(phase),
    STATE_KEYS.project(project),
  ]) {
    expect(store.state.get(key)).toEqual(whole.state.get(key));
  }
  const names = readSystem(whole.state).members.map(({ id }) => id);
  const sorted = (from: KvChainStore, id: (typeof names)[number]) =>
    readMemberScopes(from.state, id)
      .map(ref => `${ref.scope} ${ref.id}`)
      .sort();
  for (const id of names) expect(sorted(store, id)).toEqual(sorted(whole, id));
  for (const { block } of chain.made.slice(0, HEIGHT + 1)) {
    for (const { id } of block.entries) expect(store.state.seen(id)).toEqual(whole.state.seen(id));
  }
}

describe('state transfer', () => {
  it('[50] [54] gives a node with genesis only the state at the snapshot, and it goes on with blocks', async () => {
    const { store, stage, kv } = await receiver();
    await install(store, stage);
    await expectSame(store);
    expect(store.history).toMatchObject({ baseHeight: HEIGHT, blocksFrom: 40, bodiesFrom: HEIGHT + 1 });
    expect(store.block(39)).toBeNull();
    expect(store.block(0)).not.toBeNull();
    const reopened = await chain.store(0, kv);
    await expectSame(reopened);
    await followOn(reopened);
    expect(reopened.head()!.hash).toBe(chain.made.at(-1)!.hash);
  });

  it('takes many small answers as it takes a few large ones', async () => {
    const { store, stage } = await receiver();
    const requests = await install(store, stage, { answerBytesTarget: 300 });
    expect(requests.length).toBeGreaterThan(30);
    await expectSame(store);
  });

  it('fetches only what a node behind does not have', async () => {
    const { store, stage } = await receiver(70);
    const requests = await install(store, stage);
    await expectSame(store);
    const blocks = requests.filter(request => request.kind === 'blocks');
    expect(blocks).toEqual([{ kind: 'blocks', from: 71, to: HEIGHT + 1 }]);
    const segments = requests.flatMap(request => (request.kind === 'leaves' ? request.segments : []));
    expect(segments.map(segment => segment.logId)).not.toContain(phaseLog);
    await followOn(store);
  });

  it('[51] keeps the old state whole until the new one is in place, and the verified leaves over a crash', async () => {
    const source = await serverAt(chain, HEIGHT, { answerBytesTarget: 300 });
    const { store, stage, kv } = await receiver(10);
    await stage.begin();
    await transfer(
      fetchOf(chain, HEIGHT, store, stage),
      stage,
      source.server,
      () => stage.heldSize(phaseLog) > 20,
    );
    const again = await chain.store(10, kv);
    expect(again.head()!.hash).toBe(chain.made[10]!.hash);
    const second = again.stage();
    const left = second.heldSize(phaseLog);
    expect(left).toBeGreaterThan(again.logSize(phaseLog));
    // the chain may also go on by blocks in between
    await chain.fill(again, 65);
    await install(again, second);
    await expectSame(again);
    await followOn(again);
  });

  it('goes on by blocks over leaves that were staged in vain', async () => {
    const source = await serverAt(chain, HEIGHT, { answerBytesTarget: 300 });
    const { store, stage } = await receiver(10);
    await stage.begin();
    await transfer(
      fetchOf(chain, HEIGHT, store, stage),
      stage,
      source.server,
      () => stage.heldSize(phaseLog) > 20,
    );
    await followOn(store);
    const size = store.logSize(phaseLog);
    const whole = await chain.store();
    expect(store.leafHashes(phaseLog, 0, size)).toEqual(whole.leafHashes(phaseLog, 0, size));
  });

  it('[51] leaves the old database or the new one after a crash at any write', async () => {
    const source = shared;
    let installed = 0;
    for (let crashAt = 1; ; crashAt += 1) {
      const kv = new MemoryStore();
      await chain.store(5, kv);
      const dying = new DyingStore(kv, crashAt);
      const store = await chain.store(5, dying);
      const stage = store.stage();
      const attempt = async () => {
        await stage.begin();
        const fetch = fetchOf(chain, HEIGHT, store, stage);
        await transfer(fetch, stage, source.server);
        const end = fetch.finish();
        if (isReject(end)) throw new Error(end.detail);
        await stage.install(end);
      };
      const failure = await attempt().then(
        () => null,
        error => error,
      );
      if (failure !== null) expect(String(failure)).toContain('the process died');
      const after = await chain.store(0, kv);
      const { height } = after.head()!.block.header;
      expect([5, HEIGHT]).toContain(height);
      if (height === HEIGHT) {
        installed += 1;
        await expectSame(after);
      } else {
        expect(after.head()!.hash).toBe(chain.made[5]!.hash);
        expect(after.logSize(phaseLog)).toBe((await chain.store(5)).logSize(phaseLog));
      }
      const last = after.stage();
      if (height < HEIGHT) await install(after, last);
      if (failure === null) break;
    }
    expect(installed).toBeGreaterThan(1);
  });
});

class DyingStore implements KeyValueStore {
  private writes = 0;

  constructor(
    private readonly inner: MemoryStore,
    private readonly crashAt: number,
  ) {}

  open = () => this.inner.open();
  close = () => this.inner.close();
  get = (key: string) => this.inner.get(key);
  entries: KeyValueStore['entries'] = range => this.inner.entries(range);

  batch: KeyValueStore['batch'] = (operations, options) => {
    this.writes += 1;
    if (this.writes >= this.crashAt) return Promise.reject(new Error('the process died'));
    return this.inner.batch(operations, options);
  };
}

type Forge = (chunk: SnapshotChunk) => SnapshotChunk | null;
const change = <T>(list: readonly T[], index: number, with_: (item: T) => T): T[] =>
  list.map((item, at) => (at === index ? with_(item) : item));
const other = hashOf('forged') as Hash;

const FORGERIES: readonly (readonly [name: string, code: string, forge: Forge])[] = [
  [
    'a scope left out',
    'scope_withheld',
    chunk =>
      chunk.kind === 'scopes' ? { ...chunk, scopes: chunk.scopes.filter((_, index) => index !== 2) } : null,
  ],
  [
    'the last scopes left out',
    'scope_withheld',
    chunk => (chunk.kind === 'scopes' ? { ...chunk, scopes: chunk.scopes.slice(0, 3) } : null),
  ],
  [
    'the first scope left out',
    'scope_withheld',
    chunk => (chunk.kind === 'scopes' ? { ...chunk, scopes: chunk.scopes.slice(1) } : null),
  ],
  [
    'another state',
    'wrong_state',
    chunk =>
      chunk.kind === 'scopes'
        ? { ...chunk, scopes: change(chunk.scopes, 1, scope => ({ ...scope, state: scope.state.slice(1) })) }
        : null,
  ],
  [
    'another size of a log',
    'bad_map_proof',
    chunk =>
      chunk.kind === 'scopes'
        ? {
            ...chunk,
            scopes: change(chunk.scopes, 1, scope => ({ ...scope, entry: { ...scope.entry, size: 9 } })),
          }
        : null,
  ],
  [
    'an empty list of scopes',
    'empty_chunk',
    chunk => (chunk.kind === 'scopes' ? { ...chunk, scopes: [] } : null),
  ],
  [
    'another leaf',
    'wrong_root',
    chunk =>
      chunk.kind === 'leaves'
        ? {
            ...chunk,
            parts: change(chunk.parts, 0, part => ({
              ...part,
              leaves: change(part.leaves, 0, leaf => ({ ...leaf, outcome: 9 })),
            })),
          }
        : null,
  ],
  [
    'leaves of another log',
    'wrong_answer',
    chunk =>
      chunk.kind === 'leaves'
        ? { ...chunk, parts: change(chunk.parts, 0, part => ({ ...part, logId: other as LogId })) }
        : null,
  ],
  [
    'a system transaction left out',
    'wrong_answer',
    chunk =>
      chunk.kind === 'leaves' && chunk.parts.some(part => part.transactions.length > 0)
        ? {
            ...chunk,
            parts: chunk.parts.map(part => ({ ...part, transactions: part.transactions.slice(1) })),
          }
        : null,
  ],
  [
    'a system transaction with another signature',
    'bad_signature',
    chunk =>
      chunk.kind === 'leaves' && chunk.parts.some(part => part.transactions.length > 0)
        ? {
            ...chunk,
            parts: chunk.parts.map(part => ({ ...part, transactions: part.transactions.map(resigned) })),
          }
        : null,
  ],
  [
    'a block with another outcome',
    'wrong_entries',
    chunk =>
      chunk.kind === 'blocks'
        ? {
            ...chunk,
            blocks: change(chunk.blocks, 0, ({ block, certificate }) => ({
              certificate,
              block: { ...block, entries: block.entries.map(entry => ({ ...entry, outcome: 9 })) },
            })),
          }
        : null,
  ],
  [
    'a block with a short certificate',
    'short_certificate',
    chunk =>
      chunk.kind === 'blocks'
        ? {
            ...chunk,
            blocks: change(chunk.blocks, 0, ({ block, certificate }) => ({
              block,
              certificate: { ...certificate, signatures: certificate.signatures.slice(1) },
            })),
          }
        : null,
  ],
  [
    'blocks that begin elsewhere',
    'wrong_height',
    chunk => (chunk.kind === 'blocks' ? { ...chunk, blocks: chunk.blocks.slice(1) } : null),
  ],
];

/** The signature follows the body: its first byte is changed, low s kept. */
function resigned(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  const length = new DataView(copy.buffer).getUint32(0);
  copy[4 + length + 5]! ^= 1;
  return copy;
}

describe('a chunk is checked on arrival', () => {
  it.each(FORGERIES)('[52] %s: %s, and the right one is taken afterwards', async (_, code, forge) => {
    const source = shared;
    const { store, stage } = await receiver();
    const fetch = fetchOf(chain, HEIGHT, store, stage);
    let forged = 0;
    for (let request = fetch.next(); request !== null; request = fetch.next()) {
      const chunk = await ask(source.server, request);
      if (isReject(chunk)) throw new Error(chunk.detail);
      const wrong = forge(chunk);
      if (wrong !== null && forged === 0) {
        forged += 1;
        expect(fetch.accept(request, wrong)).toMatchObject({ reject: code, peer: 'penalise' });
      }
      await stage.put(accepted(fetch, request, chunk), []);
    }
    expect(forged).toBe(1);
    const end = fetch.finish();
    if (isReject(end)) throw new Error(end.detail);
    await stage.install(end);
    await expectSame(store);
  });

  it('takes a page of scopes from whoever is faster, and leaves what a slower source says about it unread', async () => {
    const { store, stage } = await receiver();
    const fetch = fetchOf(chain, HEIGHT, store, stage);
    const limits = { answerBytesTarget: 1 };
    const source = await serverAt(chain, HEIGHT, limits);
    const request = fetch.next(2)!;
    expect(fetch.next(1)).toBeNull();
    expect(fetch.next(2)).toEqual(request);
    expect(fetch.next(2)).toBeNull();
    const chunk = await ask(source.server, request);
    if (isReject(chunk) || chunk.kind !== 'scopes') throw new Error('no scopes');
    expect(chunk.last).toBe(false);
    expect(accepted(fetch, request, chunk).state.size).toBe(chunk.scopes.length);
    expect(fetch.isOvertaken(request)).toBe(true);
    const after = fetch.next(1)!;
    expect(after).not.toEqual(request);
    expect(accepted(fetch, request, { ...chunk, scopes: [] }).state.size).toBe(0);
    // one that comes late and reaches further saves the rest of the way
    const whole = await ask(shared.server, request);
    if (isReject(whole) || whole.kind !== 'scopes') throw new Error('no scopes');
    expect(accepted(fetch, request, whole).state.size).toBe(whole.scopes.length - chunk.scopes.length);
    expect(fetch.isOvertaken(after)).toBe(true);
    fetch.failed(after);
    await stage.begin();
    await transfer(fetch, stage, source.server);
    expect(fetch.complete).toBe(true);
  });

  it('asks again for what failed, and a snapshot that is gone is answered as such', async () => {
    const source = shared;
    const { store, stage } = await receiver();
    const fetch = fetchOf(chain, HEIGHT, store, stage);
    const request = fetch.next()!;
    expect(fetch.next()).toBeNull();
    fetch.failed(request);
    expect(fetch.next()).toEqual(request);
    expect(await source.server.answer({ kind: 'scopes', height: 89, after: null })).toMatchObject({
      reject: 'gone',
    });
  });
});

function accepted(fetch: ReturnType<typeof fetchOf>, request: SnapshotRequest, chunk: SnapshotChunk) {
  const writes = fetch.accept(request, chunk);
  if (isReject(writes)) throw new Error(`${writes.reject}: ${writes.detail}`);
  return writes;
}

describe('a replay window that has grown', () => {
  it('asks for no block from before the own first one: what was there has expired, and its set may not be known', async () => {
    const { store, stage } = await receiver();
    const { target } = fetchOf(chain, HEIGHT, store, stage);
    const sets = target.sets.map(({ set }) => ({ fromHeight: 60, set }));
    const held = { ...heldBy(store, stage), blocksFrom: 61 };
    const fetch = new SnapshotFetch(nodeSuite, { ...target, sets }, held);
    await stage.begin();
    const requests = await transfer(fetch, stage, shared.server);
    expect(requests).toContainEqual({ kind: 'blocks', from: 61, to: HEIGHT + 1 });
    const end = fetch.finish();
    expect(end).toMatchObject({ blocksFrom: 61 });
  });

  it('takes no snapshot before the own blocks fill it', async () => {
    const { store, stage, kv } = await receiver();
    await install(store, stage);
    const heights = async (window: number) => {
      const grown = new KvChainStore(kv, { replayWindowBlocks: () => window });
      const served = new KvServedSnapshots(kv, grown, sha256, () => {});
      await served.open();
      served.take();
      await served.idle();
      return served.heights();
    };
    expect(await heights(51)).toEqual([]);
    expect(await heights(50)).toEqual([HEIGHT]);
  });
});

describe('served snapshots', () => {
  it('[54] takes one at the start where blocks are gone and none is left', async () => {
    const kv = new MemoryStore();
    const store = await chain.store(chain.height, kv);
    const open = async () => {
      const served = new KvServedSnapshots(kv, store, sha256, () => {});
      await served.open();
      await served.idle();
      return served.heights();
    };
    expect(await open()).toEqual([]);
    await store.prune(20, 100, () => false);
    expect(await open()).toEqual([100]);
  });

  it('takes one a period of its own clock while the node catches up, and none of a height that it had before', async () => {
    const kv = new MemoryStore();
    const store = await chain.store(1, kv);
    const served = new KvServedSnapshots(kv, store, sha256, () => {});
    await served.open();
    let nowMs = 0;
    const limits = { ...SYNC_LIMITS, snapshotPeriodMs: 1 };
    const clock = { monotonicMs: () => nowMs };
    const server = new SnapshotServer({ store, served, suite: nodeSuite, clock, limits });
    const commit = async (height: number, catchesUp: boolean) => {
      await chain.fill(store, height);
      server.onCommitted(height, catchesUp);
      await served.idle();
      return served.heights();
    };
    expect(await commit(2, true)).toEqual([]);
    nowMs = 1;
    expect(await commit(3, true)).toEqual([3]);
    expect(await commit(4, true)).toEqual([3]);
    expect(await commit(5, false)).toEqual([5, 3]);
    server.onCommitted(3, false);
    await served.idle();
    expect(served.heights()).toEqual([5, 3]);
  });

  it('keeps the two newest, also over a restart, and drops what a crash left half made', async () => {
    const kv = new MemoryStore();
    const { store, served } = await serverAt(chain, 10, {}, kv);
    served.take();
    await served.idle();
    expect(served.heights()).toEqual([100, 10]);
    await kv.batch([{ type: 'put', key: 'snapshot/0000000000000044/x/entry', value: new Uint8Array(1) }], {
      sync: true,
    });
    const again = new KvServedSnapshots(kv, store, sha256, () => {});
    await again.open();
    expect(again.heights()).toEqual([100, 10]);
    expect(kv.get('snapshot/0000000000000044/x/entry')).toBeNull();
    expect(await again.scopes(10, null, 1e6)).toMatchObject({ last: true });
  });
});
