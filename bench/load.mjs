// What a network of real processes writes: four consensus nodes, the manager and one member on this machine, many calls of
// record_put in flight at the member's node. Says records a second and, because a busy machine changes that and not this,
// processor milliseconds a record of each process (where the system has /proc). Needs a build.
// Usage: node bench/load.mjs [--records N] [--in-flight N] [--bytes N] [--main FILE] [--dir DIR] [--profile DIR]
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '3000' },
    'in-flight': { type: 'string', default: '200' },
    bytes: { type: 'string', default: '200' },
    main: { type: 'string', default: fileURLToPath(new URL('../dist/cli/main.js', import.meta.url)) },
    dir: { type: 'string' },
    profile: { type: 'string' },
  },
});
const main = resolve(values.main);
const dir = resolve(values.dir ?? mkdtempSync(join(tmpdir(), 'phaseline-load-')));
mkdirSync(dir, { recursive: true });
const { createClient } = await import(new URL('../client/client.js', pathToFileURL(main)).href);
const TICKS_PER_SECOND = 100;

const readJson = path => JSON.parse(readFileSync(path, 'utf8'));

function client(name) {
  const { url } = readJson(join(dir, name, 'endpoint.json'));
  return createClient({ url, token: readFileSync(join(dir, name, 'rpc-token'), 'utf8').trim() });
}

/** Processor milliseconds that each process has used so far; null where the system does not say. */
function processorMs() {
  const used = {};
  try {
    for (const [name, pid] of Object.entries(readJson(join(dir, 'pids.json')))) {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
      used[name] = ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
    }
    return used;
  } catch {
    return null;
  }
}

async function startNetwork() {
  const preload = new URL('profile.mjs', import.meta.url).href;
  const profile =
    values.profile === undefined
      ? {}
      : { NODE_OPTIONS: `--import ${preload}`, PHASELINE_PROFILE_DIR: resolve(values.profile) };
  const network = spawn(process.execPath, [main, 'devnet', '--participants', '1', '--dir', dir], {
    cwd: dir,
    env: { ...process.env, ...profile },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  network.stdout.setEncoding('utf8');
  let said = '';
  await new Promise((ready, failed) => {
    network.stdout.on('data', text => {
      said += text;
      if (said.includes('ready. Try')) ready();
    });
    network.once('exit', code => failed(new Error(`the network ended with ${code}`)));
  });
  return network;
}

async function setUpPhase() {
  const manager = client('manager');
  const { project } = await manager.call('manager_projectCreate', { label: 'load' });
  const participants = [{ member: 'alice', roles: ['contributor'] }];
  const { phase } = await manager.call('manager_phaseAdd', { project, label: 'load', participants });
  await manager.call('manager_phaseOpen', { phase });
  return phase;
}

/** Resolves with the milliseconds of each call, in the order of their ends. */
async function write(member, phase, count) {
  const text = 'x'.repeat(Number(values.bytes));
  const tookMs = [];
  let next = 0;
  const lane = async () => {
    while (next < count) {
      next += 1;
      const startMs = performance.now();
      await member.call('record_put', { phase, type: 'note', text });
      tookMs.push(performance.now() - startMs);
    }
  };
  await Promise.all(Array.from({ length: Number(values['in-flight']) }, lane));
  return tookMs;
}

const network = await startNetwork();
try {
  const phase = await setUpPhase();
  const alice = client('alice');
  const records = Number(values.records);
  await write(alice, phase, Math.min(500, records));
  const before = processorMs();
  const startMs = performance.now();
  const tookMs = (await write(alice, phase, records)).sort((a, b) => a - b);
  const seconds = (performance.now() - startMs) / 1000;
  const after = processorMs();
  const { head } = await client('node-1').call('chain_status');
  const result = {
    records,
    recordsPerSecond: Math.round(records / seconds),
    medianMs: Math.round(tookMs[Math.floor(records / 2)]),
    p99Ms: Math.round(tookMs[Math.floor(records * 0.99)]),
    height: head.height,
  };
  if (before !== null && after !== null) {
    result.processorMsPerRecord = Object.fromEntries(
      Object.keys(after).map(name => [name, Number(((after[name] - before[name]) / records).toFixed(2))]),
    );
  }
  console.log(JSON.stringify(result));
} finally {
  const ended = new Promise(done => network.once('exit', done));
  network.kill('SIGINT');
  await ended;
  if (values.dir === undefined) rmSync(dir, { recursive: true, force: true });
}
