import { describe, expect, it } from 'vitest';
import { headerHash } from '../../../src/core/codec/chain.ts';
import { ENGINE_LIMITS } from '../../../src/core/pbft/config.ts';
import { chooseWindow } from '../../../src/core/pbft/new-view-window.ts';
import { newViewDigest } from '../../../src/core/pbft/signing.ts';
import { CHAIN_ID } from '../../support/toy-ledger.ts';
import { Consortium, Driver, PARAMETERS, suite } from './kit.ts';

const consortium = new Consortium(4);
const one = consortium.block(consortium.genesis, 'one');
const two = consortium.block(one.header, 'two');
const twoOther = consortium.block(one.header, 'other two');
const three = consortium.block(two.header, 'three');
const hashOf = (block: typeof one) => headerHash(suite.sha256, block.header);

function choose(...changes: Parameters<Consortium['viewChange']>[2][]) {
  const contents = changes.map((prepared, signer) => consortium.viewChange(signer, 9, prepared).content);
  const { base, blocks } = chooseWindow(suite.sha256, contents);
  return { base: base.header.height, hashes: blocks.map(({ hash }) => hash) };
}

describe('the window of a new view', () => {
  it.each([
    ['nothing prepared', choose([], [], []), []],
    ['one shows it', choose([], [consortium.prepared(one)], []), [one]],
    ['a chain from two', choose([consortium.prepared(two)], [consortium.prepared(one)]), [one, two]],
    [
      '[39] the highest view wins',
      choose([consortium.prepared(one), consortium.prepared(two, 3)], [consortium.prepared(twoOther, 5)]),
      [one, twoOther],
    ],
    ['[40] a hole cuts', choose([consortium.prepared(one), consortium.prepared(three)], []), [one]],
    [
      '[40] a parent mismatch cuts',
      choose([consortium.prepared(one), consortium.prepared(twoOther, 4), consortium.prepared(three, 1)]),
      [one, twoOther],
    ],
  ])('%s', (_name, chosen, blocks) => {
    expect(chosen).toEqual({ base: 0, hashes: blocks.map(hashOf) });
  });

  it('starts at the highest commit certificate shown', () => {
    const behind = consortium.viewChange(0, 9, [
      consortium.prepared(one),
      consortium.prepared(twoOther),
    ]).content;
    const ahead = consortium.viewChange(1, 9, [consortium.prepared(three)], consortium.head(two)).content;
    const { base, blocks } = chooseWindow(suite.sha256, [behind, ahead]);
    expect(base.header).toEqual(two.header);
    expect(blocks.map(({ hash }) => hash)).toEqual([hashOf(three)]);
  });
});

