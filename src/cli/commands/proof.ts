import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { CommandFailure, EXIT } from '../failure.ts';
import type { Io } from '../io.ts';
import { wholeNumber } from '../options.ts';
import { rangeOf } from '../proofs/range.ts';
import { addVerifyOptions, type VerifyOptions, verifyFile } from '../proofs/verify.ts';
import { openSession, type Session } from '../session.ts';
import { type CheckAnswer, recordKey } from './record.ts';

interface ProofAnswer {
  readonly proof: string;
  readonly bytes: number;
  readonly height: number;
  readonly time: { readonly iso: string };
  readonly checks: readonly CheckAnswer[];
}

interface OutOption {
  readonly out: string;
}

async function writeNew(io: Io, out: string, content: Uint8Array | string): Promise<string> {
  const path = resolve(io.directory, out);
  await writeFile(path, content, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    const what = error.code === 'EEXIST' ? 'it is there already' : error.code;
    throw new CommandFailure(EXIT.error, `cannot write ${path}: ${what}`, 'Name another file with --out.');
  });
  return path;
}

/** Asks, writes the file, and says what it proves; `phaseline proof verify` says it to others. */
async function prove(io: Io, session: Session, method: string, params: object, out: string): Promise<void> {
  const answer = await session.call<ProofAnswer>(method, params);
  const path = await writeNew(io, out, Buffer.from(answer.proof, 'base64'));
  const { proof: _file, ...said } = answer;
  session.show(
    { path, ...said },
    {
      pairs: [
        ['wrote', path],
        ['bytes', answer.bytes],
        ['as of', `height ${answer.height}, ${answer.time.iso}`],
        ...answer.checks
          .filter(({ name }) => name.startsWith('proven: '))
          .map(({ name, detail }) => [name, detail] as const),
      ],
    },
  );
}

interface HeadAnswer {
  readonly hash: string;
  readonly header: { readonly height: number };
  readonly fresh: boolean;
  readonly reason: string | null;
}

async function head(io: Io, options: OutOption, command: Command): Promise<void> {
  const session = await openSession(io, command, null);
  const answer = await session.call<HeadAnswer>('proof_head');
  const path = await writeNew(io, options.out, `${JSON.stringify(answer, null, 2)}\n`);
  session.show(
    { path, ...answer },
    {
      pairs: [
        ['wrote', path],
        ['height', answer.header.height],
        ['hash', answer.hash],
        ['fresh', answer.fresh ? 'yes, f + 1 validators know no higher one' : `not shown: ${answer.reason}`],
      ],
    },
  );
}

interface RangeOptions extends OutOption {
  readonly phase: string;
  readonly from?: string;
  readonly to?: string;
  readonly payloads?: boolean;
}

function addAsking(
  proof: Command,
  io: Io,
  name: string,
  description: string,
  method: string,
  describe: (command: Command) => Command,
  params: (argument: string | undefined, options: Record<string, unknown>) => object,
): void {
  const command = describe(proof.command(name).description(description));
  command.requiredOption('--out <file>', 'the file to write').action(async (...given: unknown[]) => {
    const self = given.at(-1) as Command;
    const options = given.at(-2) as OutOption & Record<string, unknown>;
    const argument = given.length > 2 ? (given[0] as string) : undefined;
    const asked = params(argument, options);
    await prove(io, await openSession(io, self, null), method, asked, options.out);
  });
}

const withHeight = (command: Command) =>
  command.requiredOption('--height <n>', 'the height that is asked about', wholeNumber(0));
const withPhase = (command: Command) =>
  command.requiredOption('--phase <phase>', 'phase: label, id or start of the id');

/** What is in a phase and what is not. */
function addLogQuestions(proof: Command, io: Io): void {
  addAsking(
    proof,
    io,
    'record',
    'that a record is in a phase, by whom and when',
    'proof_record',
    command => withPhase(command.argument('<record>', 'id or position')),
    (key, options) => ({ phase: options.phase, record: recordKey(key!) }),
  );
  addAsking(
    proof,
    io,
    'range',
    'everything that a phase has in a range; nothing of it can be missing',
    'proof_range',
    command =>
      withPhase(command)
        .option('--from <bound>', 'a position, height:N, or a time such as 2026-01-31')
        .option('--to <bound>', 'the first that is not asked for')
        .option('--payloads', 'with the contents that this node can read'),
    (_none, options) => {
      const { phase: name, from, to, payloads = false } = options as unknown as RangeOptions;
      return { phase: name, payloads, ...rangeOf(from, to) };
    },
  );
  addAsking(
    proof,
    io,
    'absence',
    'that a phase has no record of an id, or that there is no such phase or project',
    'proof_absence',
    command =>
      command
        .argument('<id>', 'whole id, 64 hexadecimal characters')
        .addOption(
          new Option('--of <what>', 'what is absent')
            .choices(['record', 'phase', 'project'])
            .default('record'),
        )
        .option('--phase <phase>', 'where the record is not'),
    (id, options) => ({ id, what: options.of, phase: options.phase ?? null }),
  );
}

/** What held at a height. */
function addHeightQuestions(proof: Command, io: Io): void {
  addAsking(
    proof,
    io,
    'participants',
    'who was in a phase at a height',
    'proof_participants',
    command => withHeight(withPhase(command)),
    (_none, options) => ({ phase: options.phase, height: options.height }),
  );
  addAsking(
    proof,
    io,
    'epoch',
    'which key epoch was current in a phase at a height',
    'proof_epoch',
    command => withHeight(withPhase(command)),
    (_none, options) => ({ phase: options.phase, height: options.height }),
  );
  addAsking(
    proof,
    io,
    'key',
    'which keys a member signed with at a height',
    'proof_memberKey',
    command => withHeight(command.argument('<member>', 'member id')),
    (member, options) => ({ member, height: options.height }),
  );
}

async function consistency(io: Io, earlier: string, options: OutOption, command: Command): Promise<void> {
  const bytes = await readFile(resolve(io.directory, earlier)).catch((error: NodeJS.ErrnoException) => {
    throw new CommandFailure(EXIT.error, `cannot read ${earlier}: ${error.code}`);
  });
  const session = await openSession(io, command, null);
  await prove(io, session, 'proof_consistency', { earlier: bytes.toString('base64') }, options.out);
}

export function addProofCommands(program: Command, io: Io): void {
  const proof = program.command('proof').description('files that prove one thing, checked without any node');
  addLogQuestions(proof, io);
  addHeightQuestions(proof, io);
  proof
    .command('consistency')
    .description('that the head of now goes on from that of an earlier proof or dossier')
    .argument('<earlier>', 'the earlier file')
    .requiredOption('--out <file>', 'the file to write')
    .action((earlier: string, options: OutOption, command: Command) =>
      consistency(io, earlier, options, command),
    );
  proof
    .command('head')
    .description(
      'write the highest head that this node verified, to be pinned, and ask validators whether it is fresh',
    )
    .requiredOption('--out <file>', 'the file to write')
    .action((options: OutOption, command: Command) => head(io, options, command));
  addVerifyOptions(
    proof
      .command('verify')
      .description('check a proof without any node, and say what it proves, check by check'),
  ).action((file: string, options: VerifyOptions, command: Command) =>
    verifyFile(io, file, options, command),
  );
}
