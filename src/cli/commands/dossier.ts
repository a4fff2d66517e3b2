import { resolve } from 'node:path';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../failure.ts';
import { type Io, show } from '../io.ts';
import type { GlobalOptions } from '../program.ts';
import { writeVerifierPage } from '../proofs/page.ts';
import { writeSealingKey } from '../proofs/sealing-key.ts';
import { addVerifyOptions, type VerifyOptions, verifyFile } from '../proofs/verify.ts';
import { openSession } from '../session.ts';
import { recordKey } from './record.ts';

interface ExportOptions {
  readonly phase: string;
  readonly out: string;
  readonly payloads?: boolean;
  readonly record?: string;
  readonly disclose: readonly string[];
  readonly recipient: readonly string[];
}

const commaList = (text: string, before: readonly string[]) => [
  ...before,
  ...text.split(',').filter(Boolean),
];

async function exportDossier(io: Io, options: ExportOptions, command: Command): Promise<void> {
  const { record, disclose, recipient: recipients } = options;
  if (record === undefined && disclose.length > 0) {
    throw new CommandFailure(EXIT.usage, '--disclose shows fields of one record: name it with --record');
  }
  // Whoever shows single fields, or shows to recipients only, does not mean to show all to everybody.
  const payloads = options.payloads ?? (disclose.length === 0 && recipients.length === 0);
  const session = await openSession(io, command, null);
  const asked = {
    ...{ phase: options.phase, path: resolve(io.directory, options.out), payloads, recipients, disclose },
    record: record === undefined ? null : recordKey(record),
  };
  const answer = await session.client.callLong<{ path: string; bytes: number; sha256: string }>(
    'dossier_export',
    asked,
  );
  session.show(answer, {
    pairs: [
      ['wrote', answer.path],
      ['bytes', answer.bytes],
      ['sha256', answer.sha256],
    ],
  });
}

async function makeKey(io: Io, options: { readonly out: string }, command: Command): Promise<void> {
  const path = resolve(io.directory, options.out);
  const publicKey = await writeSealingKey(path);
  const { output } = command.optsWithGlobals<GlobalOptions>();
  show(
    io,
    output,
    { path, publicKey },
    {
      pairs: [
        ['wrote', `${path} (keep it secret)`],
        ['public key', publicKey],
      ],
    },
  );
}

async function page(io: Io, options: { readonly out: string }, command: Command): Promise<void> {
  const paths = await writeVerifierPage(resolve(io.directory, options.out));
  const { output } = command.optsWithGlobals<GlobalOptions>();
  show(io, output, { paths }, { pairs: paths.map(path => ['wrote', path] as const) });
}

export function addDossierCommands(program: Command, io: Io): void {
  const dossier = program
    .command('dossier')
    .description('files that prove a phase or a record to a third party, offline');
  dossier
    .command('export')
    .description('write the dossier of a phase, or of one record, to a new file')
    .requiredOption('--phase <phase>', 'phase: label, id or start of the id')
    .requiredOption('--out <file>', 'the file to write')
    .option('--record <record>', 'this record only: id or position')
    .option(
      '--disclose <fields>',
      'fields of the record that everybody sees: title,data.amount',
      commaList,
      [],
    )
    .option(
      '--recipient <who>',
      'contents for these only: a member, or a sealing key (repeat)',
      commaList,
      [],
    )
    .option('--payloads', 'with the contents, for everybody (default without --disclose and --recipient)')
    .option('--no-payloads', 'without the contents')
    .action((options: ExportOptions, command: Command) => exportDossier(io, options, command));
  addVerifyOptions(
    dossier
      .command('verify')
      .description('check a dossier, a proof or a certificate of purge without any node, check by check'),
  ).action((file: string, options: VerifyOptions, command: Command) =>
    verifyFile(io, file, options, command),
  );
  dossier
    .command('key')
    .description('make a sealing key for somebody who is no member, to be a --recipient')
    .requiredOption('--out <file>', 'the private key, to be kept')
    .action((options: { out: string }, command: Command) => makeKey(io, options, command));
  dossier
    .command('page')
    .description('write the verifier as a page for any browser, that needs no network')
    .requiredOption('--out <dir>', 'directory to write to')
    .action((options: { out: string }, command: Command) => page(io, options, command));
}
