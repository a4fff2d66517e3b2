// What real nodes take for a transaction, and how much of it the other prices do not explain: JSON-RPC, promises, garbage
// collection, compaction, caches that others have used meanwhile. Networks of one node and of two tell what only the node takes that
// a client talks to, and what every node takes; with these the model goes to any number of nodes.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { pricesOf } from '../prices.mjs';
import { simulate } from '../simulate.mjs';

const BENCH = fileURLToPath(new URL('../../consensus.mjs', import.meta.url));
const SECONDS = 6;
const CLIENTS = 1_024;
const HERE = { delayUs: 30, jitter: 0, bytesPerSecond: 1e10 };
const CALIBRATED = ['rpc.post', 'rpc.transaction', 'node.transaction', 'client.post', 'client.transaction'];

async function run(nodes, only, { main, dir, payloadBytes }) {
  const json = join(dir, `${nodes}-nodes.json`);
  const words = [
    '--nodes',
    nodes,
    '--seconds',
    SECONDS,
    '--warm-up',
    3,
    '--clients',
    CLIENTS,
    '--only',
    only,
  ];
  const where = ['--payload-bytes', payloadBytes, '--main', main, '--json', json];
  await promisify(execFile)(process.execPath, [BENCH, ...words, ...where].map(String));
  return JSON.parse(readFileSync(json, 'utf8'));
}

/** a·x + b·y = e, c·x + d·y = f; never below nothing. */
function solve(a, b, e, c, d, f) {
  const determinant = a * d - b * c;
  return [Math.max(0, (e * d - b * f) / determinant), Math.max(0, (a * f - e * c) / determinant)];
}

/** @param files the prices so far; @returns the rest of them */
export async function measureRealNodes(core, files, input) {
  const { load, tenth, environment } = await run(1, 'load,tenth', input);
  const { load: two } = await run(2, 'load', input);
  const zero = Object.fromEntries(CALIBRATED.map(name => [name, { value: 0 }]));
  const prices = pricesOf({ prices: { ...files, ...zero } });
  const machine = { shared: true, cores: Number(environment.processors.split(' ')[0]) };
  const modelled = (nodes, given) =>
    simulate(core, prices, {
      ...{ nodes, network: HERE, machine, ...given },
      ...{ warmUpBlocks: 10, blocks: 40, secondsMin: 0.5 },
    });
  const one = modelled(1, { clients: CLIENTS });
  const few = modelled(1, { rate: tenth.rate });
  const both = modelled(2, { clients: CLIENTS });
  const [many, single] = [1 / one.callsPerPost, 1 / few.callsPerPost];
  // of one node: what a transaction takes beside the other prices, and what a request does
  const [everything, post] = solve(
    ...[1, many, load.processorUs - one.processorUs],
    ...[1, single, tenth.processorUs - few.processorUs],
  );
  const second = two.processorUs - both.processorUs - post / both.callsPerPost - everything;
  const every = Math.min(everything, Math.max(0, second));
  const client = solve(1, many, load.loadProcessorUs, 1, single, tenth.loadProcessorUs);
  return pricesFrom({ load, tenth, two }, { post, every, taken: everything - every, client });
}

function pricesFrom({ load, tenth, two }, { post, every, taken, client }) {
  const us = step => `${step.perSecond.toFixed(0)}/s at ${step.processorUs.toFixed(0)} µs each`;
  const how = `one real node saturated (${us(load)}) and at a tenth of that (${us(tenth)}), two saturated (${us(two)}); less what the other prices explain`;
  const generator = 'the load generator of the runs with one real node';
  return {
    'rpc.transaction': { value: taken, how },
    'rpc.post': { value: post, how },
    'node.transaction': { value: every, how },
    'client.transaction': { value: client[0], how: generator },
    'client.post': { value: client[1], how: generator },
  };
}
