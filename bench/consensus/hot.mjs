// What a processor profile says: the functions in which a thread spent its time, by themselves.
// Usage: node bench/consensus/hot.mjs FILE.cpuprofile [ROWS]
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const NOT_BUSY = new Set(['(idle)', '(program)']);
const PLACE_PARTS = 3;

/** @param profile as V8 writes it; @returns milliseconds by function, most first, and their sum without idling */
export function selfTimes({ nodes, samples, timeDeltas }) {
  const byId = new Map(nodes.map(node => [node.id, node.callFrame]));
  const times = new Map();
  let busyMs = 0;
  for (const [index, id] of samples.entries()) {
    const { functionName, url, lineNumber } = byId.get(id);
    const ms = timeDeltas[index] / 1000;
    if (functionName === '(idle)') continue;
    const place = url === '' ? '' : ` ${url.split('/').slice(-PLACE_PARTS).join('/')}:${lineNumber + 1}`;
    const name = `${functionName === '' ? '(anonymous)' : functionName}${place}`;
    times.set(name, (times.get(name) ?? 0) + ms);
    if (!NOT_BUSY.has(functionName)) busyMs += ms;
  }
  return { busyMs, rows: [...times].sort((a, b) => b[1] - a[1]) };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , file, count = '40'] = process.argv;
  const { busyMs, rows } = selfTimes(JSON.parse(readFileSync(file, 'utf8')));
  console.log(`${busyMs.toFixed(0)} ms busy`);
  for (const [name, ms] of rows.slice(0, Number(count))) {
    console.log(`${ms.toFixed(0).padStart(8)} ms ${((100 * ms) / busyMs).toFixed(1).padStart(5)} %  ${name}`);
  }
}
