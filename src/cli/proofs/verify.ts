import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { isReject } from '../../core/base/reject.ts';
import { type Opening, recipientInfo } from '../../core/light/dossier.ts';
import { decodeDossier } from '../../core/light/dossier-codec.ts';
import { type DossierVerdict, type ShownRecord, verifyDossier } from '../../core/light/dossier-verify.ts';
import { isPurgeCertificate, verifyPurgeCertificate } from '../../core/light/purge-certificate.ts';
import { openPayload } from '../../crypto/record-cipher.ts';
import { nodeSuite } from '../../crypto/suite.ts';
import type { Unsealer } from '../../ports/sealing.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import { type Io, printable, show } from '../io.ts';
import type { GlobalOptions } from '../program.ts';
import { type AnchorOptions, readAnchor } from './anchor.ts';
import { readUnsealers } from './sealing-key.ts';

export interface VerifyOptions extends AnchorOptions {
  readonly key?: string;
}

/** The content keys that were sealed for these keys. */
async function unseal(bytes: Uint8Array, unsealers: readonly Unsealer[]): Promise<Opening[]> {
  const dossier = decodeDossier(nodeSuite.sha256, bytes);
  if (isReject(dossier)) return [];
  const { chainId } = dossier.head.header;
  const opened: Opening[] = [];
  for (const { recipient, sealed, ...place } of dossier.sealed) {
    const own = unsealers.find(({ publicKey }) => Buffer.from(publicKey).equals(recipient));
    const contentKey = own === undefined ? null : await own.open(recipientInfo(chainId, place), sealed);
    if (contentKey?.length === 32) opened.push({ ...place, contentKey });
    else if (own !== undefined)
      throw new CommandFailure(EXIT.unhealthy, 'what was sealed for this key does not open');
  }
  return opened;
}

function showRecord(io: Io, record: ShownRecord): void {
  io.out('');
  io.out(
    `record ${record.id}, by ${record.author}, ${new Date(record.timeMs).toISOString()}, height ${record.height}`,
  );
  for (const { name, value } of record.fields) io.out(printable(`  ${name}: ${value}`));
  if (record.text !== null) io.out(printable(`  ${record.text}`));
}

/**
 * Checks a proof, a dossier or a certificate of purge without any node, and shows check by check what was checked and what it
 * says. Exit code 5 when one fails.
 */
export async function verifyFile(
  io: Io,
  file: string,
  options: VerifyOptions,
  command: Command,
): Promise<void> {
  const at = (path: string | undefined) => (path === undefined ? undefined : resolve(io.directory, path));
  const [genesis, head, key] = [at(options.genesis), at(options.head), at(options.key)];
  const anchor = await readAnchor({ ...(genesis && { genesis }), ...(head && { head }) });
  const bytes = await readFile(resolve(io.directory, file)).catch((error: NodeJS.ErrnoException) => {
    throw new CommandFailure(EXIT.error, `cannot read ${file}: ${error.code}`);
  });
  const unsealed = key === undefined ? [] : await unseal(bytes, await readUnsealers(key));
  const purge = isPurgeCertificate(bytes);
  const verdict = purge
    ? verifyPurgeCertificate(nodeSuite, bytes, anchor)
    : verifyDossier(nodeSuite, bytes, anchor, { openPayload, unsealed });
  const { output } = command.optsWithGlobals<GlobalOptions>();
  show(io, output, verdict, {
    head: ['CHECK', 'RESULT', 'DETAIL'],
    rows: verdict.checks.map(check => [check.name, check.ok ? 'ok' : 'FAILED', check.detail]),
  });
  if (!purge && output === 'table')
    for (const record of (verdict as DossierVerdict).records) showRecord(io, record);
  if (verdict.ok) return;
  const failed = verdict.checks.filter(check => !check.ok).map(check => check.name);
  throw new CommandFailure(EXIT.unhealthy, `${file} does not verify: ${failed.join(', ')}`);
}

/** Options of every command that verifies a file. */
export function addVerifyOptions(command: Command): Command {
  return command
    .argument('<file>', 'the proof, dossier or certificate')
    .option('--genesis <file>', 'genesis.json of the consortium: trust in nothing else')
    .option('--head <file>', 'a head that you trust (phaseline proof head --out), instead of genesis')
    .option(
      '--key <path>',
      'sealing key file, or data directory of your node: opens what was sealed for you',
    );
}
