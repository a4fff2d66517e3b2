// What single parts cost on this machine, beside the ceilings of the same run: hashing, signing, codec, Merkle trees, execution,
// stores, a member's own work. `phaseline bench micro` runs it. Needs a build and the development packages (tinybench).
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measureCeilings } from './consensus/ceilings.mjs';
import { ceilingRows } from './consensus/report.mjs';
import { environment } from './files/report.mjs';
import { TOPICS } from './micro/cases.mjs';
import { loadParts, makeMaterial } from './micro/material.mjs';

const RECORDS = 512;
const TIME_MS = 400;
const WARM_UP_MS = 150;
const say = text => process.stderr.write(`${text}\n`);

function usage(text) {
  say(`${text}\nSee: phaseline bench micro --help`);
  process.exit(2);
}

function options() {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', default: Object.keys(TOPICS).join() },
        dir: { type: 'string' },
        json: { type: 'string' },
        main: { type: 'string', default: fileURLToPath(new URL('../dist/cli/main.js', import.meta.url)) },
      },
    });
    const topics = values.only.split(',');
    const unknown = topics.find(topic => TOPICS[topic] === undefined);
    if (unknown !== undefined) usage(`--only ${unknown}: of ${Object.keys(TOPICS).join(', ')}`);
    return { ...values, topics, main: resolve(values.main) };
  } catch (error) {
    return usage(error.message);
  }
}

async function loadTinybench() {
  try {
    return (await import('tinybench')).Bench;
  } catch {
    say('bench micro needs the development packages of a checkout: run npm install there');
    return process.exit(1);
  }
}

/** Operations a second of the ceiling that a case names. */
const CEILINGS = {
  verify: ceilings => ceilings.verify.perSecond,
  sign: ceilings => ceilings.sign.perSecond,
  sync: ceilings => ceilings.sync.perSecond,
  sha256: ceilings => ceilings.sha256.small.perSecond,
};

async function measure(Bench, topic, cases, ceilings) {
  const rows = [];
  for (const { name, run, items = 1, ceiling } of cases) {
    const bench = new Bench({ time: TIME_MS, warmupTime: WARM_UP_MS });
    bench.add(name, run);
    const [task] = await bench.run();
    if (task.result.error !== undefined) throw task.result.error;
    const { mean, p50, p99 } = task.result.latency;
    const perSecond = (items * 1000) / mean;
    rows.push({
      ...{ topic, name, perSecond },
      ...{ meanUs: (mean * 1000) / items, p50Us: (p50 * 1000) / items, p99Us: (p99 * 1000) / items },
      ceiling,
      share: ceiling === null ? null : perSecond / CEILINGS[ceiling](ceilings),
    });
  }
  return rows;
}

function table({ rows, ceilings, environment: on }) {
  const number = value => value.toFixed(value < 100 ? 2 : 0);
  const cells = rows.map(row => [
    `${row.topic}: ${row.name}`,
    number(row.meanUs),
    number(row.p50Us),
    number(row.p99Us),
    number(row.perSecond),
    row.share === null ? '' : `${row.share.toFixed(2)} × ${row.ceiling}`,
  ]);
  const all = [['', 'mean µs', 'p50 µs', 'p99 µs', 'a second', 'of the ceiling'], ...cells];
  const widths = all[0].map((_, column) => Math.max(...all.map(row => row[column].length)));
  const lines = all.map(row =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
      .join('  '),
  );
  const limits = ceilingRows(ceilings).map(([what, value]) => `${what.padEnd(28)}${value}`);
  const where = `Commit ${on.commit ?? 'unknown'}, Node ${on.node}, ${on.processors}; load before ${on.loadBefore ?? 'unknown'}.`;
  return [...lines, '', 'ceilings of the same run', ...limits, '', where].join('\n');
}

const { topics, main, dir: given, json } = options();
const Bench = await loadTinybench();
const base = given === undefined ? tmpdir() : resolve(given);
const dir = mkdtempSync(join(base, 'phaseline-micro-'));
const cleanUps = [];
const remove = () => rmSync(dir, { recursive: true, force: true });
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    remove();
    process.exit(130);
  });
}
try {
  const on = environment();
  say('measuring what this machine could do at most');
  const ceilings = await measureCeilings({ main, dir });
  const program = await loadParts(main);
  const material = await makeMaterial(program, dir, RECORDS);
  const rows = [];
  for (const topic of topics) {
    say(topic);
    const cases = await TOPICS[topic]({ program, material, dir, cleanUps });
    rows.push(...(await measure(Bench, topic, cases, ceilings)));
  }
  const result = { kind: 'micro', version: 1, environment: on, ceilings, rows };
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(result, null, 2)}\n`);
  console.log(process.env.PHASELINE_OUTPUT === 'json' ? JSON.stringify(result) : table(result));
} finally {
  for (const cleanUp of cleanUps) await cleanUp();
  remove();
}
process.exit(0);
