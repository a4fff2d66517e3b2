// The parts of the compiled program that the consensus benchmark uses itself: setting up, building records, talking to nodes.
import { pathToFileURL } from 'node:url';

const PARTS = [
  'cli/devnet/ports',
  'config/genesis-file',
  'config/node-config',
  'core/codec/transaction',
  'core/ledger/execute',
  'core/ledger/genesis',
  'core/ledger/read',
  'crypto/hpke',
  'crypto/phase-crypto',
  'crypto/signer',
  'crypto/suite',
  'roles/data-directory',
  'services/records/service',
  'store/kv-chain-store',
  'store/memory-store',
];

/** @param main `cli/main.js` of the program that is measured */
export async function loadProgram(main) {
  const parts = await Promise.all(
    PARTS.map(path => import(new URL(`../${path}.js`, pathToFileURL(main)).href)),
  );
  return Object.assign({}, ...parts);
}
