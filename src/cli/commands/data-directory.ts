import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_PARAMETERS, formatGenesis, parseGenesis, readGenesis } from '../../config/genesis-file.ts';
import { dataPaths, readNodeConfig } from '../../config/node-config.ts';
import { toHex } from '../../core/base/bytes.ts';
import { isMemberId, type MemberId } from '../../core/base/ids.ts';
import type { PublicIdentity } from '../../roles/data-directory.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import type { Io } from '../io.ts';
import { wholeNumber } from '../options.ts';

interface InitOptions {
  readonly dir: string;
  readonly role: 'consensus' | 'participant' | 'manager';
  readonly name: MemberId;
  readonly displayName?: string;
  readonly genesis?: string;
  readonly listen: string;
  readonly rpcPort: number;
  readonly peer: readonly { peerId: string; addresses: string[] }[];
}

/** After an orderly stop nothing is left to wait for; libp2p's address manager still has a timer of a second. */
const END_GRACE_MS = 100;

/** A node's libraries take half a second to load: only the commands that are a node load them. */
const loadDataDirectory = () => import('../../roles/data-directory.ts');

function parseName(text: string): MemberId {
  if (isMemberId(text)) return text;
  throw new InvalidArgumentError(
    'a name is a-z, 0-9 and -, starts with a letter and has at most 32 characters.',
  );
}

type Peer = { peerId: string; addresses: string[] };

/** `/ip4/10.0.0.1/tcp/7801/p2p/PEERID`, any number of times. */
function collectPeer(text: string, before: readonly Peer[]): readonly Peer[] {
  const match = /^(\/.+)\/p2p\/([A-Za-z0-9]+)$/.exec(text);
  if (match === null) throw new InvalidArgumentError('a peer looks like /ip4/10.0.0.1/tcp/7801/p2p/PEERID.');
  return [...before, { peerId: match[2]!, addresses: [match[1]!] }];
}

export function identityDocument(identity: PublicIdentity): object {
  if (identity.role === 'consensus') {
    const { validator } = identity;
    return { role: identity.role, ...validator, publicKey: toHex(validator.publicKey) };
  }
  const { card } = identity;
  return {
    role: identity.role,
    ...card,
    signingKey: toHex(card.signingKey),
    sealingKey: toHex(card.sealingKey),
  };
}

async function init(options: InitOptions, io: Io): Promise<void> {
  const passphrase = io.environment.PHASELINE_PASSPHRASE?.trim();
  if (!passphrase) {
    throw new CommandFailure(
      EXIT.usage,
      'no passphrase for the new keystore',
      'Set PHASELINE_PASSPHRASE and try again.',
    );
  }
  const dir = resolve(io.directory, options.dir);
  const genesis =
    options.genesis === undefined ? null : await readGenesis(resolve(io.directory, options.genesis));
  const config = {
    role: options.role,
    name: options.name,
    ...(options.displayName === undefined ? {} : { displayName: options.displayName }),
    network: { listen: [options.listen], peers: options.peer.map(peer => ({ ...peer })) },
    rpc: {
      ...{ host: '127.0.0.1', port: options.rpcPort, portTries: 0 },
      ...{ allowedHosts: [], allowedOrigins: [], admin: false },
    },
    log: { level: 'info' as const },
  };
  const { createDataDirectory } = await loadDataDirectory();
  const identity = await createDataDirectory(dir, config, passphrase);
  if (genesis !== null) await writeFile(dataPaths(dir).genesis, formatGenesis(genesis), { mode: 0o600 });
  io.out(JSON.stringify(identityDocument(identity), null, 2));
  io.err(
    `made ${dir}; the lines above are its public identity, for the consortium's genesis file or its administrators`,
  );
}

async function identity(dir: string, io: Io): Promise<void> {
  const config = await readNodeConfig(resolve(io.directory, dir));
  const { openKeys, publicIdentity } = await loadDataDirectory();
  const keys = await openKeys(dataPaths(resolve(io.directory, dir)));
  io.out(
    JSON.stringify(
      identityDocument(
        await publicIdentity(config.role, config.name, config.displayName ?? config.name, keys),
      ),
      null,
      2,
    ),
  );
}

