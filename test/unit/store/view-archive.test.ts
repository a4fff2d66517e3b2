import { describe, expect, it } from 'vitest';
import type { SignedMessage } from '../../../src/core/pbft/messages.ts';
import { KvViewArchive } from '../../../src/store/kv-view-archive.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import { bytesOf } from '../../support/ledger-kit.ts';

function newView(view: number, bodyBytes = 10): SignedMessage {
  const signature = bytesOf(`signature of ${view}`, 64);
  return {
    kind: 'newView',
    validatorSetId: 0,
    signer: 1,
    body: new Uint8Array(bodyBytes).fill(view),
    signature,
  };
}

async function openStore(): Promise<MemoryStore> {
  const kv = new MemoryStore();
  await kv.open();
  return kv;
}

describe('[36] the archive of views', () => {
  it('keeps them in order, each once, and across a restart', async () => {
    const kv = await openStore();
    const archive = new KvViewArchive(kv);
    await Promise.all([archive.add(newView(1)), archive.add(newView(2)), archive.add(newView(1))]);
    await new KvViewArchive(kv).add(newView(2));
    expect(new KvViewArchive(kv).list()).toEqual([newView(1), newView(2)]);
  });

  it('drops the oldest beyond its number or its bytes, and always keeps the last', async () => {
    const kv = await openStore();
    const archive = new KvViewArchive(kv, { newViewsMax: 3, bytesMax: 2000 });
    for (const view of [1, 2, 3, 4]) await archive.add(newView(view));
    expect(archive.list()).toEqual([newView(2), newView(3), newView(4)]);
    await archive.add(newView(5, 1750));
    expect(archive.list()).toEqual([newView(4), newView(5, 1750)]);
    await archive.add(newView(6, 5000));
    expect(archive.list()).toEqual([newView(6, 5000)]);
    const left: string[] = [];
    for await (const [key] of kv.entries({ from: 'views/', to: 'views~' })) left.push(key);
    expect(left).toHaveLength(2);
  });

  it('says what is damaged', async () => {
    const kv = await openStore();
    const archive = new KvViewArchive(kv);
    await archive.add(newView(1));
    const key = 'views/0000000000000000';
    const value = kv.get(key)!.slice(0, -1);
    await kv.batch([{ type: 'put', key, value }], { sync: true });
    expect(() => archive.list()).toThrow(expect.objectContaining({ code: 'corrupt' }));
  });
});
