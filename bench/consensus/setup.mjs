// The phase that the load writes into: made through the network, by the transactions that any owner would send.
import { ShadowLedger, serviceOver } from './shadow.mjs';

const COMMIT_MS_MAX = 30_000;
const CONTRIBUTOR = 2;

function accepted(result) {
  if (result.reject !== undefined) throw new Error(`${result.reject}: ${result.detail}`);
  return result;
}

/** Sends one transaction and waits for its block. */
async function commit(program, rpc, signed) {
  const bytes = program.encodeSignedTransaction(signed);
  const { id } = await rpc.call('tx_submit', { transaction: Buffer.from(bytes).toString('base64') });
  const { status, height, outcome } = await rpc.call('tx_status', { id, waitMs: COMMIT_MS_MAX });
  if (status !== 'committed') throw new Error(`the set-up was not committed: ${status}, outcome ${outcome}`);
  return { bytes, result: { id, end: 'block', outcome, height } };
}

/** @returns the open phase, and the transactions that made it, in order */
export async function setUp(program, network) {
  const ledger = new ShadowLedger(program);
  await ledger.open(network.genesis);
  const [{ rpc }] = network.nodes;
  const setup = [];
  const service = serviceOver(program, ledger, network.member, async signed => {
    const results = [];
    for (const one of signed) {
      const { bytes, result } = await commit(program, rpc, one);
      setup.push(bytes);
      await ledger.execute(bytes);
      results.push(result);
    }
    return results;
  });
  const { project } = accepted(await service.createProject('bench'));
  const { member } = network.member;
  const { phase } = accepted(
    await service.addPhase({
      ...{ project, label: 'bench', predecessors: [], custody: 0 },
      policy: { copiesTarget: 1, copiesMinimum: 1 },
      participants: [{ member, roles: CONTRIBUTOR }],
    }),
  );
  accepted(await service.openPhase(phase));
  return { phase, setup };
}
