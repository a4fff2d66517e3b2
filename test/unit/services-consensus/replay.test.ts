import { afterEach, describe, expect, it } from 'vitest';
import { assert } from '../../../src/core/base/assert.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { decodeSystemState, encodeSystemState, STATE_KEYS } from '../../../src/core/codec/state.ts';
import type { KvOperation } from '../../../src/ports/kv.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import { MemoryWal } from '../../../src/store/memory-wal.ts';
import { Cluster } from './cluster.ts';

/** A disk that takes no more blocks from some height on. */
class FullStore extends MemoryStore {
  refuses: string | null = null;

  override async batch(
    operations: readonly KvOperation[],
    options: { readonly sync: boolean },
  ): Promise<void> {
    const { refuses } = this;
    if (refuses !== null && operations.some(({ key }) => key.endsWith(refuses)))
      throw new Error('no space left');
    await super.batch(operations, options);
  }
}

/** A bit of the state that no block changed: every later block that changes the system scope has another root. */
async function damage(kv: MemoryStore): Promise<void> {
  await kv.open();
  for await (const [key, value] of kv.entries({ from: 'state/', to: 'state/~' })) {
    if (!key.endsWith(`/${STATE_KEYS.system}`)) continue;
    const state = decodeSystemState(value);
    assert(!isReject(state), 'the state can be read');
    const members = state.members.map(member => ({ ...member, name: `${member.name}?` }));
    await kv.batch([{ type: 'put', key, value: encodeSystemState({ ...state, members }) }], { sync: true });
  }
  await kv.close();
}

let cluster: Cluster | null = null;
afterEach(async () => {
  await cluster?.stop();
  cluster = null;
});

async function startWith(kv: MemoryStore): Promise<Cluster> {
  cluster = new Cluster({
    disk: index => ({ kv: index === 3 ? kv : new MemoryStore(), wal: new MemoryWal() }),
  });
  await cluster.start();
  const { id, bytes } = cluster.transaction();
  await cluster.node(0).pool.submit(bytes);
  await cluster.committed([id]);
  return cluster;
}

/** A transaction that changes the system scope. */
function revocation(net: Cluster) {
  const scopes = [net.ledger.logId('system')];
  const contents = [{ member: net.bob.id, reason: 'left' }] as const;
  const { id } = net.ledger.make(net.alice, 'memberRevoke', scopes, contents, { lastValidHeight: 50_000 });
  return { id, bytes: net.ledger.wrappers.get(id)! };
}

describe('[12] another result on replay', () => {
  it('stops a node whose log leads to another root, names the height, and it votes no more', async () => {
    const kv = new FullStore();
    const net = await startWith(kv);
    kv.refuses = 'block/0000000000000002';
    const { id, bytes } = revocation(net);
    await net.node(0).pool.submit(bytes);
    await net.committed([id], [net.node(0), net.node(1), net.node(2)]);
    await net.until(() => net.fatal.length > 0);
    await net.stop();
    net.fatal.length = 0;
    kv.refuses = null;
    await damage(kv);
    await net.start(3);
    await net.until(() => net.fatal.length > 0);
    expect(net.fatal).toMatchObject([
      { code: 'consensus_halted', message: expect.stringContaining('height 2'), hint: expect.any(String) },
    ]);
    expect(net.node(3).chain.headHeight()).toBe(1);
    const sent = net.node(3).consensus.counters.messagesOut;
    await net.start(0, 1, 2);
    const next = net.transaction();
    await net.node(0).pool.submit(next.bytes);
    await net.committed([next.id], [net.node(0), net.node(1), net.node(2)]);
    expect(net.node(3).consensus.counters.messagesOut).toBe(sent);
  });

  it('stops a node that gets another root from certified blocks, names the height, and writes nothing', async () => {
    const kv = new MemoryStore();
    const net = await startWith(kv);
    await net.stop(3);
    const { id, bytes } = revocation(net);
    await net.node(0).pool.submit(bytes);
    await net.committed([id]);
    await damage(kv);
    await net.start(3);
    await net.until(() => net.fatal.length > 0);
    expect(net.fatal).toMatchObject([
      { code: 'execution_differs', message: expect.stringContaining('height 2'), hint: expect.any(String) },
    ]);
    expect(net.node(3).chain.headHeight()).toBe(1);
  });
});
