// What each thing costs that a node does, with its unit. `--measure` writes them, with how each was measured.

/** Those that the model reads. Processor time unless the unit says otherwise. */
export const PRICES = {
  'signature.verify': 'µs a P-256 verification',
  'signature.sign': 'µs a P-256 signature',
  'message.encode': 'µs a vote',
  'message.decode': 'µs a vote',
  'message.entry': 'µs an entry of a proposal, decoded and hashed',
  'engine.step': 'µs an input of the engine',
  'engine.stepValidator': 'µs an input of the engine, for each validator',
  'transaction.decode': 'µs a transaction, decoded and hashed',
  'transaction.frame': 'µs a transaction, put into a frame',
  'transaction.admit': 'µs a transaction, without its signature',
  'ledger.block': 'µs a block',
  'ledger.build': 'µs a transaction of a block that is built',
  'ledger.execute': 'µs a transaction of a block that is executed',
  'store.ahead': 'µs a transaction stored ahead of its block, event loop',
  'store.aheadWriter': 'µs a transaction stored ahead of its block, other threads',
  'store.block': 'µs a write of a block, event loop',
  'store.blockWriter': 'µs a write of a block, other threads',
  'store.commit': 'µs a transaction committed, event loop',
  'store.commitWriter': 'µs a transaction committed, other threads',
  'log.flush': 'µs a flush of the write-ahead log, event loop',
  'log.flushWriter': 'µs a flush of the write-ahead log, other threads',
  'disk.sync': 'µs of waiting for an fdatasync',
  'disk.kib': 'µs of waiting for each further KiB that is flushed',
  'disk.parallel': 'fdatasyncs that the disk does at once',
  'loop.wake': 'µs an event loop that had nothing to do and goes on',
  'transport.send': 'µs a send on a stream',
  'transport.frame': 'µs a further frame of a send, both ends',
  'transport.sendKib': 'µs a KiB sent',
  'transport.receive': 'µs a send received',
  'transport.receiveKib': 'µs a KiB received',
  'rpc.post': 'µs an HTTP request with JSON-RPC calls',
  'rpc.transaction': 'µs a transaction submitted, at the node that takes it',
  'node.transaction': 'µs a transaction, at every node, that no other price explains',
  'client.post': 'µs an HTTP request, at the client',
  'client.transaction': 'µs a transaction, at the client',
};

export const TRANSACTION_BYTES = 'transaction.bytes';

export class PriceError extends Error {}

/** @param file as `--measure` wrote it; @returns name → number */
export function pricesOf(file) {
  const prices = {};
  for (const name of [...Object.keys(PRICES), TRANSACTION_BYTES]) {
    const value = file.prices?.[name]?.value;
    if (!(value >= 0)) throw new PriceError(`the file of prices has no "${name}": measure again`);
    prices[name] = value;
  }
  return prices;
}
