import { describe, expect, it } from 'vitest';
import { slowerThan } from '../../chaos/failover.ts';

const failover = (leader: string, firstMs: number) => ({ leaders: [leader], gapMs: firstMs, firstMs });

describe('measurement of a fail-over', () => {
  it('fails when any first write took longer than it may, and names the kill', () => {
    const found = [failover('node-1', 400), failover('node-2', 1_000), failover('node-3', 1_000.6)];
    expect(slowerThan(found, Number.POSITIVE_INFINITY)).toBeNull();
    expect(slowerThan(found.slice(0, 2), 1_000)).toBeNull();
    expect(slowerThan(found, 1_000)).toBe(
      'more than 1000 ms until the first acknowledged write: 1001 ms after kill 3 of node-3',
    );
    expect(slowerThan(found, 399)?.match(/after kill/g)).toHaveLength(3);
  });
});
