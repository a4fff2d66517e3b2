import { randomFillSync } from 'node:crypto';
import type { RandomBytes } from '../ports/random.ts';

/** The operating system's generator. */
export const systemRandom: RandomBytes = length => randomFillSync(new Uint8Array(length));
