import { readFileSync } from 'node:fs';
import { systemRandom } from '../crypto/random.ts';
import type { NodeApi } from '../rpc/api.ts';
import type { SignedRequestCheck } from '../rpc/dispatcher.ts';
import type { FileRoutesApi } from '../rpc/file-routes.ts';
import type { RpcMethod } from '../rpc/method.ts';
import { createMetrics, type MetricsRegistry, NODE_METRICS } from '../rpc/metrics.ts';
import { RpcServer } from '../rpc/server.ts';
import { openSessionToken } from '../rpc/session.ts';
import { systemClock } from '../system/clock.ts';
import type { RoleInput } from './node-role.ts';

const packageJson = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
export const VERSION = packageJson.version;

export interface RpcParts {
  readonly methods: readonly RpcMethod[];
  readonly node: NodeApi;
  readonly files: FileRoutesApi | null;
  readonly checkSigned: SignedRequestCheck | null;
  readonly onFatal: (error: Error) => void;
  /** Of a role that fills more than what every node has. */
  readonly metrics?: MetricsRegistry;
}

/** The RPC server of a role; the same limits, token and health pages for all of them. */
export async function createRpcServer(
  { paths, config, logger }: RoleInput,
  parts: RpcParts,
): Promise<RpcServer> {
  const metrics = parts.metrics ?? createMetrics({ node: config.name }, NODE_METRICS);
  return new RpcServer({
    ...config.rpc,
    ...parts,
    info: { title: `Phaseline ${config.role} node ${config.name}`, version: VERSION },
    token: await openSessionToken(paths.token, systemRandom),
    metrics,
    clock: systemClock,
    logger,
  });
}

/** A promise and the function that resolves it once. */
export function failureSignal(): { failed: Promise<Error>; fail: (error: unknown) => void } {
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<Error>(resolve => {
    fail = error => resolve(error instanceof Error ? error : new Error(String(error)));
  });
  return { failed, fail };
}
