// What a node of the model knows of transactions: which are checked, which wait for their checks, what is in blocks in flight.
// Transactions move in groups, those of one HTTP request; a group is never divided.

export class ModelPool {
  size = 0;
  /** By number, in order of arrival, until committed. */
  #waiting = new Map();
  #known = new Set();
  #inbox = [];
  #limits;

  /** @param limits blockTransactionsMax, blockBytesMax, checksPerTurn, transactionBytes */
  constructor(limits) {
    this.#limits = limits;
  }

  has(group) {
    return this.#known.has(group);
  }

  add(group) {
    if (this.#known.has(group)) return false;
    this.#known.add(group);
    this.#waiting.set(group.from, group);
    this.size += group.count;
    return true;
  }

  arrive(group) {
    this.#inbox.push({ group, left: group.count });
  }

  get inboxIsEmpty() {
    return this.#inbox.length === 0;
  }

  /**
   * The next few of the inbox, or all of it.
   * @returns how many were looked at, and the groups that are complete with them
   */
  check(all) {
    let room = all ? Number.POSITIVE_INFINITY : this.#limits.checksPerTurn;
    let checked = 0;
    const whole = [];
    while (room > 0 && this.#inbox.length > 0) {
      const [first] = this.#inbox;
      const some = Math.min(room, first.left);
      first.left -= some;
      room -= some;
      if (!this.#known.has(first.group)) checked += some;
      if (first.left > 0) break;
      this.#inbox.shift();
      whole.push(first.group);
    }
    return { checked, whole };
  }

  /** For the next block: in order of arrival, without those in blocks in flight. */
  take(inFlight) {
    const { blockTransactionsMax, blockBytesMax, transactionBytes } = this.#limits;
    const most = Math.min(blockTransactionsMax, Math.floor(blockBytesMax / transactionBytes));
    const taken = [];
    let count = 0;
    for (const group of this.#waiting.values()) {
      if (inFlight.has(group)) continue;
      if (count + group.count > most) break;
      taken.push(group);
      count += group.count;
    }
    return taken;
  }

  committed(groups) {
    for (const group of groups) {
      this.#known.add(group);
      if (this.#waiting.delete(group.from)) this.size -= group.count;
    }
  }
}
