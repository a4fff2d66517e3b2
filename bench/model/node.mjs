// One consensus node: the engine as it is, and round it what the shell in `services/consensus` does, as processor time, writes and
// sends. What is durable before what is the engine's to say, here as there.
import { Blocks } from './blocks.mjs';
import { Bodies } from './bodies.mjs';
import { GroupWriter } from './disk.mjs';
import { Outboxes } from './outboxes.mjs';

/** A trimmed log is a new file: written, renamed, its directory flushed. */
const REWRITE_SYNCS = 3;
/** Bytes of a signed message beside its body. */
const SIGNED_BYTES = 90;
/** Signed when they are sent; what binds its signer is signed when it is logged. */
const UNLOGGED = new Set(['checkpoint', 'status', 'complaint']);

export class ModelNode {
  /** Processor time by what it went to, in microseconds. */
  spent = {};
  views = 0;
  #world;
  #costUs = 0;
  #inputs = [];
  #stepping = false;
  #inbound = new Map();
  #timers = new Map();

  /** @param world core, prices, queue, network, consortium, nodes, signatures, onCommitted */
  constructor(index, world, machine, disk) {
    this.index = index;
    this.#world = world;
    this.main = machine.thread(() => this.#spend('waking', 'loop.wake', 1));
    this.log = this.#writer(machine, disk, () => this.#spend('write-ahead log', 'log.flushWriter', 1));
    this.store = this.#writer(machine, disk, items => {
      const us = this.#spend('store', 'store.blockWriter', items.length);
      return items.reduce((sum, { price, count }) => sum + this.#spend('store', price, count), us);
    });
    this.outboxes = new Outboxes(this, world);
    this.bodies = new Bodies(this, world);
    this.blocks = new Blocks(this, world);
    this.pool = this.bodies.pool;
    this.engine = world.consortium.engine(index);
  }

  /** Writes in a thread beside the event loop. */
  #writer(machine, disk, cost) {
    const thread = machine.thread();
    return new GroupWriter(this.#world.queue, disk, (items, prepared) =>
      thread.push(() => {
        thread.afterwards(prepared);
        return cost(items);
      }),
    );
  }

  #spend(what, price, count) {
    const us = this.#world.prices[price] * count;
    this.spent[what] = (this.spent[what] ?? 0) + us;
    return us;
  }

  /** Within a task of the event loop. */
  charge(what, price, count = 1) {
    this.#costUs += this.#spend(what, price, count);
  }

  /** A turn of the event loop. */
  task(run) {
    this.main.push(() => {
      this.#costUs = 0;
      run();
      return this.#costUs;
    });
  }

  /** Within a task: what follows it. */
  afterwards(run) {
    this.main.afterwards(run);
  }

  start() {
    this.task(() => this.give({ type: 'start' }));
  }

  /** A send of a peer's stream has arrived; all that have are read at once. */
  arrive(from, stream, send) {
    const key = `${from} ${stream}`;
    const waiting = this.#inbound.get(key);
    if (waiting !== undefined) {
      waiting.push(send);
      return;
    }
    const sends = [send];
    this.#inbound.set(key, sends);
    this.task(() => {
      this.#inbound.delete(key);
      for (const one of sends) this.#read(from, one);
    });
  }

  #read(from, { frames, bytes }) {
    this.charge('transport', 'transport.receive');
    this.charge('transport', 'transport.frame', (frames.length - 1) / 2);
    this.charge('transport', 'transport.receiveKib', bytes / 1024);
    for (const frame of frames) {
      if (frame.kind === 'bodies') this.bodies.receive(frame);
      else if (frame.kind === 'fetch') this.bodies.answer(from, frame);
      else if (frame.kind === 'block') this.give({ type: 'fetched', block: frame.block });
      else if (frame.kind === 'sync') this.blocks.answerSync(from, frame);
      else if (frame.kind === 'transfer') this.blocks.receiveTransfer(frame);
      else this.#receiveMessage(frame.signed);
    }
  }

  #receiveMessage(signed) {
    const message = this.#world.consortium.decoded(signed);
    this.charge('consensus codec', 'message.decode');
    if (signed.kind === 'prePrepare')
      this.charge('consensus codec', 'message.entry', message.content.block.entries.length);
    this.charge("validators' signatures", 'signature.verify', signaturesIn(message));
    this.give({ type: 'message', message });
  }

  give(input) {
    this.#inputs.push(input);
    if (this.#stepping) return;
    this.#stepping = true;
    const { core, nodes } = this.#world;
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
      const { view } = this.engine;
      this.charge('engine', 'engine.step');
      this.charge('engine', 'engine.stepValidator', nodes.length);
      for (const effect of core.step(this.engine, next)) this.#perform(effect);
      if (this.engine.view !== view) this.views += 1;
    }
    this.#stepping = false;
  }

  #perform(effect) {
    if (effect.type === 'persist') this.#persist(effect);
    else if (effect.type === 'trim') this.#trim(effect);
    else if (effect.type === 'send') this.#send(effect);
    else if (effect.type === 'setTimer') this.#setTimer(effect);
    else if (effect.type === 'cancelTimer') this.#timers.delete(effect.name);
    else if (effect.type === 'build') this.blocks.build(effect);
    else if (effect.type === 'execute') this.blocks.execute(effect);
    else if (effect.type === 'commit') this.blocks.commit(effect);
    else if (effect.type === 'discard') this.blocks.discard(effect.blockHashes);
    else if (effect.type === 'returnToPool') this.bodies.pending();
    else if (effect.type === 'fetchBlock') this.blocks.fetch(effect);
    else if (effect.type === 'sync') this.blocks.sync();
    else if (effect.type === 'halt') throw new Error(`node ${this.index} stopped: ${effect.reason}`);
  }

  #persist({ ticket, records, then }) {
    this.charge("validators' signatures", 'signature.sign', then.length);
    const bytes = records.reduce((sum, record) => sum + record.length, 0);
    this.afterwards(() => this.log.write(null, bytes, () => this.#durable(ticket, then)));
  }

  #durable(ticket, effects) {
    this.task(() => {
      this.charge('write-ahead log', 'log.flush');
      for (const effect of effects) this.#perform(effect);
      this.give({ type: 'persisted', ticket });
    });
  }

  #trim({ records }) {
    const bytes = records.reduce((sum, record) => sum + record.length, 0);
    const rewrite = left => {
      if (left > 0) this.log.write(null, left === REWRITE_SYNCS ? bytes : 0, () => rewrite(left - 1));
    };
    this.afterwards(() => rewrite(REWRITE_SYNCS));
  }

  #send({ to, message }) {
    this.charge('consensus codec', 'message.encode');
    if (UNLOGGED.has(message.kind)) this.charge("validators' signatures", 'signature.sign');
    const frame = { kind: 'message', signed: message, bytes: message.body.length + SIGNED_BYTES };
    if (to === 'all') this.outboxes.toAll('consensus', frame);
    else this.outboxes.to(this.#world.consortium.indexOf.get(to.peerId), 'consensus', frame);
  }

  #setTimer({ name, delayMs, generation }) {
    this.#timers.set(name, generation);
    this.#world.queue.after(delayMs * 1000, () => {
      if (this.#timers.get(name) !== generation) return;
      this.#timers.delete(name);
      this.task(() => this.give({ type: 'timer', name, generation }));
    });
  }
}

/** Signatures that are checked with a message: its own, and those of the certificate of a head that it shows. */
function signaturesIn({ content }) {
  return 1 + (content.head?.certificate?.signatures.length ?? 0);
}
