import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { readGenesis } from '../../config/genesis-file.ts';
import { genesisBlock } from '../../core/ledger/index.ts';
import { verifyDossier } from '../../core/light/dossier-verify.ts';
import { isPurgeCertificate, verifyPurgeCertificate } from '../../core/light/purge-certificate.ts';
import { openPayload } from '../../crypto/record-cipher.ts';
import { nodeSuite } from '../../crypto/suite.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import { type Io, show } from '../io.ts';
import type { GlobalOptions } from '../program.ts';
import { openSession } from '../session.ts';

interface ExportOptions {
  readonly phase: string;
  readonly out: string;
  readonly payloads: boolean;
}

async function exportDossier(io: Io, options: ExportOptions, command: Command): Promise<void> {
  const session = await openSession(io, command, null);
  const params = {
    phase: options.phase,
    path: resolve(io.directory, options.out),
    payloads: options.payloads,
  };
  const answer = await session.call<{ path: string; bytes: number; sha256: string }>(
    'dossier_export',
    params,
  );
  session.show(answer, {
    pairs: [
      ['wrote', answer.path],
      ['bytes', answer.bytes],
      ['sha256', answer.sha256],
    ],
  });
}

async function verify(io: Io, file: string, options: { genesis: string }, command: Command): Promise<void> {
  const genesis = await readGenesis(resolve(io.directory, options.genesis));
  const bytes = await readFile(resolve(io.directory, file)).catch((error: NodeJS.ErrnoException) => {
    throw new CommandFailure(EXIT.error, `cannot read ${file}: ${error.code}`);
  });
  const { block } = genesisBlock(nodeSuite, genesis);
  const anchor = { genesisHeader: block.header, genesisSet: { id: 0, validators: genesis.validators } };
  const verdict = isPurgeCertificate(bytes)
    ? verifyPurgeCertificate(nodeSuite, bytes, anchor)
    : verifyDossier(nodeSuite, bytes, anchor, { openPayload });
  const { output } = command.optsWithGlobals<GlobalOptions>();
  show(io, output, verdict, {
    head: ['CHECK', 'RESULT', 'DETAIL'],
    rows: verdict.checks.map(check => [check.name, check.ok ? 'ok' : 'FAILED', check.detail]),
  });
  if (!verdict.ok) {
    const failed = verdict.checks.filter(check => !check.ok).map(check => check.name);
    throw new CommandFailure(EXIT.unhealthy, `${file} does not verify: ${failed.join(', ')}`);
  }
}

export function addDossierCommands(program: Command, io: Io): void {
  const dossier = program
    .command('dossier')
    .description('files that prove a phase to a third party, offline');
  dossier
    .command('export')
    .description('write the dossier of a phase to a new file')
    .requiredOption('--phase <phase>', 'phase: label, id or start of the id')
    .requiredOption('--out <file>', 'the file to write')
    .option('--no-payloads', 'leave out the contents that this node can read')
    .action((options: ExportOptions, command: Command) => exportDossier(io, options, command));
  dossier
    .command('verify')
    .description('check a dossier, or a certificate of purge, without any node, from the genesis file alone')
    .argument('<file>', 'the dossier or certificate')
    .requiredOption('--genesis <file>', 'genesis.json of the consortium')
    .action((file: string, options: { genesis: string }, command: Command) =>
      verify(io, file, options, command),
    );
}
