// What micro-benchmarks work on: a phase in a ledger in memory, and records for it, encrypted and signed as on a member's node.
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { loadProgram } from '../consensus/program.mjs';
import { ShadowLedger, serviceOver } from '../consensus/shadow.mjs';

const MEMBER = 'load';
const PAYLOAD_BYTES = 250;
const TREE_SIZE = 64;

const PARTS = [
  'core/base/ids',
  'core/merkle/log',
  'core/merkle/map',
  'services/pool/verified',
  'store/file-wal',
  'store/level-store',
  'wire/pool',
];

/** The compiled program, with the parts that only micro-benchmarks call. */
export async function loadParts(main) {
  const program = await loadProgram(main);
  const load = path => import(new URL(`../${path}.js`, pathToFileURL(main)).href);
  return Object.assign({ ...program }, ...(await Promise.all(PARTS.map(load))));
}

/** A genesis of one validator and one member, whose keys are made in `dir`. */
async function genesisIn(program, dir) {
  const { createDataDirectory, openKeys, dataPaths, DEFAULT_PARAMETERS } = program;
  const make = async (role, name) => {
    const config = { role, name, network: { listen: ['/ip4/127.0.0.1/tcp/0'], peers: [] }, rpc: {}, log: {} };
    return createDataDirectory(join(dir, name), config, 'a benchmark');
  };
  const { validator } = await make('consensus', 'node-1');
  const { card } = await make('manager', MEMBER);
  process.env.PHASELINE_PASSPHRASE = 'a benchmark';
  const keys = await openKeys(dataPaths(join(dir, MEMBER)));
  const genesis = {
    ...{ name: 'micro', timeMs: Date.now() - 86_400_000, parameters: DEFAULT_PARAMETERS },
    ...{ validators: [validator], administrators: [MEMBER], administratorThreshold: 1, members: [card] },
  };
  return { genesis, keys };
}

function accepted(result) {
  if (result.reject !== undefined) throw new Error(`${result.reject}: ${result.detail}`);
  return result;
}

/** @returns the ledger, the phase, `each` and `batch`: encoded records, signed one by one and in trees */
export async function makeMaterial(program, dir, count) {
  const { genesis, keys } = await genesisIn(program, mkdtempSync(join(dir, 'keys-')));
  const ledger = new ShadowLedger(program);
  await ledger.open(genesis);
  const { bodyId, encodeSignedTransaction, nodeSuite } = program;
  let take = bytes => ledger.execute(bytes);
  const service = serviceOver(program, ledger, { member: MEMBER, keys }, async signed => {
    const results = [];
    for (const one of signed) {
      await take(encodeSignedTransaction(one));
      results.push({ id: bodyId(nodeSuite.sha256, one.body), end: 'block', outcome: 0, height: 1 });
    }
    return results;
  });
  const { project } = accepted(await service.createProject('micro'));
  const participants = [{ member: MEMBER, roles: 2 }];
  const { phase } = accepted(
    await service.addPhase({
      ...{ project, label: 'micro', predecessors: [], custody: 0, participants },
      policy: { copiesTarget: 1, copiesMinimum: 1 },
    }),
  );
  accepted(await service.openPhase(phase));
  const made = [];
  take = bytes => made.push(bytes);
  const data = new TextEncoder().encode('x'.repeat(PAYLOAD_BYTES));
  const content = { type: 'note', title: '', mediaType: 'text/plain', data, files: [], references: [] };
  const put = () => service.putRecord({ phase, ...content }).then(accepted);
  for (let index = 0; index < count; index += 1) await put();
  const each = made.splice(0);
  for (let index = 0; index < count; index += TREE_SIZE)
    await Promise.all(Array.from({ length: TREE_SIZE }, put));
  return { ledger, genesis, keys, phase, each, batch: made.slice(0, count), put };
}
