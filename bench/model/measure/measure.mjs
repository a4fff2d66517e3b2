// Measures every price on this machine, each group in a process of its own.
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { environment } from '../../files/report.mjs';
import { PRICES, TRANSACTION_BYTES } from '../prices.mjs';
import { loadCore } from '../program.mjs';
import { measureDisk } from './disk.mjs';
import { measureLedger } from './ledger.mjs';
import { measureMessages } from './messages.mjs';
import { loadParts } from './parts.mjs';
import { measureRealNodes } from './real-nodes.mjs';
import { measureTransport, receiveFrames } from './transport.mjs';

const FILE = fileURLToPath(import.meta.url);
const GROUPS = {
  disk: measureDisk,
  messages: measureMessages,
  ledger: measureLedger,
  transport: measureTransport,
};
export const PAYLOAD_BYTES = 250;

function inProcess(group, input) {
  return new Promise((resolve, reject) => {
    const child = fork(FILE, [group, JSON.stringify(input)]);
    child.once('message', resolve);
    child.once('exit', code => reject(new Error(`the measurement of "${group}" ended with ${code}`)));
  });
}

/** What was measured one at a time, with an event loop that slept between: how often it woke up. */
const WOKEN = { 'log.flush': 1, 'store.block': 2 };

function withoutWaking(prices) {
  const wakeUs = prices['loop.wake'].value;
  const less = Object.entries(WOKEN).map(([name, times]) => {
    const { value, how } = prices[name];
    return [name, { value: Math.max(0, value - times * wakeUs), how: `${how}; less the waking` }];
  });
  return { ...prices, ...Object.fromEntries(less) };
}

/**
 * @param given dist (the compiled program, as a URL), say
 * @returns what a file of prices holds
 */
export async function measurePrices({ dist, say }) {
  const dir = mkdtempSync(join(tmpdir(), 'phaseline-prices-'));
  const main = fileURLToPath(new URL('cli/main.js', dist));
  const input = { dist: dist.href, dir, payloadBytes: PAYLOAD_BYTES, main };
  try {
    let prices = {};
    for (const group of Object.keys(GROUPS)) {
      say(`measuring: ${group}`);
      prices = { ...prices, ...(await inProcess(group, input)) };
    }
    prices = withoutWaking(prices);
    say('measuring: one real node, and two');
    prices = { ...prices, ...(await measureRealNodes(await loadCore(dist), prices, input)) };
    const unit = name => (name === TRANSACTION_BYTES ? 'bytes of an encoded transaction' : PRICES[name]);
    const named = Object.entries(prices).map(([name, price]) => [name, { ...price, unit: unit(name) }]);
    return {
      ...{ kind: 'prices', version: 1, environment: environment(), payloadBytes: PAYLOAD_BYTES },
      prices: Object.fromEntries(named),
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const [, file, group, text] = process.argv;
if (file === FILE && process.send !== undefined) {
  const input = JSON.parse(text);
  const parts = await loadParts(input.dist);
  if (group === 'receive') await receiveFrames(parts);
  else {
    const receiver = [FILE, ['receive', text]];
    const prices = await GROUPS[group](parts, { ...input, receiver });
    process.send(prices, () => process.exit(0));
  }
}
