// The parts of the compiled program that the model runs itself: the engine, and what it needs of blocks.

const PARTS = [
  'config/genesis-document',
  'core/codec/chain',
  'core/merkle/log',
  'core/pbft/engine',
  'core/pbft/message-codec',
  'crypto/suite',
  'services/consensus/limits',
  'services/pool/limits',
];

/** @param dist folder of the compiled program, as a URL */
export async function loadCore(dist) {
  const parts = await Promise.all(PARTS.map(path => import(new URL(`${path}.js`, dist).href)));
  return Object.assign({}, ...parts);
}
