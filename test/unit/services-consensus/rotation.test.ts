import { afterEach, describe, expect, it } from 'vitest';
import { Cluster } from './cluster.ts';

let cluster: Cluster | null = null;
afterEach(async () => {
  await cluster?.stop();
  cluster = null;
});

describe('rotation', () => {
  it('lets primaries take turns without a timeout, and keeps the NEW-VIEWs that it entered', async () => {
    const parameters = { rotationBlocks: 2, viewTimeoutMs: 60_000, viewTimeoutMsMax: 60_000 };
    cluster = new Cluster({ parameters });
    const net = cluster;
    await net.start();
    for (let count = 0; count < 9; count += 1) {
      const { id, bytes } = net.transaction();
      await net.node(count % 4).pool.submit(bytes);
      await net.committed([id]);
    }
    await net.sameHead();
    const views = Array.from({ length: 9 }, (_, at) => net.node(1).store.block(at + 1)!.certificate!.view);
    expect(views).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4]);
    expect(net.fatal).toEqual([]);
    const archived = net.node(2).views.list();
    expect(archived.map(({ kind }) => kind)).toEqual(['newView', 'newView', 'newView', 'newView']);
  });
});
