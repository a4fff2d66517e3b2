import { describe, expect, it } from 'vitest';
import type { EngineParameters } from '../../../src/core/pbft/config.ts';
import { EngineNetwork } from './network.ts';

/** The defaults of a new genesis file, in milliseconds. */
const DEFAULTS: EngineParameters = {
  checkpointIntervalBlocks: 64,
  windowBlocks: 128,
  viewTimeoutMs: 600,
  viewTimeoutMsMax: 20_000,
  rotationBlocks: 0,
};

/** From the moment at which the shells noticed, until every running node has written another block. */
function resumesAfter(net: EngineNetwork, limitMs: number): number {
  const before = Math.max(...net.heights());
  return net.until(() => net.running.every(({ head }) => head.header.height > before), limitMs);
}

describe('fail-over', () => {
  it('[43] replaces a dead primary at once when f + 1 have lost it', () => {
    const net = new EngineNetwork(4, DEFAULTS);
    net.load();
    net.run(200);
    net.kill(0);
    net.run(50);
    net.lose(0);
    expect(resumesAfter(net, 100)).toBeLessThan(50);
    expect(net.running.map(({ view }) => view)).toEqual([1, 1, 1]);
  });

  it('[43] skips five dead primaries in a row at n = 16 in one go, without a timeout', () => {
    const net = new EngineNetwork(16, DEFAULTS);
    net.load();
    net.run(100);
    net.kill(0, 1, 2, 3, 4);
    net.run(50);
    net.lose(0, 1, 2, 3, 4);
    expect(resumesAfter(net, 200)).toBeLessThan(60);
    expect(new Set(net.running.map(({ view }) => view))).toEqual(new Set([5]));
    const asked = net.sent.filter(({ message }) => message.content.kind === 'viewChange');
    expect(new Set(asked.map(({ message }) => message.signed.signer)).size).toBe(11);
  });

  it('[43] skips them one by one where they are noticed one by one', () => {
    const net = new EngineNetwork(16, DEFAULTS);
    net.load();
    net.run(100);
    net.kill(0, 1, 2, 3, 4);
    for (const last of [0, 1, 2, 3, 4]) {
      net.run(5);
      net.lose(...[0, 1, 2, 3, 4].slice(0, last + 1));
    }
    expect(resumesAfter(net, 300)).toBeLessThan(150);
  });

  it('[43] needs no notice at all: five dead primaries time out one after the other', () => {
    const net = new EngineNetwork(16, DEFAULTS);
    net.load();
    net.run(100);
    net.kill(0, 1, 2, 3, 4);
    net.run(100);
    const tookMs = resumesAfter(net, 60_000);
    // 600 ms for the first, then 1.2, 2.4, 4.8, 9.6 s for their NEW-VIEWs.
    expect(tookMs).toBeGreaterThan(15_000);
    expect(tookMs).toBeLessThan(20_000);
  });

  it('[43] the death of an idle primary costs the next write no timeout', () => {
    const net = new EngineNetwork(4, DEFAULTS);
    net.kill(0);
    net.run(1000);
    net.lose(0);
    net.run(1000);
    expect(net.running.map(({ view }) => view)).toEqual([0, 0, 0]);
    net.load();
    expect(resumesAfter(net, 100)).toBeLessThan(50);
  });

  it('one node that loses the primary alone moves nobody, itself included', () => {
    const net = new EngineNetwork(4, DEFAULTS);
    net.load();
    net.run(50);
    net.give(3, { type: 'unreachable', peerIds: ['peer-0'] });
    net.run(500);
    expect(net.running.map(({ view }) => view)).toEqual([0, 0, 0, 0]);
    expect(Math.min(...net.heights())).toBeGreaterThan(10);
  });

  it('one node that says everybody is lost makes nobody skip a view', () => {
    const net = new EngineNetwork(4, DEFAULTS);
    net.load();
    net.run(50);
    net.give(3, { type: 'unreachable', peerIds: ['peer-0', 'peer-1', 'peer-2'] });
    net.kill(0);
    net.run(50);
    net.give(2, { type: 'unreachable', peerIds: ['peer-0'] });
    resumesAfter(net, 100);
    expect(net.running.map(({ view }) => view)).toEqual([1, 1, 1]);
  });
});

