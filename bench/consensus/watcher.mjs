// When transactions are in a block that a node has committed: the time at which its head event arrived here.

export class Watcher {
  /** Height of the last head. */
  height = 0;
  blocks = 0;
  #abort = null;
  #createClient;
  #queue = Promise.resolve();
  /** (entries, atMs) with `atMs` of `performance.now()`; whoever measures sets it. */
  onCommitted = () => {};

  constructor(createClient) {
    this.#createClient = createClient;
  }

  /** Listens at this node from now on, and after the last height seen. */
  async follow(node) {
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    const client = this.#createClient({ url: node.url, token: node.token });
    const { head } = await node.rpc.call('chain_status');
    const from = this.height === 0 ? head.height + 1 : this.height + 1;
    this.height = from - 1;
    this.node = node;
    const heads = client.subscribe('subscription_heads', { from }, { signal: abort.signal });
    void this.#read(heads, node, abort.signal).catch(error => {
      if (!abort.signal.aborted) this.fault = error;
    });
  }

  async #read(heads, node, signal) {
    for await (const { item } of heads) {
      const atMs = performance.now();
      if (signal.aborted || item.height <= this.height) continue;
      this.height = item.height;
      this.blocks += 1;
      if (item.transactions > 0) this.#fetch(node, item.height, atMs);
    }
  }

  /** In order; a node that died meanwhile is asked no more, the next one has the block too. */
  #fetch(node, height, atMs) {
    this.#queue = this.#queue.then(async () => {
      const ask = from => from.rpc.call('chain_block', { height });
      const { entries } = await ask(node).catch(() => ask(this.node));
      this.onCommitted(entries, atMs);
    });
    this.#queue = this.#queue.catch(error => {
      this.fault = error;
    });
  }

  stop() {
    this.#abort?.abort();
  }
}
