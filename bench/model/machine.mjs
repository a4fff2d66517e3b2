// A machine with a number of processor cores, and the threads that share them: one for each event loop, and those that write.

/** A thread keeps its core for so long while others wait; of the order of what Linux gives. */
const QUANTUM_US = 3_000;

/** Does one task after the other. */
class Thread {
  busyUs = 0;
  isReady = false;
  remainingUs = null;
  #machine;
  #tasks = [];
  #first = 0;
  #then = [];
  #wakeUs;
  #hasSlept = true;

  constructor(machine, wakeUs) {
    this.#machine = machine;
    this.#wakeUs = wakeUs;
  }

  /** @param work called when the task begins; returns the processor time that it takes, in microseconds */
  push(work) {
    this.#tasks.push(work);
    if (!this.isReady) this.#machine.wake(this);
  }

  /** Within a task: what follows when it has ended. */
  afterwards(run) {
    this.#then.push(run);
  }

  get isIdle() {
    return this.remainingUs === null && this.#first === this.#tasks.length;
  }

  begin() {
    const work = this.#tasks[this.#first];
    this.#first += 1;
    if (this.#first === this.#tasks.length) {
      this.#tasks = [];
      this.#first = 0;
    }
    this.remainingUs = work() + (this.#hasSlept ? this.#wakeUs() : 0);
    this.#hasSlept = false;
  }

  sleep() {
    this.isReady = false;
    this.#hasSlept = true;
  }

  end() {
    this.remainingUs = null;
    const then = this.#then;
    this.#then = [];
    for (const run of then) run();
  }
}

export class Machine {
  busyUs = 0;
  #queue;
  #free;
  #ready = [];

  /** @param cores may be infinite */
  constructor(queue, cores) {
    this.#queue = queue;
    this.cores = cores;
    this.#free = cores;
  }

  /** @param wakeUs what it takes to go on after having had nothing to do, asked for each time */
  thread(wakeUs = () => 0) {
    return new Thread(this, wakeUs);
  }

  wake(thread) {
    thread.isReady = true;
    this.#ready.push(thread);
    this.#dispatch();
  }

  #dispatch() {
    while (this.#free > 0 && this.#ready.length > 0) {
      this.#free -= 1;
      this.#run(this.#ready.shift(), QUANTUM_US);
    }
  }

  #run(thread, leftUs) {
    if (thread.remainingUs === null) thread.begin();
    const sliceUs = Math.min(thread.remainingUs, leftUs);
    this.#queue.after(sliceUs, () => this.#ran(thread, sliceUs, leftUs - sliceUs));
  }

  #ran(thread, sliceUs, leftUs) {
    thread.busyUs += sliceUs;
    this.busyUs += sliceUs;
    thread.remainingUs -= sliceUs;
    if (thread.remainingUs <= 0) thread.end();
    if (thread.isIdle) thread.sleep();
    else if (leftUs > 0 || this.#ready.length === 0) {
      this.#run(thread, leftUs > 0 ? leftUs : QUANTUM_US);
      return;
    } else this.#ready.push(thread);
    this.#free += 1;
    this.#dispatch();
  }
}
