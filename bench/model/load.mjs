// Clients, as the benchmark of real networks has them (`bench/consensus/load.mjs`): what is due for a node goes in requests of up to
// a hundred calls, four at a time; latency counts from when a transaction was due.

const BATCH_CALLS_MAX = 100;
const POSTS_IN_FLIGHT_MAX = 4;
/** An open loop looks at the clock so often, as a timer of a program does. */
const TICK_US = 1_000;

class Lane {
  #waiting = [];
  #inFlight = 0;
  #scheduled = false;

  constructor(node, load) {
    this.node = node;
    this.load = load;
  }

  add(dueUs) {
    this.#waiting.push(dueUs);
    if (this.#scheduled) return;
    this.#scheduled = true;
    // what is due in the same moment goes together
    this.load.world.queue.after(0, () => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush() {
    while (this.#waiting.length > 0 && this.#inFlight < POSTS_IN_FLIGHT_MAX) {
      const dues = this.#waiting.splice(0, BATCH_CALLS_MAX);
      this.#inFlight += 1;
      this.load.post(this.node, dues, () => {
        this.#inFlight -= 1;
        this.#flush();
      });
    }
  }
}

export class ModelLoad {
  committed = 0;
  blocks = 0;
  pending = 0;
  /** Of those that were due, or committed, inside the window. */
  latenciesUs = [];
  committedInWindow = 0;
  blocksInWindow = 0;
  #lanes;
  #turn = 0;
  #made = 0;
  #posts = 0;
  #thread;
  #refill = false;
  #fromUs = Number.POSITIVE_INFINITY;

  /** @param machine on which the clients run: the nodes' where they share it */
  constructor(world, machine) {
    this.world = world;
    this.#thread = machine.thread();
    this.#lanes = world.nodes.map(node => new Lane(node, this));
  }

  /** What is due, and what commits, from now on counts. */
  measure() {
    this.#fromUs = this.world.queue.nowUs;
  }

  /** Transactions of a request, in the mean. */
  get callsPerPost() {
    return this.#made / this.#posts;
  }

  #send(dueUs) {
    this.#turn = (this.#turn + 1) % this.#lanes.length;
    this.pending += 1;
    this.#lanes[this.#turn].add(dueUs);
  }

  post(node, dues, answered) {
    const { queue, prices, clientDelayUs } = this.world;
    this.#posts += 1;
    const group = { from: this.#made, count: dues.length, dues };
    this.#made += dues.length;
    this.#thread.push(() => {
      this.#thread.afterwards(() =>
        queue.after(clientDelayUs, () =>
          node.bodies.submit(group, () => queue.after(clientDelayUs, answered)),
        ),
      );
      return prices['client.post'] + prices['client.transaction'] * dues.length;
    });
  }

  /** `rate` a second, evenly spread, until the end. */
  open(rate) {
    const { queue } = this.world;
    const startUs = queue.nowUs;
    let sent = 0;
    const tick = () => {
      for (;;) {
        const dueUs = startUs + (sent * 1e6) / rate;
        if (dueUs > queue.nowUs) break;
        this.#send(dueUs);
        sent += 1;
      }
      const nextUs = startUs + (sent * 1e6) / rate;
      queue.at(Math.max(nextUs, queue.nowUs + TICK_US), tick);
    };
    tick();
  }

  /** `clients` that each send the next transaction when the one before is committed. */
  closed(clients) {
    this.#refill = true;
    for (let index = 0; index < clients; index += 1) this.#send(this.world.queue.nowUs);
  }

  /** A block is known to a client that watches one node. */
  onCommitted(groups) {
    const { nowUs } = this.world.queue;
    this.blocks += 1;
    const counts = nowUs >= this.#fromUs;
    if (counts) this.blocksInWindow += 1;
    for (const { count, dues } of groups) {
      this.committed += count;
      this.pending -= count;
      if (counts) this.committedInWindow += count;
      for (const dueUs of dues) {
        if (dueUs >= this.#fromUs) this.latenciesUs.push(nowUs - dueUs);
        if (this.#refill) this.#send(nowUs);
      }
    }
  }
}
