// The result of a file benchmark for people (a table, Markdown) and for programs (JSON).
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const MIB = 1024 * 1024;

export function environment() {
  const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
  let commit = null;
  try {
    const git = words => execFileSync('git', words, { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] });
    commit = git(['rev-parse', '--short=12', 'HEAD']).toString().trim();
  } catch {
    // an installed package has no history
  }
  let load = null;
  try {
    load = Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]);
  } catch {
    // only some systems say
  }
  return {
    commit,
    node: process.version,
    system: `${process.platform} ${release()} ${process.arch}`,
    processors: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    memoryMiB: Math.round(totalmem() / MIB),
    loadBefore: load,
  };
}

const rate = value => `${value.toFixed(0)} MB/s`;
const ratio = (value, ceiling) =>
  ceiling === undefined ? 'no ceiling measured' : `${((100 * value) / ceiling).toFixed(0)} %`;
const atLeast = (value, ceiling) => (ceiling === undefined ? null : value >= 0.6 * ceiling);
const verdict = ok => (ok === null ? '' : ok ? 'met' : 'missed');

/** What the processors of this machine could do at most if nothing ever waited: their time against what the work takes of it. */
function processorRow(what, times, ceiling) {
  const nodes = Object.entries(times);
  const total = nodes.reduce((sum, [, ms]) => sum + ms, 0);
  if (total === 0) return [];
  const most = (1000 * cpus().length) / total;
  const share = ceiling === undefined ? '' : ` (${ratio(most, ceiling)})`;
  const spent = nodes.map(([name, ms]) => `${name} ${ms.toFixed(1)}`).join(', ');
  const row = [`${what}: processor ms/MB`, `${spent}; so at most ${rate(most)}${share}`, '', null];
  return [row];
}

/** Rows: what was measured, its value, the bar, whether it is met. */
export function rows({ ceiling, ceilingProcessorMs, large, small, big, lost }) {
  const all = [];
  if (ceiling !== undefined)
    all.push(
      ['ceiling: SHA-256 + AES-256-GCM + one libp2p stream', rate(ceiling), '', null],
      ['its processor ms/MB, both ends', ceilingProcessorMs.toFixed(1), '', null],
    );
  if (large !== undefined) {
    const { put, getOne, getThree, processor } = large;
    all.push(
      [
        'put + replicated to 2 others',
        `${rate(put)} (${ratio(put, ceiling)})`,
        '≥ 60 % of the ceiling',
        atLeast(put, ceiling),
      ],
      ...processorRow('put', processor.put, ceiling),
      ['the same, bytes that reached the others', rate(2 * put), '', null],
      [
        'get from one holder',
        `${rate(getOne)} (${ratio(getOne, ceiling)})`,
        '≥ 60 % of the ceiling',
        atLeast(getOne, ceiling),
      ],
      ...processorRow('get from one', processor.getOne, ceiling),
      [
        'get from three holders',
        `${rate(getThree)} (${ratio(getThree, ceiling)})`,
        '≥ from one',
        getThree >= getOne,
      ],
    );
  }
  if (small !== undefined) {
    const { files, bytes, perSecond } = small;
    all.push([
      `${files} files of ${bytes} bytes, put + replicated`,
      `${perSecond.toFixed(0)} files/s`,
      '≥ 500 files/s',
      perSecond >= 500,
    ]);
  }
  if (big !== undefined) {
    const peak = Math.max(...Object.values(big.residentBytes));
    const nodes = Object.entries(big.residentBytes).map(
      ([name, bytes]) => `${name} ${Math.round(bytes / MIB)}`,
    );
    const known = nodes.length > 0;
    all.push(
      [`a file of ${(big.bytes / 1024 ** 3).toFixed(1)} GiB, put + replicated`, rate(big.rate), '', null],
      [
        'largest resident memory, MiB',
        known ? nodes.join(', ') : 'not shown here',
        '< 300 MiB a node',
        known ? peak < 300 * MIB : null,
      ],
    );
  }
  if (lost !== undefined) {
    const { files, seconds, before, during } = lost;
    const slower = (100 * (during.medianMs - before.medianMs)) / before.medianMs;
    all.push(
      [
        `a lost node with ${files} files whole again`,
        `${seconds.toFixed(1)} s (${(files / seconds).toFixed(0)} files/s)`,
        '',
        null,
      ],
      [
        'commit latency meanwhile, median (p95)',
        `${before.medianMs.toFixed(0)} (${before.p95Ms.toFixed(0)}) → ${during.medianMs.toFixed(0)} (${during.p95Ms.toFixed(0)}) ms, ${slower.toFixed(0)} %`,
        '≤ 20 % slower',
        slower <= 20,
      ],
    );
  }
  return all;
}

export function table(result) {
  const lines = rows(result).map(([what, value, bar, ok]) => [what, value, bar, verdict(ok)]);
  const widths = [0, 1, 2].map(column => Math.max(...lines.map(line => line[column].length)));
  return lines
    .map(line =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function markdown(result) {
  const { environment: on, parameters } = result;
  const lines = rows(result).map(
    ([what, value, bar, ok]) => `| ${what} | ${value} | ${bar} | ${verdict(ok)} |`,
  );
  return [
    '| measured | value | bar | |',
    '| --- | --- | --- | --- |',
    ...lines,
    '',
    `Commit ${on.commit ?? 'unknown'}, Node ${on.node}, ${on.system}, ${on.processors}, ${on.memoryMiB} MiB; load before ${on.loadBefore ?? 'unknown'}.`,
    `Parameters: ${Object.entries(parameters)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')}.`,
  ].join('\n');
}
