// Sums the result files of vitest's JSON reporter that are named as arguments into one line, the last of .ci/run.
// A suite that could not even be loaded, and a file that is not there, count as one failure each.
import { existsSync, readFileSync } from 'node:fs';

let passed = 0;
let failed = 0;
for (const path of process.argv.slice(2)) {
  if (!existsSync(path)) {
    failed += 1;
    continue;
  }
  const results = JSON.parse(readFileSync(path, 'utf8'));
  const unloaded = results.testResults.filter(
    suite => suite.status === 'failed' && suite.assertionResults.every(test => test.status !== 'failed'),
  );
  passed += results.numPassedTests;
  failed += results.numFailedTests + unloaded.length;
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
