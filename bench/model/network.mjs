// Links between nodes: each node sends and receives through an interface of its own with a bandwidth, and everything between two
// nodes arrives in order, as over one connection.

/** Of TCP, IP, Ethernet, Noise and Yamux, for each send of a stream. */
export const SEND_OVERHEAD_BYTES = 110;

/** A generator of numbers in [0, 1) from a seed (Marsaglia, "Xorshift RNGs", 2003). */
export function randomFrom(seed) {
  let state = (seed ^ 0x9e37_79b9) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

export class Network {
  sentBytes = [];
  #queue;
  #kind;
  #random;
  #outFreeUs = [];
  #inFreeUs = [];
  #lastUs = new Map();

  /** @param kind delayUs one way, jitter (largest addition, as a part of the delay), bytesPerSecond of each interface */
  constructor(queue, kind, nodes, seed) {
    this.#queue = queue;
    this.#kind = kind;
    this.#random = randomFrom(seed);
    for (let index = 0; index < nodes; index += 1) {
      this.sentBytes.push(0);
      this.#outFreeUs.push(0);
      this.#inFreeUs.push(0);
    }
    this.nodes = nodes;
  }

  /** What waits in the sender's interface, in microseconds. */
  backlogUs(from) {
    return Math.max(0, this.#outFreeUs[from] - this.#queue.nowUs);
  }

  #takesUs(bytes) {
    return (bytes * 1e6) / this.#kind.bytesPerSecond;
  }

  send(from, to, payloadBytes, arrived) {
    const bytes = payloadBytes + SEND_OVERHEAD_BYTES;
    const { delayUs, jitter } = this.#kind;
    const leftUs = Math.max(this.#queue.nowUs, this.#outFreeUs[from]) + this.#takesUs(bytes);
    this.#outFreeUs[from] = leftUs;
    this.sentBytes[from] += bytes;
    const link = from * this.nodes + to;
    const delayedUs = leftUs + delayUs * (1 + jitter * this.#random());
    // the receiver's interface takes the bytes as they come, unless others are before them
    const readUs = Math.max(delayedUs, this.#inFreeUs[to] + this.#takesUs(bytes));
    this.#inFreeUs[to] = readUs;
    const arrivalUs = Math.max(readUs, this.#lastUs.get(link) ?? 0);
    this.#lastUs.set(link, arrivalUs);
    this.#queue.at(arrivalUs, arrived);
  }
}