describe('late nodes', () => {
  it('[45] however long a node is cut off, its view does not grow, and it votes again when it is back', () => {
    const net = new EngineNetwork(4, DEFAULTS);
    net.load();
    net.isolate(3);
    net.run(5000);
    expect(net.engine(3)).toMatchObject({ view: 0, active: true });
    net.heal();
    net.kill(2);
    const before = Math.max(...net.heights());
    net.until(() => net.running.every(({ head }) => head.header.height > before + 5), 2000);
  });

  it('[45] a node that was lured into a higher view alone follows by state transfer, and is joined when it is needed', () => {
    const net = new EngineNetwork(4, DEFAULTS);
    net.load();
    net.run(50);
    // Node 1 lies to node 3 alone, which has lost the primary.
    net.give(3, { type: 'message', message: net.consortium.viewChange(1, 1) });
    net.give(3, { type: 'unreachable', peerIds: ['peer-0'] });
    net.run(1000);
    expect(net.running.map(({ view }) => view)).toEqual([0, 0, 0, 1]);
    expect(net.heights()[3]).toBeGreaterThan(20);
    net.kill(1);
    const before = Math.max(...net.heights());
    net.until(() => net.running.every(({ head }) => head.header.height > before + 5), 10_000);
    expect(new Set(net.running.map(({ view }) => view)).size).toBe(1);
  });

  it('[46] nodes that are all in different views converge', () => {
    const net = new EngineNetwork(4, DEFAULTS);
    for (const [index, view] of [2, 5, 9, 14].entries()) {
      const others = [0, 1, 2, 3].filter(other => other !== index).slice(0, 2);
      for (const signer of others)
        net.give(index, { type: 'message', message: net.consortium.viewChange(signer, view) });
    }
    expect(net.running.map(({ view }) => view)).toEqual([2, 5, 9, 14]);
    net.load();
    net.until(() => Math.min(...net.heights()) > 5, 10_000);
    const view = net.engine(0).view;
    expect(net.running.filter(engine => engine.view === view && engine.active).length).toBeGreaterThan(2);
    // Now the one that is ahead is needed, and is reached: nobody waits for it to come back.
    net.kill(0);
    const before = Math.max(...net.heights());
    net.until(() => net.running.every(({ head }) => head.header.height > before + 5), 60_000);
    expect(new Set(net.running.map(engine => engine.view)).size).toBe(1);
  });

  it('a node that was cut off during a view change is told the NEW-VIEW', () => {
    const net = new EngineNetwork(4, DEFAULTS);
    net.load();
    net.run(50);
    net.isolate(3);
    net.lose(0);
    net.run(300);
    net.heal();
    for (const index of [0, 1, 2]) net.give(3, { type: 'connected', peerId: `peer-${index}` });
    net.until(() => net.engine(3).view === net.engine(1).view && net.engine(3).active, 1000);
    expect(net.engine(3).view).toBeGreaterThan(0);
  });

  it('an observer asks for the NEW-VIEW and follows the votes of that view', () => {
    const net = new EngineNetwork(5, DEFAULTS, [4]);
    net.load();
    net.run(50);
    net.isolate(4);
    net.lose(0);
    net.run(300);
    net.heal();
    net.until(() => net.engine(4).view === net.engine(1).view, 1000);
    expect(net.engine(4).view).toBeGreaterThan(0);
    const before = net.heights()[4]!;
    net.until(() => net.heights()[4]! > before + 10, 1000);
    expect(net.sent.some(({ from }) => from === 4)).toBe(false);
  });
});

describe('rotation', () => {
  const rotating = (rotationBlocks: number) => ({ ...DEFAULTS, rotationBlocks });

  it('hands over after so many blocks, without a timeout or a complaint, and all take turns', () => {
    const net = new EngineNetwork(4, rotating(10));
    net.load();
    const tookMs = net.until(() => Math.min(...net.heights()) >= 100, 10_000);
    expect(tookMs).toBeLessThan(100 * 25);
    expect(net.engine(0).view).toBeGreaterThanOrEqual(9);
    expect(net.sent.filter(({ message }) => message.content.kind === 'complaint')).toEqual([]);
    const proposers = net.sent.filter(({ message }) => message.content.kind === 'prePrepare');
    expect(new Set(proposers.map(({ from }) => from))).toEqual(new Set([0, 1, 2, 3]));
  });

  it('lets no primary go on: what it proposes above the last height of its view gets no vote', () => {
    const net = new EngineNetwork(4, rotating(2));
    net.load();
    net.until(() => Math.min(...net.heights()) >= 12, 10_000);
    for (const { message } of net.sent) {
      if (message.content.kind !== 'prepare') continue;
      expect(message.content.height).toBeLessThanOrEqual(2 * (message.content.view + 1));
    }
  });

  it('skips the turn of a dead validator without a timeout once it is noticed', () => {
    const net = new EngineNetwork(4, rotating(5));
    net.load();
    net.kill(1);
    net.lose(1);
    const tookMs = net.until(
      () => Math.min(...net.running.map(({ head }) => head.header.height)) >= 60,
      10_000,
    );
    expect(tookMs).toBeLessThan(60 * 30);
    expect(net.sent.filter(({ from, message }) => from === 1 && message.content.kind === 'newView')).toEqual(
      [],
    );
  });

  it('goes on after everybody restarts at the end of a view', () => {
    const net = new EngineNetwork(4, rotating(4));
    net.load();
    net.until(() => Math.max(...net.heights()) >= 4, 1000);
    net.kill(0, 1, 2, 3);
    for (const index of [0, 1, 2, 3]) net.start(index);
    net.until(() => Math.min(...net.heights()) >= 12, 10_000);
  });

  it('is off at 0, and for a single validator', () => {
    const net = new EngineNetwork(4, rotating(0));
    net.load();
    net.until(() => Math.min(...net.heights()) >= 40, 10_000);
    expect(net.engine(0).view).toBe(0);
    const alone = new EngineNetwork(1, rotating(1));
    alone.load();
    alone.until(() => alone.heights()[0]! >= 10, 10_000);
    expect(alone.engine(0).view).toBe(0);
  });
});
