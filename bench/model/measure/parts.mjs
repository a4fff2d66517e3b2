// The compiled program's parts whose prices are measured.

const PARTS = [
  'config/genesis-file',
  'config/node-config',
  'core/codec/chain',
  'core/codec/transaction',
  'core/ledger/admission',
  'core/ledger/execute',
  'core/ledger/genesis',
  'core/ledger/read',
  'core/ledger/signature',
  'core/merkle/log',
  'core/pbft/engine',
  'core/pbft/message-codec',
  'core/pbft/verify',
  'crypto/hpke',
  'crypto/phase-crypto',
  'crypto/signer',
  'crypto/suite',
  'ports/logger',
  'roles/data-directory',
  'services/consensus/limits',
  'services/pool/limits',
  'services/pool/mempool',
  'services/pool/verified',
  'services/records/service',
  'store/file-wal',
  'store/kv-chain-store',
  'store/level-store',
  'store/memory-store',
  'system/clock',
  'transport/libp2p-transport',
  'wire/consensus',
  'wire/pool',
];

/** @param dist folder of the compiled program, as a URL's text */
export async function loadParts(dist) {
  const parts = await Promise.all(PARTS.map(path => import(new URL(`${path}.js`, dist).href)));
  return Object.assign({}, ...parts);
}
