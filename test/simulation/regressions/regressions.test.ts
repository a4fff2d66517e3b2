import { describe, expect, it } from 'vitest';
import { keyReplacedMeanwhile, killedBeforeTheFlush } from './scenes.ts';

describe('what random runs found once', () => {
  it('[10] acts on no record of its log that the power could still take away', async () => {
    const { checker } = await killedBeforeTheFlush();
    expect(checker.chain.height).toBeGreaterThan(0);
  });

  it('[4] waits for no transaction whose key was replaced meanwhile', async () => {
    const { nodes, checker } = await keyReplacedMeanwhile();
    expect(checker.chain.height).toBe(1);
    expect(nodes.map(node => node.program?.pool.size)).toEqual([0, 0, 0, 0]);
    expect(nodes.map(node => node.engine?.view)).toEqual([0, 0, 0, 0]);
  });
});
