// What happens when, in microseconds of simulated time. Events of one moment come in the order in which they were planned, so one
// seed gives one run.

export class EventQueue {
  nowUs = 0;
  #heap = [];
  #planned = 0;

  get size() {
    return this.#heap.length;
  }

  /** @param timeUs not before now */
  at(timeUs, run) {
    if (!(timeUs >= this.nowUs)) throw new Error(`an event at ${timeUs} µs is planned at ${this.nowUs} µs`);
    const event = { timeUs, order: this.#planned, run };
    this.#planned += 1;
    const heap = this.#heap;
    let index = heap.length;
    while (index > 0) {
      const above = (index - 1) >> 1;
      if (!isBefore(event, heap[above])) break;
      heap[index] = heap[above];
      index = above;
    }
    heap[index] = event;
  }

  after(delayUs, run) {
    this.at(this.nowUs + delayUs, run);
  }

  /** @returns false when nothing is left to happen */
  next() {
    const heap = this.#heap;
    const [event] = heap;
    if (event === undefined) return false;
    const last = heap.pop();
    if (heap.length > 0) this.#sink(last);
    this.nowUs = event.timeUs;
    event.run();
    return true;
  }

  #sink(event) {
    const heap = this.#heap;
    let index = 0;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1], heap[below])) below += 1;
      if (!isBefore(heap[below], event)) break;
      heap[index] = heap[below];
      index = below;
    }
    heap[index] = event;
  }
}

const isBefore = (a, b) => a.timeUs < b.timeUs || (a.timeUs === b.timeUs && a.order < b.order);
