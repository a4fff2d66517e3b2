import { rm } from 'node:fs/promises';
import { readGenesis } from '../config/genesis-file.ts';
import { dataPaths, readNodeConfig } from '../config/node-config.ts';
import { assertDefined } from '../core/base/assert.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import { lockDirectory } from '../store/directory-lock.ts';
import { expectBuffers } from '../system/collector.ts';
import { createLogger } from '../system/logger.ts';
import { createConsensusRole } from './consensus-role.ts';
import { openKeys, writePrivateFile } from './data-directory.ts';
import { createManagerRole } from './manager-role.ts';
import type { NodeRole, RoleInput } from './node-role.ts';
import { createParticipantRole } from './participant-role.ts';
import { stopRequest } from './stop-request.ts';
import { uncaughtFault } from './uncaught-fault.ts';

const ROLES: Record<string, (input: RoleInput) => Promise<NodeRole>> = {
  consensus: createConsensusRole,
  participant: createParticipantRole,
  manager: createManagerRole,
};

/** Where a fault that nobody expected came from is for the log only. */
function detailOf(fault: Error): string {
  return fault instanceof OperatingError ? fault.message : (fault.stack ?? fault.message);
}

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
  const fault = uncaughtFault();
  try {
    const keys = await openKeys(paths);
    // a consensus node has no files, and a heap that may be large
    if (config.role !== 'consensus') expectBuffers();
    const create = assertDefined(ROLES[config.role], 'a role that the configuration knows');
    const role = await create({ paths, config, genesis, keys, logger });
    await role.service.start();
    const url = role.url();
    await writePrivateFile(paths.endpoint, `${JSON.stringify({ url, pid: process.pid })}\n`);
    logger.info({ url, role: config.role }, 'started');
    const why = await Promise.race([stop.requested, role.failed, fault.occurred]);
    if (why instanceof Error) logger.error({ error: detailOf(why) }, 'stopping after a fault');
    else logger.info({ why }, 'stopping');
    await rm(paths.endpoint, { force: true });
    await role.service.stop();
    if (why instanceof Error) throw why;
    logger.info({}, 'stopped');
  } finally {
    stop.release();
    fault.release();
    await lock.release();
  }
}
