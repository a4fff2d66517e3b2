// What a processor profile says: in which rooms of the program and which packages a thread spent its time, and in which functions.
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

/** The room of the program or the package that a file belongs to; null for Node's own. */
function roomOf(url) {
  const packaged = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url);
  if (packaged !== null) return packaged[1];
  const own = /\/dist[^/]*\/((?:core|services)\/[^/]+|[a-z]+)\//.exec(url);
  return own === null ? null : own[1];
}

/**
 * Milliseconds by room or package: what Node and the machine do for it is its own.
 * @param profile as V8 writes it
 */
export function roomTimes({ nodes, samples, timeDeltas }) {
  const byId = new Map(nodes.map(node => [node.id, node]));
  const parents = new Map(nodes.flatMap(node => (node.children ?? []).map(child => [child, node.id])));
  const rooms = new Map();
  const roomAt = id => {
    if (!rooms.has(id)) {
      const { url, functionName } = byId.get(id).callFrame;
      const above = parents.get(id);
      const special = functionName === '(garbage collector)' ? functionName : null;
      rooms.set(id, special ?? roomOf(url) ?? (above === undefined ? 'Node' : roomAt(above)));
    }
    return rooms.get(id);
  };
  const times = new Map();
  for (const [index, id] of samples.entries()) {
    const { functionName } = byId.get(id).callFrame;
    if (NOT_BUSY.has(functionName)) continue;
    times.set(roomAt(id), (times.get(roomAt(id)) ?? 0) + timeDeltas[index] / 1000);
  }
  return [...times].sort((a, b) => b[1] - a[1]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , file, count = '40'] = process.argv;
  const profile = JSON.parse(readFileSync(file, 'utf8'));
  const { busyMs, rows } = selfTimes(profile);
  const print = all => {
    for (const [name, ms] of all.slice(0, Number(count))) {
      console.log(
        `${ms.toFixed(0).padStart(8)} ms ${((100 * ms) / busyMs).toFixed(1).padStart(5)} %  ${name}`,
      );
    }
  };
  console.log(`${busyMs.toFixed(0)} ms busy`);
  print(roomTimes(profile));
  console.log();
  print(rows);
}
