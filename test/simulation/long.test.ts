import { expect, it } from 'vitest';
import { grown } from './long.ts';

const WARM = { heapBytes: 1000, logBytes: 200, slots: 4 };
const BOUNDS = { heapBytes: 1.25, logBytes: 2, slots: 1 };

it('tells each figure of a long run that is above its bound, and what it was after the warm-up', () => {
  expect(grown(WARM, WARM, BOUNDS)).toBeNull();
  expect(grown(WARM, { heapBytes: 1250, logBytes: 400, slots: 4 }, BOUNDS)).toBeNull();
  expect(grown(WARM, { ...WARM, heapBytes: 1251 }, BOUNDS)).toBe(
    '1251 bytes of heap, more than 1250 (1000 after the warm-up)',
  );
  expect(grown(WARM, { heapBytes: 0, logBytes: 401, slots: 5 }, BOUNDS)).toBe(
    '401 bytes of log, more than 400 (200 after the warm-up); 5 slots, more than 4 (4 after the warm-up)',
  );
});
