// Makes signed records ahead of time, in threads of its own: encrypted, salted and signed by the same code as on a member's node.
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { loadProgram } from './program.mjs';
import { ShadowLedger, serviceOver } from './shadow.mjs';

const ID_BYTES = 32;
const TREE_SIZE = 64;
const CHUNK_RECORDS = 512;
const TYPE = 'note';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz ';

/** Text that compresses badly enough and is text: what a person or a device would put. */
function text(length, seed) {
  let state = seed >>> 0 || 1;
  let made = '';
  for (let index = 0; index < length; index += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    made += ALPHABET[(state >>> 0) % ALPHABET.length];
  }
  return made;
}

/** One record's content for each number. */
function contentOf({ payloadBytes, events }) {
  const encoder = new TextEncoder();
  if (events !== null) {
    return index => ({
      ...{ type: 'event', title: '', mediaType: 'application/json', files: [], references: [] },
      data: encoder.encode(events[index % events.length]),
    });
  }
  return index => ({
    ...{ type: TYPE, title: '', mediaType: 'text/plain', files: [], references: [] },
    data: encoder.encode(text(payloadBytes, index + 1)),
  });
}

/** One thread: answers `{ count, from, height }` with chunks of encoded records, then `{ done, processorMs }`. */
class Maker {
  #made = [];

  async open() {
    const { main, genesisPath, setup, member, phase, input } = workerData;
    this.program = await loadProgram(main);
    const genesis = await this.program.readGenesis(genesisPath);
    this.ledger = new ShadowLedger(this.program);
    await this.ledger.open(genesis);
    for (const bytes of setup) await this.ledger.execute(bytes);
    this.window = genesis.parameters.replayWindowBlocks;
    this.content = contentOf(input);
    this.phase = phase;
    this.service = serviceOver(this.program, this.ledger, member, async signed => this.#take(signed));
  }

  #take(signed) {
    const { bodyId, encodeSignedTransaction, nodeSuite } = this.program;
    return signed.map(one => {
      const id = bodyId(nodeSuite.sha256, one.body);
      this.#made.push({ id, bytes: encodeSignedTransaction(one) });
      return { id, end: 'block', outcome: 0, height: 0 };
    });
  }

  async make({ count, from, height, signatures }) {
    // the sender gives half of the window; these may wait for their turn as long as the window allows
    this.ledger.follow(height + Math.floor(this.window / 2));
    const together = signatures === 'batch' ? TREE_SIZE : 1;
    for (let index = 0; index < count; index += together) {
      const group = Array.from({ length: Math.min(together, count - index) }, (_, at) =>
        this.service.putRecord({ phase: this.phase, ...this.content(from + index + at) }),
      );
      for (const result of await Promise.all(group)) {
        if (result.reject !== undefined) throw new Error(`${result.reject}: ${result.detail}`);
      }
      if (this.#made.length >= CHUNK_RECORDS) this.#flush();
    }
    this.#flush();
  }

  #flush() {
    const made = this.#made.splice(0);
    if (made.length === 0) return;
    const ids = Buffer.alloc(made.length * ID_BYTES);
    const texts = made.map(({ bytes }) => Buffer.from(bytes).toString('base64'));
    const ends = new Uint32Array(made.length);
    let end = 0;
    for (const [index, { id }] of made.entries()) {
      ids.write(id, index * ID_BYTES, 'hex');
      end += texts[index].length;
      ends[index] = end;
    }
    const base64 = Buffer.from(texts.join(''), 'latin1');
    const bytes = made.reduce((sum, one) => sum + one.bytes.length, 0);
    parentPort.postMessage({ ids, ends, base64, bytes }, [ends.buffer]);
  }
}

/** Records that were made and not yet taken. */
class Supply {
  #chunks = [];
  #at = 0;
  #left = 0;
  made = 0;
  bytes = 0;

  get left() {
    return this.#left;
  }

  add(chunk) {
    const buffer = bytes => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#chunks.push({ ids: buffer(chunk.ids), ends: chunk.ends, base64: buffer(chunk.base64) });
    this.#left += chunk.ends.length;
    this.made += chunk.ends.length;
    this.bytes += chunk.bytes;
  }

  /** @returns the id in hexadecimal and the encoded transaction in base64; null when none is left */
  take() {
    const [chunk] = this.#chunks;
    if (chunk === undefined) return null;
    const at = this.#at;
    const id = chunk.ids.toString('hex', at * ID_BYTES, (at + 1) * ID_BYTES);
    const base64 = chunk.base64.latin1Slice(at === 0 ? 0 : chunk.ends[at - 1], chunk.ends[at]);
    this.#at += 1;
    this.#left -= 1;
    if (this.#at === chunk.ends.length) {
      this.#chunks.shift();
      this.#at = 0;
    }
    return { id, base64 };
  }

  clear() {
    this.#chunks = [];
    this.#at = 0;
    this.#left = 0;
  }
}

/** The threads that make records. */
export class Generator {
  supply = new Supply();
  #workers = [];
  #from = 0;

  /** @param setup main, genesisPath, setup (encoded transactions), member, phase, input (payloadBytes, events) */
  async start(setup, threads) {
    for (let index = 0; index < threads; index += 1) {
      const worker = new Worker(fileURLToPath(import.meta.url), { workerData: setup });
      this.#workers.push(worker);
      await this.#answer(worker, message => message.ready === true);
    }
  }

  #answer(worker, isAnswer) {
    return new Promise((resolve, reject) => {
      const end = settle => value => {
        worker.off('message', hear);
        worker.off('error', fail);
        settle(value);
      };
      const hear = message => {
        if (message.ends !== undefined) this.supply.add(message);
        else if (isAnswer(message)) end(resolve)(message);
      };
      const fail = error => end(reject)(error);
      worker.on('message', hear);
      worker.on('error', fail);
    });
  }

  /**
   * Makes `count` records that are valid from `height` on for as long as the chain allows.
   * @returns what that took: seconds, processor microseconds a record, bytes of an encoded one
   */
  async make(count, height, signatures) {
    const { length } = this.#workers;
    const startMs = performance.now();
    const before = process.cpuUsage();
    const { made, bytes } = this.supply;
    await Promise.all(
      this.#workers.map((worker, index) => {
        const share = Math.floor(count / length) + (index < count % length ? 1 : 0);
        const answer = this.#answer(worker, message => message.done === true);
        worker.postMessage({ count: share, from: this.#from, height, signatures });
        this.#from += share;
        return answer;
      }),
    );
    const used = process.cpuUsage(before);
    const records = this.supply.made - made;
    return {
      records,
      seconds: (performance.now() - startMs) / 1000,
      processorUs: (used.user + used.system) / records,
      transactionBytes: (this.supply.bytes - bytes) / records,
    };
  }

  async stop() {
    await Promise.all(this.#workers.map(worker => worker.terminate()));
  }
}

if (!isMainThread && workerData?.genesisPath !== undefined) {
  const maker = new Maker();
  await maker.open();
  parentPort.on('message', async order => {
    try {
      await maker.make(order);
      parentPort.postMessage({ done: true });
    } catch (error) {
      // an error in a listener would end the thread without a word
      setImmediate(() => {
        throw error;
      });
    }
  });
  parentPort.postMessage({ ready: true });
}
