import { describe, expect, it } from 'vitest';
import { reject } from '../../../src/core/base/reject.ts';
import { headerHash } from '../../../src/core/codec/chain.ts';
import { Consortium, Driver, PARAMETERS, suite } from './kit.ts';

const consortium = new Consortium(4);
const one = consortium.block(consortium.genesis, 'one');
const two = consortium.block(one.header, 'two');
const three = consortium.block(two.header, 'three');

function replica(index = 3): Driver {
  return new Driver(consortium.engine(index));
}

describe('normal case', () => {
  it('sends PREPARE and COMMIT only after what they rest on is durable', () => {
    const driver = replica();
    driver.autoPersist = false;
    driver.receive(
      consortium.proposal(one),
      consortium.vote(0, 'prepare', one),
      consortium.vote(1, 'prepare', one),
    );
    expect(driver.sent('prepare')).toHaveLength(0);
    driver.flush();
    expect(driver.sent('prepare')).toHaveLength(1);
    expect(driver.sent('commit')).toHaveLength(1);
    const persisted = driver.all('persist');
    expect(persisted).toHaveLength(2);
    expect(persisted.map(({ records }) => records.length)).toEqual([2, 2]);
  });

  it('counts its own vote only when it is durable', () => {
    const driver = replica();
    driver.autoPersist = false;
    driver.receive(
      consortium.proposal(one),
      consortium.vote(1, 'prepare', one),
      consortium.vote(2, 'prepare', one),
    );
    expect(driver.engine.slots.get(1)?.preparedHere).toBe(false);
    driver.flush();
    expect(driver.engine.slots.get(1)?.preparedHere).toBe(true);
  });

  it('[5] decides the same when votes arrive before their proposal, in any order', () => {
    const messages = [
      consortium.proposal(one),
      consortium.vote(0, 'prepare', one),
      consortium.vote(1, 'prepare', one),
      consortium.vote(0, 'commit', one),
      consortium.vote(1, 'commit', one),
      consortium.vote(2, 'commit', one),
    ];
    for (let turn = 0; turn < messages.length; turn += 1) {
      const driver = replica();
      driver.receive(...messages.slice(turn), ...messages.slice(0, turn));
      expect(driver.engine.head.hash).toBe(headerHash(suite.sha256, one.header));
    }
  });

  it('[6] counts a repeated vote once', () => {
    const driver = replica();
    driver.receive(consortium.proposal(one));
    for (let again = 0; again < 5; again += 1) driver.receive(consortium.vote(1, 'prepare', one));
    expect(driver.sent('commit')).toHaveLength(0);
  });

  it('[29] keeps evidence of two votes for one slot and counts the first', () => {
    const driver = replica();
    const other = consortium.block(consortium.genesis, 'other');
    driver.receive(consortium.vote(1, 'commit', one), consortium.vote(1, 'commit', other));
    expect(driver.all('evidence')).toHaveLength(1);
    driver.receive(consortium.vote(1, 'commit', other));
    expect(driver.all('evidence')).toHaveLength(1);
    expect(driver.engine.slots.get(1)?.commits.get(1)?.content.blockHash).toBe(
      headerHash(suite.sha256, one.header),
    );
  });

  it('[19] complains of a primary that proposes twice, with evidence', () => {
    const driver = replica();
    driver.receive(
      consortium.proposal(one),
      consortium.proposal(consortium.block(consortium.genesis, 'twin')),
    );
    expect(driver.all('evidence')).toHaveLength(1);
    expect(driver.sent('complaint')).toMatchObject([{ lasting: true }]);
    expect(driver.sent('prepare')).toHaveLength(1);
  });

  it.each([
    ['height', { height: 3 }],
    ['parent', { parentHash: suite.sha256(new Uint8Array(1)) }],
    ['time', { timeMs: 0 }],
    ['set', { validatorSetHash: suite.sha256(new Uint8Array(2)) }],
    ['last set change', { previousSetChangeHeight: 1 }],
  ])('[20] does not vote for a proposal with a wrong %s', (name, change) => {
    const driver = replica();
    driver.receive(consortium.proposal({ ...one, header: { ...one.header, ...change } }));
    expect(driver.sent('prepare')).toHaveLength(0);
    expect(driver.sent('complaint')).toHaveLength(name === 'height' ? 0 : 1);
  });

  it('[20] complains of a proposal that does not execute, and lets a clock catch up', () => {
    const driver = replica();
    driver.autoExecute = false;
    driver.receive(consortium.proposal(one));
    const [first] = driver.all('execute');
    expect(first?.checkClock).toBe(true);
    const verdict = reject('time', 'ahead', 'ignore');
    driver.give({ type: 'executed', executionId: first?.executionId ?? 0, verdict, nextSet: null });
    expect(driver.sent('complaint')).toMatchObject([{ lasting: false }]);
    driver.fire('resend');
    expect(driver.all('execute')).toHaveLength(2);
  });

  it('pipelines: PREPARE of the next height needs its parent accepted, COMMIT its parent prepared', () => {
    const driver = replica();
    driver.receive(consortium.proposal(two));
    for (const signer of [0, 1, 2]) driver.receive(consortium.vote(signer, 'prepare', two));
    expect(driver.sent('prepare')).toHaveLength(0);
    driver.receive(consortium.proposal(one));
    expect(driver.sent('prepare').map(({ height }) => height)).toEqual([1, 2]);
    expect(driver.sent('commit')).toHaveLength(0);
    driver.receive(consortium.vote(0, 'prepare', one), consortium.vote(1, 'prepare', one));
    expect(driver.sent('commit').map(({ height }) => height)).toEqual([1, 2]);
  });

  it('commits in order of height even when certificates come the other way round', () => {
    const driver = replica();
    for (const block of [one, two]) driver.receive(consortium.proposal(block));
    for (const block of [two, one])
      for (const signer of [0, 1, 2]) driver.receive(consortium.vote(signer, 'commit', block));
    expect(driver.all('commit').map(({ block }) => block.header.height)).toEqual([1, 2]);
  });

  it('[23] follows a certificate whose proposal never came: fetches the block', () => {
    const driver = replica();
    for (const signer of [0, 1, 2]) driver.receive(consortium.vote(signer, 'commit', one));
    const blockHash = headerHash(suite.sha256, one.header);
    expect(driver.all('fetchBlock')).toMatchObject([{ blockHash, height: 1 }]);
    driver.give({ type: 'fetched', block: two });
    expect(driver.engine.head.header.height).toBe(0);
    driver.give({ type: 'fetched', block: one });
    expect(driver.engine.head.header.height).toBe(1);
    expect(driver.all('execute')[0]?.checkClock).toBe(false);
  });

  it('[12] halts loudly when execution contradicts a certificate', () => {
    const driver = replica();
    driver.autoExecute = false;
    driver.receive(consortium.proposal(one));
    for (const signer of [0, 1, 2]) driver.receive(consortium.vote(signer, 'commit', one));
    for (let again = 0; again < 2; again += 1) {
      const executionId = driver.all('execute').at(-1)?.executionId ?? 0;
      driver.give({ type: 'executed', executionId, verdict: reject('root', 'another root'), nextSet: null });
    }
    expect(driver.all('halt')).toMatchObject([{ height: 1 }]);
    driver.forget();
    driver.receive(consortium.proposal(two));
    expect(driver.effects).toHaveLength(0);
  });

  it('[27][70] buffers votes beyond the window within the share of their signer', () => {
    const driver = replica();
    for (let height = 100; height < 400; height += 1) {
      const block = { ...one, header: { ...one.header, height } };
      driver.receive(consortium.vote(1, 'commit', block));
    }
    expect(driver.engine.slots.size).toBe(0);
    expect(driver.engine.future.count).toBe(3 * PARAMETERS.windowBlocks);
  });
});

