// CPU that one change of a phase's participants takes: opening the next epoch for all of them, sealing it to each, signing, and
// executing it on one ledger, with what the member's node then reads of it. Records service and ledger in one process.
// Usage: node bench/participants.mjs [participants] [changes]
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { root } from '../scripts/lib.mjs';

const WARM_UP = 4;
const participants = Number(process.argv[2] ?? 50);
const changes = Number(process.argv[3] ?? 80);
const directory = join(root, 'node_modules/.phaseline');
mkdirSync(directory, { recursive: true });
const outfile = join(directory, `participants-${process.pid}.mjs`);
await build({
  ...{ entryPoints: [join(root, 'test/unit/records/support.ts')], outfile },
  ...{ bundle: true, platform: 'node', format: 'esm', packages: 'external', logLevel: 'warning' },
});
const { granted, STEWARD, World, WRITER } = await import(pathToFileURL(outfile).href);
rmSync(outfile);

const names = Array.from({ length: participants + 1 }, (_, index) => `m-${String(index).padStart(3, '0')}`);
const newcomer = names.at(-1);
const world = new World(['admin', ...names]);
const admin = world.records('admin');
const roles = Object.fromEntries(
  names.slice(0, -1).map((name, index) => [name, index === 0 ? STEWARD : WRITER]),
);
const phase = await world.phase(admin, await world.project(admin), roles);

/** Milliseconds of CPU, on all threads, and the transactions that it took. */
async function cost(work) {
  const before = process.cpuUsage();
  const sent = world.ledger.transactions.size;
  granted(await work());
  const { user, system } = process.cpuUsage(before);
  return { ms: (user + system) / 1000, transactions: world.ledger.transactions.size - sent };
}

const found = { 'add, no history': [], 'add, all history': [], remove: [] };
for (let turn = 0; turn < changes / 2 + WARM_UP; turn += 1) {
  const grant = turn % 2 === 0 ? 'none' : 'all';
  const added = await cost(() => admin.addParticipant({ phase, member: newcomer, roles: WRITER, grant }));
  const removed = await cost(() => admin.removeParticipant(phase, newcomer));
  if (turn < WARM_UP) continue;
  found[grant === 'none' ? 'add, no history' : 'add, all history'].push(added);
  found.remove.push(removed);
}

console.log(`${participants} participants; CPU of one change, after ${2 * WARM_UP} to warm up`);
for (const [name, costs] of Object.entries(found)) {
  const ms = costs.map(entry => entry.ms).sort((a, b) => a - b);
  const transactions = Math.max(...costs.map(entry => entry.transactions));
  const [p50, most] = [ms[Math.floor(ms.length / 2)], ms.at(-1)];
  console.log(
    `${name}: p50 ${p50.toFixed(1)} ms, at most ${most.toFixed(1)} ms, over ${ms.length}; ${transactions} transaction each`,
  );
}
