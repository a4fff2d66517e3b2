import { afterAll } from 'vitest';

type Cleanup = () => unknown;

const cleanups: Cleanup[] = [];

/** Runs after the test file, whatever happened in it: the last thing set up is the first taken down. */
export function atEnd(cleanup: Cleanup): void {
  cleanups.push(cleanup);
}

// At the top of the file: vitest takes no hook from within a hook or a test, which is where networks are started.
afterAll(async () => {
  const failures: unknown[] = [];
  for (let cleanup = cleanups.pop(); cleanup !== undefined; cleanup = cleanups.pop()) {
    try {
      await cleanup();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'not everything was taken down');
});
