import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { dataPaths } from '../config/node-config.ts';
import { CommandFailure, EXIT } from './failure.ts';
import type { Io } from './io.ts';

/** The global options that say which node a command talks to. */
export interface ConnectOptions {
  readonly network?: string;
  readonly as?: string;
  readonly url?: string;
  readonly tokenFile?: string;
}

export interface Endpoint {
  readonly url: string;
  readonly token: string | null;
}

/** A file that a running devnet leaves in the working directory: the path of its data. */
export const NETWORK_POINTER = join('.phaseline', 'network');

async function readOptional(path: string): Promise<string | null> {
  return readFile(path, 'utf8').then(
    text => text.trim(),
    () => null,
  );
}

/** The directory that has one data directory a node. */
export async function networkDirectory(io: Io, options: ConnectOptions): Promise<string> {
  if (options.network !== undefined) return resolve(io.directory, options.network);
  const pointed = await readOptional(join(io.directory, NETWORK_POINTER));
  if (pointed !== null) return pointed;
  throw new CommandFailure(
    EXIT.cannotConnect,
    'no network is running from this directory',
    'Start one with: npm start — or name a node with --url URL --token-file FILE, or a network with --network DIR.',
  );
}

/** The data directory of a node that is named with `--as`. */
async function nodeDirectory(io: Io, options: ConnectOptions, name: string): Promise<string> {
  return join(await networkDirectory(io, options), name);
}

/** @param name node of the network; ignored when `--url` is given */
export async function resolveEndpoint(io: Io, options: ConnectOptions, name: string): Promise<Endpoint> {
  if (options.url !== undefined) {
    const token =
      options.tokenFile === undefined ? null : await readOptional(resolve(io.directory, options.tokenFile));
    if (options.tokenFile !== undefined && token === null) {
      throw new CommandFailure(EXIT.error, `cannot read the token file ${options.tokenFile}`);
    }
    return { url: options.url, token };
  }
  const paths = dataPaths(await nodeDirectory(io, options, name));
  const endpoint = await readOptional(paths.endpoint);
  if (endpoint === null) {
    throw new CommandFailure(
      EXIT.cannotConnect,
      `node "${name}" is not running (no ${paths.endpoint})`,
      'phaseline status shows the nodes that are.',
    );
  }
  return { url: (JSON.parse(endpoint) as { url: string }).url, token: await readOptional(paths.token) };
}
