// How much a network of consensus nodes carries, how fast, and what that costs, against what this machine could do at most:
// n real processes, records encrypted end to end and signed, commit times seen at a node. `phaseline bench consensus` runs it.
// Needs a build. Usage: phaseline bench consensus --help; docs/performance.md explains the figures.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compare, readResult } from './consensus/compare.mjs';
import { readOptions, UsageError } from './consensus/options.mjs';
import { markdown, table } from './consensus/report.mjs';
import { BenchmarkFailure, runBenchmark } from './consensus/run.mjs';
import { curveSvg } from './consensus/svg.mjs';

const say = text => process.stderr.write(`${text}\n`);
const STOPPED = 130;

function write(path, text) {
  writeFileSync(path, text);
  say(`wrote ${path}`);
}

function report(result, { files }) {
  const against = files.compare === null ? null : compare(result, readResult(files.compare));
  const whole = against === null ? result : { ...result, comparison: against };
  if (files.json !== null) write(files.json, `${JSON.stringify(whole, null, 2)}\n`);
  if (files.markdown !== null) write(files.markdown, `${markdown(whole)}\n`);
  if (files.svg !== null) write(files.svg, curveSvg(result));
  console.log(process.env.PHASELINE_OUTPUT === 'json' ? JSON.stringify(whole) : table(whole));
}

async function main() {
  const options = readOptions(process.argv.slice(2));
  // read first: who waits minutes for a result wants to hear before that a file is wrong
  if (options.files.compare !== null) readResult(options.files.compare);
  const program = resolve(options.main ?? fileURLToPath(new URL('../dist/cli/main.js', import.meta.url)));
  const dir = options.dir === null ? mkdtempSync(join(tmpdir(), 'phaseline-bench-')) : resolve(options.dir);
  // the nodes run in other directories
  const profile = options.profile === null ? null : resolve(options.profile);
  const running = runBenchmark({ ...options, main: program, dir, profile, say });
  const stop = () => running.abort();
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    report(await running.result, options);
  } finally {
    if (options.dir === null) rmSync(dir, { recursive: true, force: true });
  }
}

try {
  await main();
  process.exit(0);
} catch (error) {
  if (error instanceof UsageError) say(`${error.message}\nSee: phaseline bench consensus --help`);
  else if (error instanceof BenchmarkFailure) say(error.message);
  else say(error.stack);
  process.exit(error instanceof UsageError ? 2 : error.stopped ? STOPPED : 1);
}
