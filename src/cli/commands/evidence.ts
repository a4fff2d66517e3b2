import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { parseEvidence } from '../../config/evidence-file.ts';
import { readGenesis } from '../../config/genesis-file.ts';
import { isReject } from '../../core/base/reject.ts';
import { genesisBlock } from '../../core/ledger/index.ts';
import { checkFork } from '../../core/light/fork.ts';
import { nodeSuite } from '../../crypto/suite.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import { type Io, show } from '../io.ts';
import type { GlobalOptions } from '../program.ts';

async function verify(io: Io, file: string, options: { genesis: string }, command: Command): Promise<void> {
  const genesis = await readGenesis(resolve(io.directory, options.genesis));
  const text = await readFile(resolve(io.directory, file), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new CommandFailure(EXIT.error, `cannot read ${file}: ${error.code}`);
  });
  const evidence = parseEvidence(text, file);
  const { block } = genesisBlock(nodeSuite, genesis);
  const anchor = { genesisHeader: block.header, genesisSet: { id: 0, validators: genesis.validators } };
  const verdict = checkFork(nodeSuite, evidence, anchor);
  if (isReject(verdict)) {
    const detail = `${file} proves nothing: ${verdict.reject} (${verdict.detail})`;
    throw new CommandFailure(
      EXIT.unhealthy,
      detail,
      'Compare the genesis file, and the file with its source.',
    );
  }
  const { first, second } = evidence;
  const describe = ({ header, certificate }: typeof first) =>
    `height ${header.height}, ${certificate.blockHash}, view ${certificate.view}`;
  const { set, signedBoth, faultyMin, sameView } = verdict;
  const answer = {
    ...{ chainId: evidence.chainId, validatorSetId: set.id, signedBoth, faultyMin, sameView },
    first: { height: first.header.height, hash: first.certificate.blockHash },
    second: { height: second.header.height, hash: second.certificate.blockHash },
  };
  const { output } = command.optsWithGlobals<GlobalOptions>();
  show(io, output, answer, {
    pairs: [
      ['proven', 'two certified blocks of which at most one belongs to the chain'],
      ['first', describe(first)],
      ['second', describe(second)],
      ['validator set', `${set.id}: ${set.validators.map(({ name }) => name).join(', ')}`],
      ['signed both', signedBoth.join(', ')],
      [
        'faulty',
        sameView
          ? `each that signed both: a validator signs one block a view and height`
          : `at least ${faultyMin} of the set; the NEW-VIEWs between both views tell which`,
      ],
    ],
  });
}

export function addEvidenceCommands(program: Command, io: Io): void {
  program
    .command('evidence')
    .description('what a node keeps against validators that have certified two histories')
    .command('verify')
    .description('check an evidence file without any node, from the genesis file alone, and name the signers')
    .argument('<file>', 'of the evidence directory of a member\u2019s node')
    .requiredOption('--genesis <file>', 'genesis.json of the consortium')
    .action((file: string, options: { genesis: string }, command: Command) =>
      verify(io, file, options, command),
    );
}
