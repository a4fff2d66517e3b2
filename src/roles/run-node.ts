import { rm } from 'node:fs/promises';
import { readGenesis } from '../config/genesis-file.ts';
import { dataPaths, readNodeConfig } from '../config/node-config.ts';
import { assertDefined } from '../core/base/assert.ts';
import { lockDirectory } from '../store/directory-lock.ts';
import { createLogger } from '../system/logger.ts';
import { createConsensusRole } from './consensus-role.ts';
import { openKeys, writePrivateFile } from './data-directory.ts';
import { createManagerRole } from './manager-role.ts';
import type { NodeRole, RoleInput } from './node-role.ts';
import { createParticipantRole } from './participant-role.ts';
import { stopRequest } from './stop-request.ts';

const ROLES: Record<string, (input: RoleInput) => Promise<NodeRole>> = {
  consensus: createConsensusRole,
  participant: createParticipantRole,
  manager: createManagerRole,
};

/**
 * Starts the node of a data directory and runs until it is asked to stop or fails.
 * @throws OperatingError that names what could not be read or started
 */
export async function runNode(dir: string): Promise<void> {
  const paths = dataPaths(dir);
  const config = await readNodeConfig(dir);
  const genesis = await readGenesis(paths.genesis);
  const logger = createLogger(config.log.level, { node: config.name });
  const lock = await lockDirectory(dir);
  const stop = stopRequest();
  try {
    const keys = await openKeys(paths);
    const create = assertDefined(ROLES[config.role], 'a role that the configuration knows');
    const role = await create({ paths, config, genesis, keys, logger });
    await role.service.start();
    const url = role.url();
    await writePrivateFile(paths.endpoint, `${JSON.stringify({ url, pid: process.pid })}\n`);
    logger.info({ url, role: config.role }, 'started');
    const why = await Promise.race([stop.requested, role.failed]);
    logger.info({ why: String(why) }, 'stopping');
    await rm(paths.endpoint, { force: true });
    await role.service.stop();
    if (why instanceof Error) throw why;
    logger.info({}, 'stopped');
  } finally {
    stop.release();
    await lock.release();
  }
}
