// summary.mjs NAME FILE STATUS [NAME FILE STATUS…]: sums result files of vitest's JSON reporter, each with the name and the
// exit status of the suite that wrote it, into one line, the last of .ci/run. A suite that could not be loaded counts as a
// failure, and so does a bad status that no failed test explains: lint, types, a build, an unhandled error. `-` for FILE is
// a suite without one: it counts as one. What failed is named before, for whoever has only the end of a long output.
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';

function counts(path) {
  const results = JSON.parse(readFileSync(path, 'utf8'));
  const failures = results.testResults.flatMap(({ name, status, assertionResults }) => {
    const tests = assertionResults.filter(test => test.status === 'failed');
    const file = relative('', name);
    if (tests.length > 0) return tests.map(test => `${file}: ${test.fullName}`);
    return status === 'failed' ? [`${file}: could not be loaded`] : [];
  });
  return { passes: results.numPassedTests, failures };
}

let passed = 0;
const failed = [];
for (let at = 2; at < process.argv.length; at += 3) {
  const [name, path, status] = process.argv.slice(at, at + 3);
  const bare = { passes: path === '-' && status === '0' ? 1 : 0, failures: [] };
  const { passes, failures } = path !== '-' && existsSync(path) ? counts(path) : bare;
  passed += passes;
  if (failures.length === 0 && status !== '0') failures.push(`${name} ended with status ${status}`);
  failed.push(...failures);
}
for (const name of failed) console.log(`failed: ${name}`);
console.log(`${passed} passed, ${failed.length} failed`);
process.exitCode = failed.length === 0 && passed > 0 ? 0 : 1;