describe('proposing', () => {
  it('[4] sends nothing and sets no timer while nothing waits', () => {
    const driver = replica(0);
    expect(driver.effects.map(({ type }) => type)).toEqual(['send']);
    driver.give({ type: 'pending', waiting: false });
    expect(driver.effects).toHaveLength(1);
  });

  it('builds the next block as soon as its last is out, up to the high watermark', () => {
    const driver = replica(0);
    driver.give({ type: 'pending', waiting: true });
    let parent = consortium.genesis;
    for (let count = 0; count < 10; count += 1) {
      const build = driver.all('build').at(-1);
      if (build === undefined || build.height !== parent.height + 1) break;
      const block = consortium.block(parent, `block ${count}`);
      driver.give({ type: 'built', buildId: build.buildId, block, nextSet: null });
      parent = block.header;
    }
    expect(driver.all('build').map(({ height }) => height)).toEqual([1, 2, 3, 4]);
    expect(driver.sent('prePrepare').map(({ block }) => block.header.height)).toEqual([1, 2, 3, 4]);
    expect(driver.sent('prepare')).toHaveLength(4);
  });

  it('asks again only when the pool says so after it was empty', () => {
    const driver = replica(0);
    driver.give({ type: 'pending', waiting: true });
    driver.give({ type: 'buildEmpty', buildId: driver.all('build')[0]?.buildId ?? 0 });
    expect(driver.all('build')).toHaveLength(1);
    driver.give({ type: 'pending', waiting: true });
    expect(driver.all('build')).toHaveLength(2);
  });

  it('drains the pipeline at a block that changes the set, and opens the next set with view 0', () => {
    const [, ...rest] = consortium.set.validators;
    const change = consortium.block(consortium.genesis, 'change', rest);
    const driver = replica(0);
    driver.give({ type: 'pending', waiting: true });
    const nextSet = { id: 1, validators: rest };
    driver.give({ type: 'built', buildId: driver.all('build')[0]?.buildId ?? 0, block: change, nextSet });
    expect(driver.all('build')).toHaveLength(1);
    for (const signer of [1, 2]) driver.receive(consortium.vote(signer, 'prepare', change));
    for (const signer of [1, 2]) driver.receive(consortium.vote(signer, 'commit', change));
    expect(driver.engine.reign).toMatchObject({ set: nextSet, startHeight: 1 });
    expect(driver.engine).toMatchObject({ view: 0, active: true, stableHeight: 1 });
    expect(driver.all('trim').at(-1)?.records).toHaveLength(0);
  });
});

