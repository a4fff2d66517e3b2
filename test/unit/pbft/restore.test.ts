import { describe, expect, it } from 'vitest';
import { isReject, reject } from '../../../src/core/base/reject.ts';
import { headerHash } from '../../../src/core/codec/chain.ts';
import { createEngine } from '../../../src/core/pbft/engine.ts';
import { encodeWalMessage } from '../../../src/core/pbft/wal-record.ts';
import { Consortium, Driver, suite } from './kit.ts';

const consortium = new Consortium(4);
const one = consortium.block(consortium.genesis, 'one');
const twin = consortium.block(consortium.genesis, 'twin');
const two = consortium.block(one.header, 'two');
const complaint = { kind: 'complaint', view: 0, height: 0, lasting: false, gone: [] } as const;

/** A replica that prepared height 1 and accepted height 2. */
function busy(): Driver {
  const driver = new Driver(consortium.engine(3));
  driver.receive(consortium.proposal(one), consortium.proposal(two));
  driver.receive(consortium.vote(0, 'prepare', one), consortium.vote(1, 'prepare', one));
  return driver;
}

describe('restart from the log', () => {
  it('[8] sends the same bytes again', () => {
    const before = busy();
    const after = new Driver(consortium.engine(3, before.log));
    for (const kind of ['prepare', 'commit'] as const)
      expect(after.sentSigned(kind)).toEqual(before.sentSigned(kind));
  });

  it('[9] a proposer proposes the same block again, whatever its pool holds now', () => {
    const before = new Driver(consortium.engine(0));
    before.give({ type: 'pending', waiting: true });
    before.give({ type: 'built', buildId: before.all('build')[0]?.buildId ?? 0, block: one, nextSet: null });
    const after = new Driver(consortium.engine(0, before.log));
    expect(after.sentSigned('prePrepare')).toEqual(before.sentSigned('prePrepare'));
    after.give({ type: 'pending', waiting: true });
    expect(after.all('build')).toMatchObject([
      { height: 2, parentHash: headerHash(suite.sha256, one.header) },
    ]);
  });

  it('[10] replays a log that was cut after any record, and never votes for another block', () => {
    const { log } = busy();
    for (let length = 0; length <= log.length; length += 1) {
      const records = log.slice(0, length);
      const after = new Driver(consortium.engine(3, records));
      after.receive(consortium.proposal(twin));
      const votes = after.sent('prepare').filter(({ height }) => height === 1);
      const expected = headerHash(suite.sha256, (length >= 1 ? one : twin).header);
      expect(votes.length).toBeGreaterThan(0);
      for (const { blockHash } of votes) expect(blockHash).toBe(expected);
    }
  });

  it('[15] keeps the higher view, and its VIEW-CHANGE', () => {
    const before = busy();
    before.receive(consortium.sign(1, complaint), consortium.sign(2, complaint));
    const after = new Driver(consortium.engine(3, before.log));
    expect(after.engine).toMatchObject({ view: 1, active: false });
    expect(after.sentSigned('viewChange')[0]).toEqual(before.sentSigned('viewChange')[0]);
    after.receive(consortium.proposal(twin));
    expect(after.sent('prepare')).toHaveLength(0);
  });

  it('restores a view that was opened, with what it proposes again', () => {
    const before = busy();
    const changes = [0, 1, 2].map(signer => consortium.viewChange(signer, 1, [consortium.prepared(one)]));
    const window = [headerHash(suite.sha256, one.header)];
    const viewChanges = changes.map(({ signed }) => signed);
    before.receive(consortium.sign(1, { kind: 'newView', view: 1, viewChanges, window }));
    const after = new Driver(consortium.engine(3, before.log));
    expect(after.engine).toMatchObject({ view: 1, active: true, digest: before.engine.digest, viewTop: 1 });
    expect(after.sentSigned('prepare')).toEqual(before.sentSigned('prepare').slice(-1));
    expect(after.engine.slots.get(1)?.preparedProof?.certificate.view).toBe(0);
  });

  it('[12] halts when the replayed block gives another result', () => {
    const after = new Driver(consortium.engine(3, busy().log), false);
    const [execute] = after.all('execute');
    expect(execute).toMatchObject({ checkClock: false });
    const verdict = reject('root', 'another root');
    after.give({ type: 'executed', executionId: execute?.executionId ?? 0, verdict, nextSet: null });
    expect(after.all('halt')).toMatchObject([{ height: 1 }]);
  });

  it('refuses a log that it cannot read', () => {
    const { log } = busy();
    const config = { suite, chainId: consortium.reign.chainId, findSeat: () => null };
    expect(isReject(createEngine(config, consortium.start(), [...log, Uint8Array.of(9)]))).toBe(true);
    expect(isReject(createEngine(config, consortium.start(), [log[0]!.slice(0, -1)]))).toBe(true);
  });

  it('[16] a node without a seat observes: it follows and signs nothing', () => {
    const engine = consortium.engine(7);
    const driver = new Driver(engine);
    driver.receive(consortium.proposal(one));
    for (const signer of [0, 1, 2]) driver.receive(consortium.vote(signer, 'commit', one));
    expect(driver.engine.head.header.height).toBe(1);
    expect(driver.all('send')).toHaveLength(0);
    expect(driver.log).toHaveLength(0);
  });

  it('refuses a log whose NEW-VIEW stands on another block than the chain store', () => {
    const asked = [0, 1, 2].map(signer => consortium.viewChange(signer, 1, [], consortium.head(twin)).signed);
    const newView = consortium.sign(1, { kind: 'newView', view: 1, viewChanges: asked, window: [] });
    const { header, certificate } = consortium.head(one);
    const start = { ...consortium.start(), header, certificate, blockHash: headerHash(suite.sha256, header) };
    const config = { suite, chainId: consortium.genesis.chainId, findSeat: () => null };
    const engine = createEngine(config, start, [encodeWalMessage(newView.signed)]);
    expect(isReject(engine) && engine.reject).toBe('contradiction');
  });
});
