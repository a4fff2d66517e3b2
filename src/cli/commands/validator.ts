import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../failure.ts';
import type { Io } from '../io.ts';
import { openSession, type Session } from '../session.ts';
import { EXPIRES_OPTION, propose } from './proposal.ts';

interface ValidatorCard {
  readonly validator: { readonly name: string; readonly publicKey: string; readonly peerId: string };
  readonly addresses: readonly string[];
  readonly proof: string;
}

interface ValidatorsAnswer {
  readonly setId: number;
  readonly sinceHeight: number;
  readonly quorum: number;
  readonly faultsTolerated: number;
  readonly protocolVersion: number;
  readonly validators: readonly {
    readonly name: string;
    readonly publicKey: string;
    readonly peerId: string;
    readonly connected: boolean;
    readonly signedHead: boolean;
    readonly evidence: number;
  }[];
}

interface ProposeOptions {
  readonly card?: string;
  readonly title?: string;
  readonly address?: readonly string[];
  readonly expiresBlocks?: number;
}

const KEY_CHARACTERS = 16;

function keyText(publicKey: string): string {
  return Buffer.from(publicKey, 'base64').toString('hex').slice(0, KEY_CHARACTERS);
}

function showValidators(session: Session, answer: ValidatorsAnswer): void {
  const { setId, sinceHeight, quorum, faultsTolerated, validators } = answer;
  session.show(answer, {
    text: `set ${setId} since height ${sinceHeight}: ${validators.length} validators, ${quorum} decide, ${faultsTolerated} may fail`,
    head: ['VALIDATOR', 'CONNECTED', 'SIGNED HEAD', 'EVIDENCE', 'KEY', 'PEER'],
    rows: validators.map(entry => [
      entry.name,
      entry.connected ? 'yes' : 'no',
      entry.signedHead ? 'yes' : 'no',
      entry.evidence === 0 ? '' : `${entry.evidence} ${entry.evidence === 1 ? 'piece' : 'pieces'}`,
      `${keyText(entry.publicKey)}…`,
      entry.peerId,
    ]),
  });
}

async function readCard(io: Io, file: string): Promise<ValidatorCard> {
  const text = await readFile(resolve(io.directory, file), 'utf8').catch(() => null);
  if (text === null) throw new CommandFailure(EXIT.usage, `cannot read ${file}`);
  try {
    const card = JSON.parse(text) as ValidatorCard;
    if (typeof card.proof === 'string' && typeof card.validator?.publicKey === 'string') return card;
  } catch {
    // The same answer for a file that is something else.
  }
  throw new CommandFailure(
    EXIT.usage,
    `${file} is no card of a consensus node`,
    'Print one on its machine with: phaseline validator card, or phaseline validator new-key',
  );
}

/** From a file, or from the node itself where it belongs to the same network. */
async function cardOf(
  io: Io,
  command: Command,
  name: string,
  options: ProposeOptions,
  method: 'validator_card' | 'validator_newKey',
): Promise<ValidatorCard> {
  if (options.card !== undefined) return readCard(io, options.card);
  const node = await openSession(io, command, name, { ignoreAs: true });
  return node.call<ValidatorCard>(method);
}

function addReading(validator: Command, io: Io): void {
  validator
    .command('list')
    .description('the consensus nodes that decide the next block')
    .action(async (_: object, command: Command) => {
      const session = await openSession(io, command, 'manager');
      showValidators(session, await session.call<ValidatorsAnswer>('validator_list'));
    });
  const cards = [
    ['card', 'validator_card', 'print what administrators need to propose a consensus node'],
    [
      'new-key',
      'validator_newKey',
      'prepare the next consensus key of a node and print the card that proposes it',
    ],
  ] as const;
  for (const [name, method, description] of cards) {
    validator
      .command(name)
      .description(description)
      .argument('[node]', 'a consensus node of this network; otherwise the one of --url')
      .action(async (node: string | undefined, _: object, command: Command) => {
        const session = await openSession(io, command, node ?? null);
        io.out(JSON.stringify(await session.call<ValidatorCard>(method), null, 2));
        if (method === 'validator_newKey')
          session.tell(
            'the node uses it once a proposal that names it has passed: phaseline validator propose-rekey',
          );
      });
  }
}

function addProposals(validator: Command, io: Io): void {
  validator
    .command('propose-add')
    .description('propose a consensus node as a validator')
    .argument('<node>', 'a node of this network, or the name on the card')
    .option('--card <file>', 'what `validator card` printed on its machine')
    .option('--address <multiaddr...>', 'where the others reach it, instead of where it listens')
    .option('--title <text>', 'what the other administrators read')
    .option(...EXPIRES_OPTION)
    .action(async (name: string, options: ProposeOptions, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const {
        validator: entry,
        addresses,
        proof,
      } = await cardOf(io, command, name, options, 'validator_card');
      const places = options.address ?? addresses;
      const action = { type: 'validatorAdd', validator: entry, addresses: places, proof };
      await propose(session, options.title ?? `add validator ${entry.name}`, [action], options.expiresBlocks);
    });
  validator
    .command('propose-remove')
    .description('propose that a consensus node is a validator no more')
    .argument('<validator>', 'its name')
    .option('--title <text>', 'what the other administrators read')
    .option(...EXPIRES_OPTION)
    .action(async (name: string, options: ProposeOptions, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const action = { type: 'validatorRemove', name };
      await propose(session, options.title ?? `remove validator ${name}`, [action], options.expiresBlocks);
    });
  validator
    .command('propose-rekey')
    .description('propose a new consensus key for a validator, after a loss or as a precaution')
    .argument('<validator>', 'its name')
    .option('--card <file>', 'what `validator new-key` printed on its machine')
    .option('--title <text>', 'what the other administrators read')
    .option(...EXPIRES_OPTION)
    .action(async (name: string, options: ProposeOptions, command: Command) => {
      const session = await openSession(io, command, 'manager');
      const card = await cardOf(io, command, name, options, 'validator_newKey');
      const { publicKey } = card.validator;
      const action = { type: 'validatorRekey', name, publicKey, proof: card.proof };
      await propose(
        session,
        options.title ?? `new key for validator ${name}`,
        [action],
        options.expiresBlocks,
      );
    });
}

export function addValidatorCommands(program: Command, io: Io): void {
  const validator = program.command('validator').description('consensus nodes and who decides');
  addReading(validator, io);
  addProposals(validator, io);
}