describe('checkpoints', () => {
  it('[48][49] a quorum makes one stable, whatever f others say, and the log holds what is still needed', () => {
    const driver = replica();
    for (const block of [one, two, three]) {
      driver.receive(consortium.proposal(block));
      if (block === three) break;
      for (const signer of [0, 1]) driver.receive(consortium.vote(signer, 'prepare', block));
      for (const signer of [0, 1]) driver.receive(consortium.vote(signer, 'commit', block));
    }
    expect(driver.sent('checkpoint').map(({ height }) => height)).toEqual([2]);
    const before = driver.log.length;
    const blockHash = headerHash(suite.sha256, two.header);
    const wrong = { kind: 'checkpoint', height: 2, blockHash: suite.sha256(new Uint8Array(3)) } as const;
    driver.receive(consortium.sign(0, wrong));
    driver.receive(consortium.sign(1, { kind: 'checkpoint', height: 2, blockHash }));
    expect(driver.engine.stableHeight).toBe(0);
    driver.receive(consortium.sign(2, { kind: 'checkpoint', height: 2, blockHash }));
    expect(driver.engine.stableHeight).toBe(2);
    expect(driver.log.length).toBeLessThan(before);
    expect(driver.log).toHaveLength(3);
  });

  it('keeps its own, however often a peer asks for one of the head', () => {
    const parameters = { ...PARAMETERS, checkpointIntervalBlocks: 8, windowBlocks: 32 };
    const driver = new Driver(consortium.engine(3, [], parameters));
    const lost = consortium.sign(2, {
      ...{ kind: 'status', view: 0, active: true, head: consortium.head(null) },
      ...{ acceptedHeight: 0, stableHeight: 0, reply: true },
    } as const);
    let parent = consortium.genesis;
    let eighth = parent;
    for (let height = 1; height <= 14; height += 1) {
      const block = consortium.block(parent, `${height}`);
      driver.receive(consortium.proposal(block));
      for (const kind of ['prepare', 'commit'] as const)
        for (const signer of [0, 1]) driver.receive(consortium.vote(signer, kind, block));
      parent = block.header;
      if (height === 8) eighth = parent;
      // the interval is over: who asks is told a checkpoint of each head
      driver.receive(lost);
    }
    const checkpoint = {
      kind: 'checkpoint',
      height: 8,
      blockHash: headerHash(suite.sha256, eighth),
    } as const;
    for (const signer of [0, 1]) driver.receive(consortium.sign(signer, checkpoint));
    expect(driver.engine.stableHeight).toBe(8);
  });
});
