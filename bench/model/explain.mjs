// What limits a consortium of a size, from what was busy while it was saturated, and what would lift it.

/** Below this nothing is the limit but waiting: for links and disks, one round after the other. */
const BUSY = 0.85;

const percent = value => `${Math.round(100 * value)} %`;
const sum = values => values.reduce((a, b) => a + b, 0);
const most = values => values.reduce((best, value, index) => (value > values[best] ? index : best), 0);

/** What to do about the largest part of a node's processor time. */
const LIFTS = {
  "members' signatures": ({ share, gain }) =>
    `verify members' signatures on other threads, as the program does and the model does not (${share} of the event loop: at most ×${gain}), or have members sign trees of up to 64`,
  "validators' signatures": ({ share, gain, nodes }) =>
    `fewer or cheaper votes: ${2 * (nodes - 1)} are verified for each block at each node (${share}: at most ×${gain} in worker threads or with larger blocks)`,
  transport: ({ share, gain, nodes }) =>
    `fewer sends: ${nodes - 1} copies of every vote and body, each encrypted for itself (${share}: at most ×${gain}); bundle votes, relay instead of sending to all, or encrypt in native threads`,
  execution: ({ share, gain }) => `cheaper execution (${share} of the event loop: at most ×${gain})`,
  store: ({ share, gain }) =>
    `fewer bytes and keys a transaction in the store, in a thread of its own (${share}: at most ×${gain})`,
  RPC: ({ share, gain }) =>
    `cheaper submission: binary calls or a process of its own for JSON-RPC (${share}: at most ×${gain})`,
  'transaction codec': ({ share, gain }) =>
    `decode and hash transactions in worker threads (${share}: at most ×${gain})`,
  'consensus codec': ({ share, gain }) => `a cheaper encoding of votes (${share}: at most ×${gain})`,
  engine: ({ share, gain }) => `a cheaper step of the engine (${share}: at most ×${gain})`,
  unexplained: ({ share, gain }) =>
    `less garbage and fewer promises a transaction: no other price explains ${share} of the event loop (at most ×${gain})`,
  waking: ({ share, gain }) =>
    `messages that come together: ${share} of the event loop is waking up for single ones (at most ×${gain})`,
  pool: ({ share, gain }) => `cheaper checks on arrival (${share}: at most ×${gain})`,
  'write-ahead log': ({ share, gain }) => `fewer flushes of the log (${share}: at most ×${gain})`,
};

/** The parts of a node's processor time, the largest first. */
function partsOf(spent) {
  const total = sum(Object.values(spent));
  const parts = Object.entries(spent).map(([what, us]) => ({ what, share: us / total }));
  return parts.sort((one, other) => other.share - one.share);
}

/** The two largest say most of it. */
const NAMED_PARTS = 2;

function liftOf(nodes, spent) {
  const parts = partsOf(spent).slice(0, NAMED_PARTS);
  const lifts = parts.map(({ what, share }) => {
    const gain = (1 / (1 - share)).toFixed(1);
    return LIFTS[what]({ share: percent(share), gain, nodes });
  });
  return { parts, text: lifts.join('; ') };
}

/**
 * @param result of a saturated run of `simulate`
 * @returns the resource, its utilisation, the largest parts of it, and one line on what would lift it
 */
export function explain(result) {
  const { busy, spent, nodes } = result;
  const loop = most(busy.eventLoop);
  const wire = most(busy.wire);
  const who = index => (index === 0 ? 'the leader' : 'a follower');
  const resources = [
    { what: 'processor cores of the machine', use: Math.max(...busy.machine), of: loop },
    { what: `event loop of ${who(loop)}`, use: busy.eventLoop[loop], of: loop },
    { what: `outgoing bytes of ${who(wire)}`, use: busy.wire[wire], of: wire },
    { what: 'writes of the database', use: Math.max(...busy.store), of: loop },
    { what: 'flushes of the write-ahead log', use: Math.max(...busy.log), of: loop },
  ];
  const limit = resources.reduce((best, one) => (one.use > best.use ? one : best));
  const { what, use, of } = limit;
  if (use < BUSY) {
    return {
      ...{ limit: 'waiting for links and disks', use, parts: [] },
      lift: `more in flight: nothing is busier than ${percent(use)} (${what}); shorter delays, larger or more blocks at once`,
    };
  }
  if (what.startsWith('outgoing')) {
    const lift = `fewer copies: each body leaves its node ${nodes - 1} times; relay or code them, or a faster line`;
    return { limit: what, use, parts: [], lift };
  }
  if (what.startsWith('writes') || what.startsWith('flushes'))
    return { limit: what, use, parts: [], lift: 'a faster disk, or larger blocks' };
  const { parts, text } = liftOf(nodes, spent[of]);
  return { limit: what, use, parts, lift: text };
}
