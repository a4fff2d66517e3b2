import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { readEventLog } from '../../src/cli/import/read-csv.ts';
import { formatEvidence, parseEvidence } from '../../src/config/evidence-file.ts';
import { parseTemplate } from '../../src/config/flow-template.ts';
import { formatGenesis, parseGenesis } from '../../src/config/genesis-file.ts';
import { parseNodeConfig } from '../../src/config/node-config.ts';
import { isReject } from '../../src/core/base/reject.ts';
import { decodeGenesis, encodeGenesis } from '../../src/core/codec/genesis.ts';
import { genesisBlock } from '../../src/core/ledger/genesis.ts';
import { nodeSuite } from '../../src/crypto/suite.ts';
import { OperatingError } from '../../src/ports/lifecycle.ts';
import { testGenesis } from '../support/ledger-kit.ts';
import { alice, bob } from '../unit/ledger/fixture.ts';
import { Consortium } from '../unit/pbft/kit.ts';
import { announce, FUZZ_TIMEOUT, fuzz } from './kit.ts';

announce('text.test');

const GENESIS = formatGenesis(testGenesis([alice], [bob]));
const CONFIG = [
  'role = "participant"',
  'name = "alice"',
  '[network]',
  'listen = ["/ip4/127.0.0.1/tcp/0"]',
  '[[network.peers]]',
  'peerId = "peer-of-v1"',
  'addresses = ["/ip4/127.0.0.1/tcp/1"]',
  '[rpc]',
  'port = 0',
].join('\n');
const TEMPLATE = [
  '[[phases]]',
  'label = "intake"',
  'open = true',
  'participants = { alice = ["contributor"], bob = ["reader", "approver"] }',
  'policy = { retentionDays = 30, approvals = { close = { k = 1 } } }',
  'types = { note = { type = "object", required = ["text"] } }',
  '[[phases]]',
  'label = "review"',
  'after = ["intake"]',
].join('\n');
const TEMPLATE_JSON = JSON.stringify(parseTemplate('flow.toml', TEMPLATE));
const EVIDENCE = evidenceOfAFork();
const EVENTS = [
  'case:concept:name,concept:name,org:group,note',
  'c1,Receive,Group 1,"a ""quoted"" note, with a comma"',
  'c2,Check,"Group\n2",',
  '',
].join('\n');

/** Two blocks of one height, each with a certificate. */
function evidenceOfAFork(): string {
  const four = new Consortium(4);
  const [first, second] = ['one', 'twin'].map(label => {
    const block = four.block(four.genesis, label);
    return { header: block.header, certificate: four.certificate('commit', block) };
  });
  return formatEvidence({ chainId: four.genesis.chainId, setChanges: [], first: first!, second: second! });
}

/** Text of any kind, and a valid one with pieces cut, doubled or replaced. */
function hostileText(valid: string): fc.Arbitrary<string> {
  const pieces = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 6 }),
    fc.constantFrom(
      '"',
      '""',
      ',',
      '\n',
      '\r',
      '{',
      '[[',
      ']',
      '=',
      '\0',
      '\ufeff',
      '__proto__',
      '1e999',
      '-0',
    ),
    fc.json(),
    fc.constant('['.repeat(20_000)),
  );
  const change = fc.tuple(fc.nat(), fc.nat(40), pieces);
  const changed = fc.array(change, { minLength: 1, maxLength: 3 }).map(changes =>
    changes.reduce((text, [place, length, piece]) => {
      const at = place % (text.length + 1);
      return text.slice(0, at) + piece + text.slice(at + length);
    }, valid),
  );
  return fc.oneof({ weight: 4, arbitrary: changed }, fc.string({ unit: 'binary' }), fc.json());
}

const HOSTILE_VALUES = [
  '',
  'é'.repeat(100),
  'x'.repeat(300),
  '\ud800',
  0,
  -1,
  2 ** 53,
  1.5,
  null,
  [],
  '1960-01-01T00:00:00Z',
];

type Json = { [key: string]: Json } | Json[] | string | number | boolean | null;

/** The genesis with one value somewhere replaced, or one list entry doubled. */
const changedGenesis: fc.Arbitrary<string> = fc
  .tuple(
    fc.array(fc.nat(), { minLength: 1, maxLength: 4 }),
    fc.constantFrom<Json>(...HOSTILE_VALUES),
    fc.boolean(),
  )
  .map(([path, value, doubles]) => {
    const document = JSON.parse(GENESIS) as Json;
    let at = document;
    for (const [depth, step] of path.entries()) {
      if (typeof at !== 'object' || at === null || Object.keys(at).length === 0) break;
      const key = Object.keys(at)[step % Object.keys(at).length]!;
      const inner = (at as { [key: string]: Json })[key]!;
      if (doubles && Array.isArray(inner)) inner.push(structuredClone(inner[step % inner.length] ?? null));
      else if (depth === path.length - 1) (at as { [key: string]: Json })[key] = value;
      at = inner;
    }
    return JSON.stringify(document);
  });

/** A genesis that is read makes a chain, and is the same genesis for whoever gets its bytes. */
function startChain(text: string, source: string): void {
  const genesis = parseGenesis(text, source);
  genesisBlock(nodeSuite, genesis);
  const again = decodeGenesis(encodeGenesis(genesis));
  if (isReject(again)) throw new Error(again.detail);
}

/** The one way in which reading says no. */
function isCoded(error: unknown): boolean {
  return error instanceof OperatingError && error.code !== '' && error.hint !== null;
}

describe('files that people write', () => {
  it.each([
    ['a genesis', GENESIS, fc.oneof(hostileText(GENESIS), changedGenesis), startChain],
    ['a node configuration', CONFIG, hostileText(CONFIG), parseNodeConfig],
    [
      'a template of a flow',
      TEMPLATE,
      hostileText(TEMPLATE),
      (text: string) => parseTemplate('flow.toml', text),
    ],
    [
      'a template in JSON',
      TEMPLATE_JSON,
      hostileText(TEMPLATE_JSON),
      (text: string) => parseTemplate('flow.json', text),
    ],
    ['evidence of a fork', EVIDENCE, hostileText(EVIDENCE), parseEvidence],
  ] as const)(
    '[32] %s of any text is read, or refused with a code and a hint',
    FUZZ_TIMEOUT,
    (_name, valid, texts, parse) => {
      parse(valid, 'file');
      fuzz(
        200,
        fc.property(texts, text => {
          try {
            parse(text, 'file');
          } catch (error) {
            if (!isCoded(error)) throw error;
          }
        }),
      );
    },
  );

  describe('an event log', () => {
    let path: string;
    beforeAll(async () => {
      path = join(await mkdtemp(join(tmpdir(), 'phaseline-fuzz-')), 'events.csv');
    });
    afterAll(() => rm(join(path, '..'), { recursive: true }));

    it('[32] of any bytes is read, or refused with a code and a hint', FUZZ_TIMEOUT, async () => {
      const bytes = fc.oneof(hostileText(EVENTS).map(Buffer.from), fc.uint8Array({ maxLength: 300 }));
      await writeFile(path, EVENTS);
      await readEventLog(path);
      await fuzz(
        60,
        fc.asyncProperty(bytes, async content => {
          await writeFile(path, content);
          await readEventLog(path).catch(error => {
            if (!isCoded(error)) throw error;
          });
        }),
      );
    });
  });
});
