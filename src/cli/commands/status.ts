import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { createClient } from '../../client/client.ts';
import { dataPaths } from '../../config/node-config.ts';
import { networkDirectory } from '../connect.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import { type Io, show } from '../io.ts';
import type { GlobalOptions } from '../program.ts';
import { openSession } from '../session.ts';

export interface NodeStatusAnswer {
  readonly role: string;
  readonly name: string;
  readonly head: { readonly height: number; readonly hash: string } | null;
  readonly peers: readonly { readonly connected: boolean }[];
  readonly ready: boolean;
  readonly notReady: readonly string[];
}

export interface NodeLine {
  readonly name: string;
  readonly url: string | null;
  readonly status: NodeStatusAnswer | null;
}

/** Every node of a network directory, running or not. */
export async function networkStatus(dir: string): Promise<NodeLine[]> {
  const names = await readdir(dir).catch(() => []);
  const lines = await Promise.all(
    names.map(async (name): Promise<NodeLine | null> => {
      const paths = dataPaths(join(dir, name));
      const config = await readFile(paths.config).catch(() => null);
      if (config === null) return null;
      const endpoint = await readFile(paths.endpoint, 'utf8').catch(() => null);
      if (endpoint === null) return { name, url: null, status: null };
      const { url } = JSON.parse(endpoint) as { url: string };
      const status = await (createClient({ url }).call('node_status', {}) as Promise<NodeStatusAnswer>).catch(
        () => null,
      );
      return { name, url, status };
    }),
  );
  const order = ['consensus', 'manager', 'participant'];
  const rank = (line: NodeLine) => order.indexOf(line.status?.role ?? '') * 1000;
  return lines
    .filter(line => line !== null)
    .sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}

export const STATUS_HEAD = ['NAME', 'ROLE', 'RPC', 'HEIGHT', 'PEERS', 'STATE'];

export function statusRow({ name, url, status }: NodeLine): unknown[] {
  if (status === null) return [name, '', url ?? '', '', '', url === null ? 'not running' : 'does not answer'];
  const connected = status.peers.filter(peer => peer.connected).length;
  const state = status.ready ? 'ready' : status.notReady.join('; ');
  return [name, status.role, url, status.head?.height ?? '', connected, state];
}

export function addStatusCommand(program: Command, io: Io): void {
  program
    .command('status')
    .description('the nodes of the network, or with --as or --url one node')
    .action(async (_: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      if (options.as !== undefined || options.url !== undefined) {
        const session = await openSession(io, command, null);
        const status = await session.call<NodeStatusAnswer>('node_status');
        session.show(status, {
          head: STATUS_HEAD,
          rows: [statusRow({ name: status.name, url: options.url ?? '', status })],
        });
        if (!status.ready)
          throw new CommandFailure(EXIT.unhealthy, `${status.name}: ${status.notReady.join('; ')}`);
        return;
      }
      const dir = await networkDirectory(io, options);
      const lines = await networkStatus(dir);
      if (lines.length === 0) {
        throw new CommandFailure(
          EXIT.cannotConnect,
          `there is no data directory of a node in ${dir}`,
          'Give --network DIR the directory that has one directory a node, or --url URL one node.',
        );
      }
      show(io, options.output, lines, { head: STATUS_HEAD, rows: lines.map(statusRow) });
      const unready = lines.filter(line => line.status?.ready !== true).map(line => line.name);
      if (unready.length > 0) throw new CommandFailure(EXIT.unhealthy, `not ready: ${unready.join(', ')}`);
    });
}
