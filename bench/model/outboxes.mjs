// What waits for each peer on each stream: frames of one turn of the event loop leave in one send (`transport/outbox.ts`).

/** With more than this before it in the interface, a stream takes no more: what comes meanwhile leaves together. */
const BACKLOG_US_MAX = 5_000;

export class Outboxes {
  #node;
  #world;
  #waiting = new Map();

  constructor(node, world) {
    this.#node = node;
    this.#world = world;
  }

  toAll(stream, frame) {
    const { length } = this.#world.nodes;
    for (let index = 0; index < length; index += 1)
      if (index !== this.#node.index) this.to(index, stream, frame);
  }

  to(peer, stream, frame) {
    const key = `${peer} ${stream}`;
    const frames = this.#waiting.get(key);
    if (frames !== undefined) {
      frames.push(frame);
      return;
    }
    this.#waiting.set(key, [frame]);
    this.#node.afterwards(() => this.#node.task(() => this.#flush(peer, stream, key)));
  }

  #flush(peer, stream, key) {
    const { network, nodes, queue } = this.#world;
    const node = this.#node;
    const overUs = network.backlogUs(node.index) - BACKLOG_US_MAX;
    if (overUs > 0) {
      queue.after(overUs, () => node.task(() => this.#flush(peer, stream, key)));
      return;
    }
    const frames = this.#waiting.get(key);
    this.#waiting.delete(key);
    const bytes = frames.reduce((sum, frame) => sum + frame.bytes, 0);
    node.charge('transport', 'transport.send');
    node.charge('transport', 'transport.frame', (frames.length - 1) / 2);
    node.charge('transport', 'transport.sendKib', bytes / 1024);
    const send = { frames, bytes };
    node.afterwards(() =>
      network.send(node.index, peer, bytes, () => nodes[peer].arrive(node.index, stream, send)),
    );
  }
}
