// A disk, and the writers of one file on it: what queues up while one flush runs shares the next (group commit).

export class Disk {
  busyUs = 0;
  #queue;
  #prices;
  #running = 0;

  /** @param prices of `disk.sync`, `disk.parallel` and `disk.kib` */
  constructor(queue, prices) {
    this.#queue = queue;
    this.#prices = prices;
  }

  /** Writes and flushes; several at a time are slower each when they are more than the disk does at once. */
  sync(bytes, done) {
    const prices = this.#prices;
    this.#running += 1;
    const together = Math.max(1, this.#running / prices['disk.parallel']);
    const tookUs = (prices['disk.sync'] + (prices['disk.kib'] * bytes) / 1024) * together;
    this.busyUs += tookUs / together;
    this.#queue.after(tookUs, () => {
      this.#running -= 1;
      done();
    });
  }
}

/** One file, or one database: a flush at a time. */
export class GroupWriter {
  busyUs = 0;
  flushes = 0;
  #queue;
  #disk;
  #prepare;
  #waiting = [];
  #running = false;

  /** @param prepare (items, then): the processor's part of a flush of these items */
  constructor(queue, disk, prepare) {
    this.#queue = queue;
    this.#disk = disk;
    this.#prepare = prepare;
  }

  /** @param done called when the bytes are durable, in the order in which they were given */
  write(item, bytes, done) {
    this.#waiting.push({ item, bytes, done });
    if (!this.#running) this.#flush();
  }

  #flush() {
    this.#running = true;
    this.flushes += 1;
    const batch = this.#waiting;
    this.#waiting = [];
    const startUs = this.#queue.nowUs;
    const bytes = batch.reduce((sum, one) => sum + one.bytes, 0);
    const items = batch.map(one => one.item);
    this.#prepare(items, () =>
      this.#disk.sync(bytes, () => {
        this.busyUs += this.#queue.nowUs - startUs;
        this.#running = false;
        for (const { done } of batch) done();
        if (!this.#running && this.#waiting.length > 0) this.#flush();
      }),
    );
  }
}
