import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readAnchor } from '../../src/cli/proofs/anchor.ts';
import { decodeDossier } from '../../src/core/light/dossier-codec.ts';
import { verifyDossier } from '../../src/core/light/dossier-verify.ts';
import { nodeSuite } from '../../src/crypto/suite.ts';
import { Devnet } from './support/devnet.ts';
import { setUpPhase } from './support/flow.ts';
import { temporaryDirectory } from './support/temporary.ts';

interface Verdict {
  readonly ok: boolean;
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
  readonly records: readonly {
    readonly author: string;
    readonly text: string | null;
    readonly fields: readonly { readonly name: string; readonly value: string }[];
  }[];
}

interface Listed {
  readonly records: readonly { readonly id: string; readonly position: number; readonly height: number }[];
  readonly verification: {
    readonly ok: boolean;
    readonly checks: readonly { readonly name: string }[];
  } | null;
}

const INVOICE = JSON.stringify({ amount: 4200, supplier: 'Van den Berg', iban: 'NL91ABNA0417164300' });

describe('proofs and dossiers of a running network', () => {
  const cwd = temporaryDirectory();
  let devnet: Devnet;
  let phase: string;
  let invoice: string;

  beforeAll(async () => {
    devnet = await Devnet.start(join(cwd, 'net'), cwd);
    phase = await setUpPhase(devnet, 'House', 'intake');
    copyFileSync(join(devnet.dir, 'alice', 'genesis.json'), join(cwd, 'genesis.json'));
    await devnet.ask('--as', 'alice', 'record', 'put', '--phase', phase, '--text', 'first');
    const words = ['--type', 'invoice', '--title', 'Invoice 7', '--text', INVOICE];
    invoice = (await devnet.ask<{ id: string }>('--as', 'alice', 'record', 'put', '--phase', phase, ...words))
      .id;
    await devnet.ask('--as', 'bob', 'record', 'put', '--phase', phase, '--text', 'third');
  });

  const alice = <T>(...words: string[]) => devnet.ask<T>('--as', 'alice', ...words);
  const verify = (file: string, ...words: string[]) =>
    devnet.ask<Verdict>('proof', 'verify', file, '--genesis', 'genesis.json', ...words);
  const proven = (verdict: Pick<Verdict, 'checks'>) =>
    verdict.checks.filter(check => check.name.startsWith('proven: ')).map(check => check.detail);

  it('[77] lists records complete by proof, by range, type and author', async () => {
    const list = (...words: string[]) =>
      alice<Listed>('record', 'list', '--phase', phase, '--verify', ...words);
    const all = await list();
    expect(all.records).toHaveLength(3);
    expect(all.verification!.ok).toBe(true);
    expect(all.verification!.checks.map(check => check.name)).toEqual(
      expect.arrayContaining(['head certificate', 'the list has every record of the proven range']),
    );
    expect((await list('--type', 'invoice')).records.map(record => record.id)).toEqual([invoice]);
    expect((await list('--author', 'bob')).records).toHaveLength(1);
    const { height } = all.records[1]!;
    const one = await list('--from', `height:${height}`, '--to', `height:${height + 1}`);
    expect(one.records.map(record => record.id)).toContain(invoice);
    expect((await list('--from', '2001-01-01', '--to', '2001-01-02')).records).toEqual([]);
    const got = await alice<{ verification: Verdict }>(
      'record',
      'get',
      invoice,
      '--phase',
      phase,
      '--verify',
    );
    expect(got.verification.checks.filter(check => !check.ok)).toEqual([]);
  });

  it('[80] proves records, ranges, absence, participants, epochs and keys to whoever has the genesis file', async () => {
    const { height } = (await alice<Listed>('record', 'list', '--phase', phase)).records.at(-1)!;
    const at = ['--height', `${height}`];
    const genesis = join(cwd, 'genesis.json');
    const questions: [string, string[], RegExp][] = [
      ['record', [invoice, '--phase', phase], /written by alice at height/],
      ['range', ['--phase', phase, '--from', '0'], /3 of them records/],
      ['absence', ['0'.repeat(64), '--phase', phase], /^none of all/],
      ['absence', ['0'.repeat(64), '--of', 'phase'], /^not in the map/],
      ['participants', ['--phase', phase, ...at], /alice \(.*bob \(/],
      ['epoch', ['--phase', phase, ...at], /^epoch 0, opened at height/],
      ['key', ['alice', ...at], /^key 0: 0[23]/],
    ];
    for (const [index, [question, words, answer]] of questions.entries()) {
      const out = `proof-${index}`;
      await alice('proof', question, ...words, '--out', out);
      // the code of the command, without its start
      const verdict = verifyDossier(nodeSuite, readFileSync(join(cwd, out)), await readAnchor({ genesis }));
      expect(verdict.checks.filter(check => !check.ok)).toEqual([]);
      expect(proven(verdict)).toEqual([expect.stringMatching(answer)]);
      if (index > 0) continue;
      const bytes = readFileSync(join(cwd, out));
      bytes[Math.floor(bytes.length / 2)]! ^= 1;
      writeFileSync(join(cwd, 'forged'), bytes);
      const refused = await devnet.run('proof', 'verify', 'forged', '--genesis', 'genesis.json');
      expect(refused.code).toBe(5);
      expect(refused.stderr).toContain('file checksum');
    }
    await alice('proof', 'consistency', 'proof-1', '--out', 'later');
    expect(proven(await verify('later'))[0]).toContain('went on from');
    await alice('proof', 'head', '--out', 'head.json');
    await alice('proof', 'record', invoice, '--phase', phase, '--out', 'pinned-proof');
    expect((await devnet.ask<Verdict>('proof', 'verify', 'pinned-proof', '--head', 'head.json')).ok).toBe(
      true,
    );
    const lost = await devnet.run('proof', 'verify', 'later');
    expect(lost.code).toBe(2);
  });

  it('shows fields of a record without the others, and its content to recipients only', async () => {
    const { publicKey } = await devnet.ask<{ publicKey: string }>('dossier', 'key', '--out', 'auditor.key');
    const record = ['--phase', phase, '--record', invoice];
    await alice('dossier', 'export', ...record, '--disclose', 'title,data.amount', '--out', 'part.dossier');
    const part = await verify('part.dossier');
    expect(part.records).toMatchObject([
      {
        author: 'alice',
        text: null,
        fields: [
          { name: 'title', value: '"Invoice 7"' },
          { name: 'data.amount', value: '4200' },
        ],
      },
    ]);
    expect(readFileSync(join(cwd, 'part.dossier')).includes('NL91')).toBe(false);
    const to = ['--recipient', publicKey, '--recipient', 'bob'];
    await alice('dossier', 'export', ...record, ...to, '--out', 'sealed.dossier');
    expect((await verify('sealed.dossier')).records).toEqual([]);
    for (const key of ['auditor.key', join(devnet.dir, 'bob')]) {
      const opened = await verify('sealed.dossier', '--key', key);
      expect(JSON.parse(opened.records[0]!.text!).data.text).toBe(INVOICE);
    }
    const unknown = await devnet.run(
      '--as',
      'alice',
      'dossier',
      'export',
      ...record,
      '--disclose',
      'data.vat',
      '--out',
      'x',
    );
    expect([unknown.code, unknown.stderr]).toEqual([3, expect.stringContaining('data.amount')]);
  });

  it('exports the dossier of a phase whole, small for one record, and the verifier as a page', async () => {
    await alice('dossier', 'export', '--phase', phase, '--out', 'phase.dossier');
    const whole = await verify('phase.dossier');
    expect(whole.records.map(record => record.author)).toEqual(['alice', 'alice', 'bob']);
    await alice(
      'dossier',
      'export',
      '--phase',
      phase,
      '--record',
      invoice,
      '--no-payloads',
      '--out',
      'one.dossier',
    );
    const one = decodeDossier(nodeSuite.sha256, readFileSync(join(cwd, 'one.dossier')));
    expect(one).toMatchObject({ logs: [{ items: [{}] }], members: { members: [{}] } });
    const { paths } = await devnet.ask<{ paths: string[] }>('dossier', 'page', '--out', 'page');
    expect(readFileSync(paths[0]!, 'utf8')).toContain("default-src 'none'");
  });

  it('exports the audit trail as XES and OCEL', async () => {
    const words = ['export', 'event-log', '--project', 'House'];
    const { events } = await devnet.ask<{ events: number }>(...words, '--out', 'trail.xes');
    const xes = readFileSync(join(cwd, 'trail.xes'), 'utf8');
    expect(xes.match(/<event>/g)).toHaveLength(events);
    expect(xes).toContain('<string key="concept:name" value="invoice"/>');
    await devnet.ask(...words, '--format', 'ocel', '--out', 'trail.json');
    const ocel = JSON.parse(readFileSync(join(cwd, 'trail.json'), 'utf8')) as { events: { type: string }[] };
    expect(ocel.events).toHaveLength(events);
    expect(ocel.events.map(event => event.type)).toEqual(
      expect.arrayContaining(['phase add', 'phase open', 'invoice']),
    );
    await devnet.ask(...words, '--format', 'ocel-xml', '--out', 'trail.xml');
    await devnet.ask('import', 'event-log', 'trail.xes', '--activities', 'types');
  });
});