interface GenesisOptions {
  readonly name: string;
  readonly out: string;
  readonly threshold: number;
}

interface IdentityDocument {
  readonly role: string;
  readonly id?: string;
}

async function readIdentity(file: string, io: Io): Promise<IdentityDocument> {
  const fail = (detail: string) =>
    new CommandFailure(EXIT.usage, detail, 'Give the files with what `phaseline init` printed.');
  const text = await readFile(resolve(io.directory, file), 'utf8').catch(() => null);
  if (text === null) throw fail(`cannot read ${file}`);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw fail(`${file} is not JSON`);
  }
  if (typeof document !== 'object' || document === null || !('role' in document)) {
    throw fail(`${file} is no public identity: it names no role`);
  }
  return document as IdentityDocument;
}

/** @param files what `phaseline init` printed for each validator and administrator */
async function createGenesis(files: readonly string[], options: GenesisOptions, io: Io): Promise<void> {
  const identities = await Promise.all(files.map(file => readIdentity(file, io)));
  const withoutRole = ({ role: _, ...rest }: { role: string }) => rest;
  const members = identities
    .filter(identity => identity.role !== 'consensus')
    .sort((a, b) => (String(a.id) < String(b.id) ? -1 : 1));
  const document = {
    name: options.name,
    time: new Date().toISOString(),
    parameters: DEFAULT_PARAMETERS,
    validators: identities.filter(identity => identity.role === 'consensus').map(withoutRole),
    administrators: members.map(member => member.id),
    administratorThreshold: options.threshold,
    members: members.map(withoutRole),
  };
  const text = formatGenesis(parseGenesis(JSON.stringify(document), 'genesis'));
  const out = resolve(io.directory, options.out);
  await mkdir(dirname(out), { recursive: true });
  await writeFile(out, text, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    throw new CommandFailure(EXIT.error, `cannot write ${out}: ${error.code}`, 'Choose another --out.');
  });
  io.err(`wrote ${out}; give the same file to every node of the consortium`);
}

export function addDataCommands(program: Command, io: Io): void {
  program
    .command('init')
    .description('make a data directory with fresh keys and print its public identity')
    .requiredOption('--dir <dir>', 'the new data directory')
    .addOption(
      new Option('--role <role>').choices(['consensus', 'participant', 'manager']).makeOptionMandatory(),
    )
    .requiredOption('--name <name>', 'validator name, or member id', parseName)
    .option('--display-name <text>', 'what people read')
    .option('--genesis <file>', 'genesis.json of the consortium')
    .option('--listen <multiaddr>', 'where the node listens for peers', '/ip4/127.0.0.1/tcp/7801')
    .option('--rpc-port <port>', 'JSON-RPC port on loopback', wholeNumber(0, 65_535), 7701)
    .option('--peer <multiaddr>', 'a consensus node: /ip4/…/tcp/…/p2p/PEERID (repeat)', collectPeer, [])
    .action((options: InitOptions) => init(options, io));

  program
    .command('identity')
    .description("print a data directory's public identity")
    .requiredOption('--dir <dir>', 'data directory')
    .action((options: { dir: string }) => identity(options.dir, io));

  program
    .command('genesis')
    .description('make a genesis file of public identities')
    .argument('<identity...>', 'files with what `phaseline init` printed: validators and administrators')
    .requiredOption('--name <name>', 'name of the consortium')
    .option('--out <file>', 'file to write', 'genesis.json')
    .option('--threshold <n>', 'ballots of administrators that a proposal needs', wholeNumber(1), 1)
    .action((files: string[], options: GenesisOptions) => createGenesis(files, options, io));

  program
    .command('start')
    .description('start the node of a data directory; Ctrl-C stops it in order')
    .requiredOption('--dir <dir>', 'data directory')
    .action(async (options: { dir: string }) => {
      const { runNode } = await import('../../roles/run-node.ts');
      try {
        await runNode(resolve(io.directory, options.dir));
      } finally {
        setTimeout(() => process.exit(), END_GRACE_MS).unref();
      }
    });
}
