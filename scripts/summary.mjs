// summary.mjs FILE STATUS [FILE STATUS…]: sums result files of vitest's JSON reporter, each with the exit status of what wrote
// it, into one line, the last of .ci/run. A suite that could not be loaded counts as a failure, and so does a bad status that
// no failed test explains: lint, types, a build, an unhandled error. `-` for FILE is a suite without one: it counts as one.
import { existsSync, readFileSync } from 'node:fs';

function counts(path) {
  const results = JSON.parse(readFileSync(path, 'utf8'));
  const unloaded = results.testResults.filter(
    suite => suite.status === 'failed' && suite.assertionResults.every(test => test.status !== 'failed'),
  );
  return { passes: results.numPassedTests, failures: results.numFailedTests + unloaded.length };
}

let passed = 0;
let failed = 0;
for (let at = 2; at < process.argv.length; at += 2) {
  const [path, status] = process.argv.slice(at, at + 2);
  const alone = { passes: status === '0' ? 1 : 0, failures: 0 };
  const none = { passes: 0, failures: 0 };
  const { passes, failures } = path === '-' ? alone : existsSync(path) ? counts(path) : none;
  passed += passes;
  failed += failures === 0 && status !== '0' ? 1 : failures;
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
