import type { DataPaths, NodeConfig } from '../config/node-config.ts';
import type { Genesis } from '../core/types/state.ts';
import type { KeyBundle } from '../crypto/keystore.ts';
import type { Service } from '../ports/lifecycle.ts';
import type { Logger } from '../ports/logger.ts';

/** What every role is built of. */
export interface RoleInput {
  readonly paths: DataPaths;
  readonly config: NodeConfig;
  readonly genesis: Genesis;
  readonly keys: KeyBundle;
  readonly logger: Logger;
}

export interface NodeRole {
  readonly service: Service;
  /** JSON-RPC address, after the start. */
  url(): string;
  /** Resolves with the error when the node can no longer do its work (a failed disk, a broken invariant). */
  readonly failed: Promise<Error>;
}

/** Starts in order; stops in reverse; a failed start stops what was started (house rule 9). */
export function sequence(services: readonly Service[]): Service {
  const started: Service[] = [];
  const stop = async () => {
    while (started.length > 0) await started.pop()!.stop();
  };
  return {
    start: async () => {
      for (const service of services) {
        try {
          await service.start();
        } catch (error) {
          await stop();
          throw error;
        }
        started.push(service);
      }
    },
    stop,
  };
}
