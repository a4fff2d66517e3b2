import { describe, expect, it } from 'vitest';
import {
  faultsTolerated,
  honestWitnesses,
  primaryIndex,
  quorumSize,
} from '../../../src/core/quorum/quorum.ts';
import { Consortium, Driver } from './kit.ts';

const TABLE: readonly (readonly [n: number, f: number, quorum: number])[] = [
  [1, 0, 1],
  [2, 0, 2],
  [3, 0, 2],
  [4, 1, 3],
  [5, 1, 4],
  [6, 1, 4],
  [7, 2, 5],
  [8, 2, 6],
  [9, 2, 6],
  [10, 3, 7],
  [11, 3, 8],
  [12, 3, 8],
  [13, 4, 9],
  [14, 4, 10],
  [15, 4, 10],
  [16, 5, 11],
  [17, 5, 12],
  [18, 5, 12],
  [19, 6, 13],
  [20, 6, 14],
  [21, 6, 14],
  [22, 7, 15],
  [23, 7, 16],
  [24, 7, 16],
  [25, 8, 17],
  [26, 8, 18],
  [27, 8, 18],
  [28, 9, 19],
  [29, 9, 20],
  [30, 9, 20],
  [31, 10, 21],
];

describe('quorum', () => {
  it.each(TABLE)('[2] of %i validators: f = %i, quorum = %i', (n, f, quorum) => {
    expect(faultsTolerated(n)).toBe(f);
    expect(quorumSize(n)).toBe(quorum);
    expect(honestWitnesses(n)).toBe(f + 1);
  });

  it('any two quorums share an honest validator and the honest ones are enough for one, up to 128', () => {
    for (let n = 1; n <= 128; n += 1) {
      expect(2 * quorumSize(n) - n).toBeGreaterThanOrEqual(faultsTolerated(n) + 1);
      expect(n - faultsTolerated(n)).toBeGreaterThanOrEqual(quorumSize(n));
    }
  });

  it('primaries take turns', () => {
    expect([0, 1, 2, 3, 4, 5].map(view => primaryIndex(4, view))).toEqual([0, 1, 2, 3, 0, 1]);
  });

  it.each(TABLE.filter(([n]) => n > 1))(
    '[2] of %i: quorum − 1 votes do nothing, quorum decides',
    (n, _f, quorum) => {
      const consortium = new Consortium(n);
      const block = consortium.block(consortium.genesis, 'a');
      const driver = new Driver(consortium.engine(n - 1));
      driver.receive(consortium.proposal(block));
      for (let signer = 0; signer < quorum - 2; signer += 1)
        driver.receive(consortium.vote(signer, 'prepare', block));
      expect(driver.sent('commit')).toHaveLength(0);
      driver.receive(consortium.vote(quorum - 2, 'prepare', block));
      expect(driver.sent('commit')).toHaveLength(1);
      for (let signer = 0; signer < quorum - 2; signer += 1)
        driver.receive(consortium.vote(signer, 'commit', block));
      expect(driver.all('commit')).toHaveLength(0);
      driver.receive(consortium.vote(quorum - 2, 'commit', block));
      expect(driver.all('commit')).toHaveLength(1);
      expect(driver.engine.head.header.height).toBe(1);
    },
  );
});
