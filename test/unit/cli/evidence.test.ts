import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { describeFailure, EXIT } from '../../../src/cli/failure.ts';
import type { Io } from '../../../src/cli/io.ts';
import { runCommand } from '../../../src/cli/program.ts';
import { evidenceFileName, formatEvidence, parseEvidence } from '../../../src/config/evidence-file.ts';
import { formatGenesis } from '../../../src/config/genesis-file.ts';
import { readSystem } from '../../../src/core/ledger/read.ts';
import { type ForkEvidence, findFork, type ShownHistory } from '../../../src/core/light/fork.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { changeSet, twinOf } from '../../support/forked-chain.ts';
import { StoredChain } from '../../support/stored-chain.ts';

const dir = mkdtempSync(join(tmpdir(), 'phaseline-evidence-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function historyOf(chain: StoredChain): Promise<ShownHistory> {
  const store = await chain.store();
  const { block, certificate } = store.head()!;
  const setChanges = await store.setChanges(0, chain.height, 100);
  return { setChanges, head: { header: block.header, certificate: certificate! } };
}

/** One chain, and one that leaves it after two set changes. */
async function forked(): Promise<{ chain: StoredChain; evidence: ForkEvidence }> {
  const chain = new StoredChain();
  changeSet(chain, 2);
  const twin = twinOf(chain);
  chain.next();
  twin.project();
  twin.next();
  const { chainId } = chain.ledger;
  const evidence = findFork(nodeSuite, chainId, await historyOf(chain), await historyOf(twin));
  if (evidence === null) throw new Error('both are certified');
  return { chain, evidence };
}

async function verify(name: string) {
  const lines: string[] = [];
  const out = (text: string) => lines.push(text);
  const io: Io = { environment: {}, directory: dir, interactive: false, out, err: out };
  const words = ['evidence', 'verify', name, '--genesis', 'genesis.json'];
  const failure = await runCommand(words, io).then(() => null, describeFailure);
  return { text: lines.join('\n'), failure };
}

const world = await forked();
writeFileSync(join(dir, 'genesis.json'), formatGenesis(world.chain.genesis));

describe('evidence of a fork', () => {
  it('[76] is a file that names who signed both, checked offline with the genesis file alone', async () => {
    const { evidence, chain } = world;
    const name = evidenceFileName(evidence);
    writeFileSync(join(dir, name), formatEvidence(evidence));
    expect(parseEvidence(formatEvidence(evidence), name)).toEqual(evidence);
    const { text, failure } = await verify(name);
    expect(failure).toBeNull();
    const { validators } = readSystem(chain.ledger.state).validatorSet;
    // the last quorum of five signs in the test chain
    for (const { name: signer } of validators.slice(-4)) expect(text).toContain(signer);
    expect(text).toContain('each that signed both');
  });

  it('[76] is refused when both blocks can be of one chain, or a signature or a set change is not what it was', async () => {
    const { evidence } = world;
    const { first, second, setChanges } = evidence;
    const signatures = second.certificate.signatures.map((entry, index) =>
      index === 0 ? { ...entry, signature: entry.signature.map(byte => byte ^ 1) } : entry,
    );
    const wrong: readonly (readonly [string, ForkEvidence])[] = [
      ['no_conflict', { ...evidence, second: first }],
      [
        'bad_signature',
        { ...evidence, second: { ...second, certificate: { ...second.certificate, signatures } } },
      ],
      ['wrong_set', { ...evidence, setChanges: setChanges.slice(1) }],
      ['wrong_set', { ...evidence, setChanges: [] }],
    ];
    for (const [index, [code, changed]] of wrong.entries()) {
      writeFileSync(join(dir, `wrong-${index}.json`), formatEvidence(changed));
      const { failure } = await verify(`wrong-${index}.json`);
      expect(failure?.exitCode).toBe(EXIT.unhealthy);
      expect(failure?.lines[0]).toMatch(new RegExp(`${code}|set_change_withheld`));
    }
  });

  it('[76] names what is wrong with a file that is none', async () => {
    writeFileSync(join(dir, 'none.json'), '{"format":"phaseline/fork/1","evidence":"AAAA"}');
    writeFileSync(join(dir, 'text.json'), 'hello');
    for (const name of ['none.json', 'text.json']) {
      const { failure } = await verify(name);
      expect(failure?.lines[0]).toContain(`${name} is no evidence file`);
    }
    expect((await verify('absent.json')).failure?.lines[0]).toContain('cannot read absent.json');
  });
});
