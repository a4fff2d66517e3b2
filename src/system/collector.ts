import { setFlagsFromString } from 'node:v8';

/** How far the heap may grow over what lives before all of it is marked again, in percent of that. */
const GROWTH_PERCENT = 300;

/**
 * For programs that move files. V8 counts the bytes of buffers as growth of the heap: a few megabytes of blocks that come and go
 * start another round of marking, which then costs more processor time than all hashing and encryption together.
 */
export function expectBuffers(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
  // Buffers that a thread sweeps count as alive until the next collection, and twice as many call for the thorough one.
  setFlagsFromString('--no-concurrent-array-buffer-sweeping');
}
