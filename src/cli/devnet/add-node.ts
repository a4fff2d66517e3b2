import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { formatGenesis, readGenesis } from '../../config/genesis-file.ts';
import { dataPaths, readNodeConfig } from '../../config/node-config.ts';
import type { MemberId } from '../../core/base/ids.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import { createDataDirectory, writePrivateFile } from '../../roles/data-directory.ts';
import { readPlan, writePlan } from './plan.ts';
import { freePorts } from './ports.ts';

const START_TIMEOUT_MS = 30_000;
const POLL_MS = 100;
/** Above the ports that a network chooses by itself. */
const FIRST_PORT = 7901;

/** @returns when the running devnet has started the node and it answers */
async function started(dir: string, name: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < START_TIMEOUT_MS; waitedMs += POLL_MS) {
    const text = await readFile(dataPaths(dir).endpoint, 'utf8').catch(() => null);
    const url = text === null ? null : (JSON.parse(text) as { url: string }).url;
    const answers =
      url !== null &&
      (await fetch(`${url}/healthz`).then(
        ({ ok }) => ok,
        () => false,
      ));
    if (answers) return;
    await delay(POLL_MS);
  }
  throw new OperatingError(
    'not_started',
    `${name} was made in ${dir}, and no running network has started it`,
    'It starts with the network: phaseline devnet --dir DIR',
  );
}

/**
 * One more consensus node in a network's directory, which the running devnet starts; the validators let it in when it is
 * proposed.
 * @returns its name
 */
export async function addNode(networkDir: string): Promise<string> {
  const plan = await readPlan(networkDir);
  const consensus = plan?.filter(({ role }) => role === 'consensus') ?? [];
  const first = consensus[0];
  if (plan === null || first === undefined) {
    throw new OperatingError(
      'no_network',
      `${networkDir} is no network of a devnet`,
      'Start one with: phaseline devnet --dir DIR',
    );
  }
  const known = new Set(await readdir(networkDir));
  let number = consensus.length + 1;
  while (known.has(`node-${number}`)) number += 1;
  const name = `node-${number}`;
  const dir = join(networkDir, name);
  const model = join(networkDir, first.name);
  const { network, ...rest } = await readNodeConfig(model);
  const ports = await freePorts(2, FIRST_PORT, () => {});
  const config = {
    ...rest,
    name: name as MemberId,
    displayName: `Node-${number}`,
    network: { ...network, listen: [`/ip4/127.0.0.1/tcp/${ports[1]}`] },
    rpc: { ...rest.rpc, port: ports[0]! },
  };
  const passphrase = (await readFile(dataPaths(model).passphrase, 'utf8')).trim();
  await createDataDirectory(dir, config, passphrase);
  await writePrivateFile(dataPaths(dir).passphrase, `${passphrase}\n`);
  const genesis = formatGenesis(await readGenesis(dataPaths(model).genesis));
  await writeFile(dataPaths(dir).genesis, genesis, { mode: 0o600 });
  // Consensus nodes first: the network tells all others where they listen.
  const added = plan.toSpliced(consensus.length, 0, { role: 'consensus', name });
  await writePlan(networkDir, added);
  await started(dir, name);
  return name;
}