describe('view change', () => {
  const complaint = { kind: 'complaint', view: 0, height: 0, lasting: false, gone: [] } as const;

  it('[44] one complaint moves nobody, f + 1 do', () => {
    const driver = new Driver(consortium.engine(3));
    driver.receive(consortium.sign(1, complaint), consortium.sign(1, complaint));
    expect(driver.engine.view).toBe(0);
    driver.receive(consortium.sign(2, complaint));
    expect(driver.engine).toMatchObject({ view: 1, active: false });
    expect(driver.sent('viewChange')).toMatchObject([{ view: 1, prepared: [] }]);
  });

  it('supervises the primary while something waits, complains, and goes on voting', () => {
    const driver = new Driver(consortium.engine(3));
    driver.give({ type: 'pending', waiting: true });
    driver.fire('view');
    expect(driver.sent('complaint')).toHaveLength(1);
    driver.receive(consortium.proposal(one));
    expect(driver.sent('prepare')).toHaveLength(1);
  });

  it('[44] joins the view that f + 1 ask for; one alone, however high, is not followed', () => {
    const driver = new Driver(consortium.engine(3));
    driver.receive(consortium.viewChange(0, 1000));
    expect(driver.engine.view).toBe(0);
    driver.receive(consortium.viewChange(1, 6));
    expect(driver.engine.view).toBe(6);
  });

  it('counts who left for a higher view among those who complain of this one', () => {
    const driver = new Driver(consortium.engine(3));
    driver.receive(consortium.viewChange(1, 1));
    expect(driver.engine.view).toBe(0);
    driver.receive(consortium.sign(2, complaint));
    expect(driver.engine).toMatchObject({ view: 1, active: false });
  });

  it('[97] has a last view: nobody is taken above it, not even by f + 1', () => {
    const { viewMax } = ENGINE_LIMITS;
    expect(consortium.verifies(consortium.viewChange(0, viewMax))).toBe(true);
    expect(consortium.verifies(consortium.viewChange(0, viewMax + 1))).toBe(false);
    const driver = new Driver(consortium.engine(3));
    for (const signer of [0, 1]) driver.receive(consortium.viewChange(signer, viewMax));
    for (let again = 0; again < 3; again += 1) driver.fire('view');
    expect(driver.engine.view).toBe(viewMax);
  });

  it('[41] counts the same VIEW-CHANGE once', () => {
    const driver = new Driver(consortium.engine(1));
    for (let again = 0; again < 4; again += 1) driver.receive(consortium.viewChange(0, 1));
    expect(driver.engine.view).toBe(0);
    driver.receive(consortium.viewChange(2, 1));
    expect(driver.engine).toMatchObject({ view: 1, active: true });
    expect(driver.sent('newView')).toHaveLength(1);
  });

  it('shows prepared proofs of any view, and the view change is durable before it is sent', () => {
    const driver = new Driver(consortium.engine(3));
    driver.receive(
      consortium.proposal(one),
      consortium.vote(0, 'prepare', one),
      consortium.vote(1, 'prepare', one),
    );
    driver.autoPersist = false;
    driver.receive(consortium.sign(1, complaint), consortium.sign(2, complaint));
    expect(driver.sent('viewChange')).toHaveLength(0);
    driver.flush();
    expect(driver.sent('viewChange')[0]?.prepared.map(({ header }) => header)).toEqual([one.header]);
  });

  it('[38] proposes what may be committed again, byte for byte, and cuts the rest back to the pool', () => {
    const driver = new Driver(consortium.engine(1));
    driver.receive(consortium.proposal(one), consortium.proposal(two));
    driver.receive(consortium.vote(0, 'prepare', one), consortium.vote(2, 'prepare', one));
    driver.forget();
    driver.receive(consortium.viewChange(2, 1), consortium.viewChange(3, 1));
    expect(driver.sent('newView')[0]?.window).toEqual([hashOf(one)]);
    expect(driver.all('returnToPool')).toMatchObject([{ blocks: [two] }]);
    expect(driver.all('discard')).toMatchObject([{ blockHashes: [hashOf(two)] }]);
    expect(driver.sent('prepare')).toMatchObject([{ view: 1, height: 1, blockHash: hashOf(one) }]);
    expect(driver.all('execute')).toHaveLength(0);
  });

  function newViewOf(prepared: typeof one | null) {
    const changes = [0, 1, 2].map(signer =>
      consortium.viewChange(signer, 1, prepared === null ? [] : [consortium.prepared(prepared)]),
    );
    const window = prepared === null ? [] : [hashOf(prepared)];
    return consortium.sign(1, {
      kind: 'newView',
      view: 1,
      viewChanges: changes.map(({ signed }) => signed),
      window,
    });
  }

  it('[47] fetches a block that the NEW-VIEW names and this node lacks, then votes without the clock', () => {
    const driver = new Driver(consortium.engine(3));
    const message = newViewOf(one);
    expect(consortium.verifies(message)).toBe(true);
    driver.receive(message);
    expect(driver.all('fetchBlock')).toMatchObject([{ blockHash: hashOf(one) }]);
    driver.give({ type: 'fetched', block: one });
    expect(driver.all('execute')).toMatchObject([{ checkClock: false }]);
    const digest = newViewDigest(suite.sha256, CHAIN_ID, 0, message.content);
    expect(driver.sent('prepare')).toMatchObject([{ view: 1, newViewDigest: digest }]);
  });

  it('ignores votes of the view under another NEW-VIEW', () => {
    const driver = new Driver(consortium.engine(3));
    driver.receive(newViewOf(null));
    const digest = driver.engine.digest;
    driver.receive(consortium.proposal(one, 1, digest));
    for (const signer of [0, 1, 2]) driver.receive(consortium.vote(signer, 'prepare', one, 1));
    expect(driver.sent('commit')).toHaveLength(0);
    for (const signer of [0, 1]) driver.receive(consortium.vote(signer, 'prepare', one, 1, digest));
    expect(driver.sent('commit')).toHaveLength(1);
  });

  it('takes no proposal at or below what the NEW-VIEW covers', () => {
    const changes = [0, 1, 2].map(signer => consortium.viewChange(signer, 1, [], consortium.head(two)));
    const viewChanges = changes.map(({ signed }) => signed);
    const message = consortium.sign(1, { kind: 'newView', view: 1, viewChanges, window: [] });
    expect(consortium.verifies(message)).toBe(true);
    const driver = new Driver(consortium.engine(3));
    driver.receive(message);
    expect(driver.all('sync')).toHaveLength(1);
    driver.receive(consortium.proposal(one, 1, driver.engine.digest));
    expect(driver.sent('prepare')).toHaveLength(0);
  });

  it('[42] refuses a short, forged or wrongly computed NEW-VIEW', () => {
    const good = newViewOf(one);
    const { content } = good;
    const [first, second, third] = content.viewChanges;
    const variants = [
      { ...content, viewChanges: [first!, second!] },
      { ...content, viewChanges: [first!, second!, second!] },
      { ...content, viewChanges: [second!, first!, third!] },
      { ...content, viewChanges: [first!, second!, { ...third!, signature: first!.signature }] },
      { ...content, window: [] },
      { ...content, window: [hashOf(one), hashOf(two)] },
      { ...content, view: 5 },
    ];
    expect(consortium.verifies(good)).toBe(true);
    for (const variant of variants) expect(consortium.verifies(consortium.sign(1, variant))).toBe(false);
    expect(consortium.verifies(consortium.sign(2, content))).toBe(false);
  });

  it('[44] backs off by doubling up to the cap, and progress resets it', () => {
    const driver = new Driver(consortium.engine(3));
    const delay = () =>
      driver
        .all('setTimer')
        .filter(({ name }) => name === 'view')
        .at(-1)?.delayMs ?? 0;
    const delays = [1, 2, 4, 5].map(view => {
      for (const signer of [0, 1]) driver.receive(consortium.viewChange(signer, view));
      return delay();
    });
    expect(delays).toEqual([200, 400, 800, PARAMETERS.viewTimeoutMsMax]);
    const changes = [0, 1, 2].map(signer => consortium.viewChange(signer, 5));
    const viewChanges = changes.map(({ signed }) => signed);
    driver.receive(consortium.sign(1, { kind: 'newView', view: 5, viewChanges, window: [] }));
    const { digest } = driver.engine;
    driver.receive(consortium.proposal(one, 5, digest));
    for (const signer of [0, 1, 2]) driver.receive(consortium.vote(signer, 'commit', one, 5, digest));
    expect(driver.engine.head.header.height).toBe(1);
    driver.give({ type: 'pending', waiting: true });
    expect(delay()).toBe(PARAMETERS.viewTimeoutMs);
  });
});
