import { expect, it } from 'vitest';
import { headerHash } from '../../../src/core/codec/chain.ts';
import type { Block } from '../../../src/core/types/chain.ts';
import { Consortium, Driver, suite } from './kit.ts';

const consortium = new Consortium(4);
const hashOf = ({ header }: Block) => headerHash(suite.sha256, header);

it('[19][40] what stands on a block goes when another one is committed in its place, and is not executed any more', () => {
  const first = consortium.block(consortium.genesis, 'first');
  const second = consortium.block(first.header, 'second');
  const third = consortium.block(second.header, 'third');
  const committed = consortium.block(consortium.genesis, 'committed');
  const driver = new Driver(consortium.engine(1), false);
  driver.receive(...[first, second, third].map(block => consortium.proposal(block)));
  const answer = (block: Block) => {
    const asked = driver.all('execute').find(({ blockHash }) => blockHash === hashOf(block));
    if (asked === undefined) throw new Error('it was not asked for');
    driver.give({ type: 'executed', executionId: asked.executionId, verdict: null, nextSet: null });
  };
  answer(first);
  driver.receive(...[0, 2, 3].map(signer => consortium.vote(signer, 'commit', committed)));
  // the execution of the second was under way
  answer(second);
  const executed = driver.all('execute').map(({ blockHash }) => blockHash);
  expect(executed).toEqual([first, second].map(hashOf));
  const discarded = driver.all('discard').flatMap(({ blockHashes }) => blockHashes);
  expect(discarded.sort()).toEqual([first, second, third].map(hashOf).sort());
  expect(driver.all('halt')).toEqual([]);
});
