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
  readonly head: {
    readonly height: number;
    readonly hash: string;
    readonly time: { readonly ms: number };
  } | null;
  readonly peers: readonly {
    readonly name: string | null;
    readonly peer: string;
    readonly connected: boolean;
    readonly note: string | null;
  }[];
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

/** AGE: of the head's time. Nobody vouches here that there is no newer one; `proof_head` asks for that. */
export const STATUS_HEAD = ['NAME', 'ROLE', 'RPC', 'HEIGHT', 'AGE', 'PEERS', 'STATE'];

const AGE_UNITS = [
  { name: 'd', seconds: 86_400 },
  { name: 'h', seconds: 3_600 },
  { name: 'min', seconds: 60 },
] as const;

/** In the largest unit that is reached twice; the clocks of validators may be ahead of this one. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const unit = AGE_UNITS.find(entry => seconds >= 2 * entry.seconds);
  return unit === undefined ? `${seconds} s` : `${Math.floor(seconds / unit.seconds)} ${unit.name}`;
}

export function statusRow({ name, url, status }: NodeLine): unknown[] {
  if (status === null)
    return [name, '', url ?? '', '', '', '', url === null ? 'not running' : 'does not answer'];
  const { head, peers } = status;
  const connected = peers.filter(peer => peer.connected).length;
  const notes = peers.flatMap(peer =>
    peer.note ? [`${peer.name ?? peer.peer.slice(-8)} ${peer.note}`] : [],
  );
  const state = [...(status.ready ? ['ready'] : status.notReady), ...notes].join('; ');
  const age = head === null ? '' : ageText(Date.now() - head.time.ms);
  return [name, status.role, url, head?.height ?? '', age, connected, state];
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
