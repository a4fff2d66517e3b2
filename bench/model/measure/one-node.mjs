// What one real node takes for a transaction, and how much of it the other prices do not explain: JSON-RPC, promises, garbage
// collection, compaction of the database. It is found with one node, where there are no links and no votes of others, and then used
// for any number of them.
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

async function runOne({ main, dir, payloadBytes }) {
  const json = join(dir, 'one-node.json');
  const words = [
    '--nodes',
    1,
    '--seconds',
    SECONDS,
    '--warm-up',
    3,
    '--clients',
    CLIENTS,
    '--only',
    'load,tenth',
  ];
  const where = ['--payload-bytes', payloadBytes, '--main', main, '--json', json];
  await promisify(execFile)(process.execPath, [BENCH, ...words, ...where].map(String));
  return JSON.parse(readFileSync(json, 'utf8'));
}

// A request carries few calls at a tenth of the load, and nearly as many as it may when saturated.

/** a·x + b·y = e, c·x + d·y = f; never below nothing. */
function solve(a, b, e, c, d, f) {
  const determinant = a * d - b * c;
  const x = Math.max(0, (e * d - b * f) / determinant);
  const y = Math.max(0, (a * f - e * c) / determinant);
  return [x, y];
}

/** @param files the prices so far; @returns the rest of them */
export async function measureOneNode(core, files, input) {
  const { load, tenth, environment } = await runOne(input);
  const without = { 'rpc.post': 0, 'rpc.transaction': 0, 'client.post': 0, 'client.transaction': 0 };
  const zero = Object.fromEntries(Object.keys(without).map(name => [name, { value: 0 }]));
  const prices = pricesOf({ prices: { ...files, ...zero } });
  const machine = { shared: true, cores: Number(environment.processors.split(' ')[0]) };
  const run = given =>
    simulate(core, prices, {
      ...{ nodes: 1, network: HERE, machine, ...given },
      ...{ warmUpBlocks: 10, blocks: 40, secondsMin: 0.5 },
    });
  const many = run({ clients: CLIENTS });
  const few = run({ rate: tenth.rate });
  const posts = [many, few].map(({ callsPerPost }) => 1 / callsPerPost);
  const [transaction, post] = solve(
    ...[1, posts[0], load.processorUs - many.processorUs],
    ...[1, posts[1], tenth.processorUs - few.processorUs],
  );
  const [clientTransaction, clientPost] = solve(
    ...[1, posts[0], load.loadProcessorUs],
    ...[1, posts[1], tenth.loadProcessorUs],
  );
  const us = step => `${step.perSecond.toFixed(0)}/s at ${step.processorUs.toFixed(0)} µs each`;
  const how = `one real node saturated (${us(load)}) and at a tenth of that (${us(tenth)}), less what the other prices explain`;
  const client = 'the load generator of the same runs';
  return {
    'rpc.transaction': { value: transaction, how },
    'rpc.post': { value: post, how },
    'client.transaction': { value: clientTransaction, how: client },
    'client.post': { value: clientPost, how: client },
  };
}
