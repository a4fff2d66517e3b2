import { describe, expect, it } from 'vitest';
import { equalBytes, utf8 } from '../../src/core/base/bytes.ts';
import { isReject, type Reject, reject } from '../../src/core/base/reject.ts';
import * as card from '../../src/core/codec/card.ts';
import * as chain from '../../src/core/codec/chain.ts';
import * as custody from '../../src/core/codec/custody.ts';
import * as flow from '../../src/core/codec/flow.ts';
import * as genesis from '../../src/core/codec/genesis.ts';
import * as governance from '../../src/core/codec/governance.ts';
import * as handover from '../../src/core/codec/handover.ts';
import * as member from '../../src/core/codec/member.ts';
import * as operation from '../../src/core/codec/operation.ts';
import { Reader } from '../../src/core/codec/reader.ts';
import * as state from '../../src/core/codec/state.ts';
import * as transaction from '../../src/core/codec/transaction.ts';
import { Writer } from '../../src/core/codec/writer.ts';
import { buildDossier, decodeDossier } from '../../src/core/light/dossier-codec.ts';
import { decodeForkEvidence, encodeForkEvidence } from '../../src/core/light/fork.ts';
import { decodeFreshHead, encodeFreshHead } from '../../src/core/light/fresh-head.ts';
import { decodeLogUpdate, encodeLogUpdate } from '../../src/core/light/log-update-codec.ts';
import { decodeReceipt, EntryTree, encodeReceipt, makeReceipt } from '../../src/core/light/receipt.ts';
import { encodeFrontier, readFrontier } from '../../src/core/merkle/log.ts';
import { decodeMapProof, encodeMapProof } from '../../src/core/merkle/map.ts';
import { type MapOpening, readOpening, writeOpening } from '../../src/core/merkle/map-opening.ts';
import type { KindName } from '../../src/core/types/operation.ts';
import { OUTCOMES } from '../../src/core/types/outcome.ts';
import type { SystemState } from '../../src/core/types/state.ts';
import { decodeSecrets, encodeSecrets } from '../../src/crypto/phase-keys.ts';
import { nodeSuite } from '../../src/crypto/suite.ts';
import { decodePayload, encodePayload } from '../../src/services/records/payload.ts';
import { GovernanceActions } from '../support/governance-actions.ts';
import { createActor, TestLedger, testGenesis, testSigner } from '../support/ledger-kit.ts';
import { sampleClaims, sampleDossier } from '../unit/light/sample-dossier.ts';
import { certify, sampleChain } from '../unit/light/test-chain.ts';
import {
  announce,
  checkEdges,
  checkMutants,
  checkSubjects,
  FUZZ_TIMEOUT,
  type Subject,
  subject,
} from './kit.ts';
import { contentsByKind, eventfulLedger, outcomesOf, storedUnder } from './samples-ledger.ts';

announce('codecs.test');

const { sha256 } = nodeSuite;
const { ledger } = eventfulLedger();
const light = sampleChain(2);
const head = light.chain.head;
const wrappers = [...ledger.wrappers.values()];
const blocks = ledger.blocks.map(({ block }) => block);

const chainSubjects: Subject[] = [
  subject('header', chain.decodeHeader, chain.encodeHeader, [chain.encodeHeader(head.header)]),
  subject('block', chain.decodeBlock, chain.encodeBlock, blocks.map(chain.encodeBlock)),
  subject('validator set', chain.decodeValidatorSet, chain.encodeValidatorSet, [
    chain.encodeValidatorSet(light.chain.keys.set),
  ]),
  subject('certificate', chain.decodeCertificate, chain.encodeCertificate, [
    chain.encodeCertificate(head.certificate),
  ]),
  subject('genesis', genesis.decodeGenesis, genesis.encodeGenesis, [genesis.encodeGenesis(ledger.genesis)]),
  subject(
    'transaction body',
    transaction.decodeBody,
    transaction.encodeBody,
    [...ledger.transactions.values()].map(({ signed }) => signed.body),
  ),
  subject(
    'signed transaction',
    transaction.decodeSignedTransaction,
    transaction.encodeSignedTransaction,
    wrappers,
  ),
  subject(
    'transaction',
    bytes => transaction.decodeTransaction(sha256, bytes),
    ({ signed }) => transaction.encodeSignedTransaction(signed),
    wrappers,
  ),
  subject(
    'leaf',
    transaction.decodeLeaf,
    transaction.encodeLeaf,
    light.a.items.map(({ leaf }) => leaf),
  ),
];

/** Proposals with every action, ballots and evidence; two of three decide, so that the large proposal stays open. */
function governedLedger(): TestLedger {
  const [alice, bob, carol] = [createActor('alice'), createActor('bob'), createActor('carol')];
  const governed = new TestLedger({ ...testGenesis([alice, bob, carol], []), administratorThreshold: 2 });
  const govern = new GovernanceActions(governed);
  const actions = [
    govern.add('v5'),
    govern.remove('v2'),
    govern.rekey('v1', testSigner('next')),
    govern.parameters({ viewTimeoutMs: 2_000, windowBlocks: 64 }),
    govern.administrators(['alice'], 1),
    govern.version(2, 900),
  ];
  governed.commit(govern.propose(alice, actions), govern.propose(bob, [govern.add('v6')]));
  governed.commit(govern.vote(bob, 1, false), govern.evidence(govern.equivocation('v3')));
  governed.commit(govern.withdraw(bob, 2));
  const [who, reason] = [carol.id, 'why'];
  governed.commit(
    govern.propose(bob, [{ type: 'memberSuspend', member: who, reason }]),
    govern.propose(bob, [{ type: 'memberRevoke', member: who, reason }]),
    govern.propose(bob, [govern.memberRekey(createActor('carol', 1))]),
  );
  governed.commit(govern.vote(alice, 3));
  governed.commit(govern.propose(bob, [{ type: 'memberResume', member: who }]));
  return governed;
}

const governed = governedLedger();

const sealedCard = card.encodeCardCiphertext({
  keyCommitment: ledger.chainId,
  wrappedKey: { mode: 'epoch', bytes: new Uint8Array(60) },
  payload: new Uint8Array(272),
});

type Decoder = (bytes: Uint8Array) => unknown;
type Encoder = (value: unknown) => Uint8Array;
type Codecs = Readonly<Record<string, unknown>>;
const CODECS: readonly Codecs[] = [card, custody, flow, governance, handover, member, operation];

/** What encodes the values of each decoder: `encodeX` of the module that has `decodeX`; a ciphertext is its own encoding. */
const encoders = new Map<Decoder, Encoder>([
  [operation.LAYOUTS.recordPut[1].decode, bytes => bytes as Uint8Array],
  ...CODECS.flatMap(module =>
    Object.keys(module).flatMap(name => {
      const encode = module[name.replace('decode', 'encode')];
      const isPair = name.startsWith('decode') && encode !== undefined;
      return isPair ? [[module[name] as Decoder, encode as Encoder] as const] : [];
    }),
  ),
]);

/** Every decoder that the table of layouts names, with what it was given in all transactions of the two ledgers. */
function layoutSubjects(): Subject[] {
  const samples = new Map<Decoder, { readonly name: string; readonly given: Uint8Array[] }>();
  for (const [kind, layout] of Object.entries(operation.LAYOUTS) as [
    KindName,
    readonly { decode: Decoder }[],
  ][])
    for (const [index, { decode }] of layout.entries()) {
      const known = samples.get(decode) ?? { name: `${kind}, part ${index}`, given: [] };
      samples.set(decode, known);
      for (const contents of [contentsByKind(ledger), contentsByKind(governed)])
        known.given.push(...(contents.get(kind) ?? []).map(parts => parts[index]!));
    }
  return [...samples].map(([decode, { name, given }]) => {
    const encode = encoders.get(decode);
    if (encode === undefined) throw new Error(`${name} has no encoder`);
    return subject(name, decode, encode, given);
  });
}

const operationSubjects: Subject[] = [
  ...layoutSubjects(),
  subject('sealed card', card.decodeCardCiphertext, card.encodeCardCiphertext, [sealedCard]),
];

const systemState = state.decodeSystemState(storedUnder(ledger, 'system')[0]!) as SystemState;
const scopeRef = state.encodeScopeRef({ scope: 'phase', id: ledger.chainId });
const stateSubjects: Subject[] = [
  subject('system', state.decodeSystemState, state.encodeSystemState, [
    ...storedUnder(ledger, 'system'),
    ...storedUnder(governed, 'system'),
  ]),
  subject('project', state.decodeProjectState, state.encodeProjectState, storedUnder(ledger, 'project/')),
  subject('phase', state.decodePhaseState, state.encodePhaseState, storedUnder(ledger, 'phase/')),
  subject('member', state.decodeMember, state.encodeMember, state.systemSections(systemState).slice(1)),
  subject('log row', state.decodeLogRow, state.encodeLogRow, storedUnder(ledger, 'log/')),
  subject('scope', state.decodeScopeRef, state.encodeScopeRef, [scopeRef]),
  subject('count', state.decodeCount, state.encodeCount, [state.encodeCount(3)]),
];

function whole<T>(name: string, read: (reader: Reader) => T) {
  return (bytes: Uint8Array): T | Reject => {
    const reader = new Reader(bytes);
    return reader.finish(read(reader), name);
  };
}

function encodeOpening(opening: MapOpening): Uint8Array {
  const writer = new Writer();
  writeOpening(writer, opening);
  return writer.finish();
}

const update = light.chain.logUpdate(light.a, 1);
const sample = sampleDossier();
const dossier = buildDossier(sha256, {
  ...sample.content,
  claims: sampleClaims(sample),
  sealed: sample.sealed,
});
const lastBlock = light.chain.blocks.at(-1)!;
const receipt = makeReceipt(lastBlock, head.certificate, new EntryTree(sha256, lastBlock), 1);
const statement = {
  validatorSetId: 0,
  signer: 1,
  height: 3,
  blockHash: ledger.blocks[0]!.hash,
  signature: certify(head.header, light.chain.keys).signatures[0]!.signature,
};
const certified = { header: head.header, certificate: head.certificate };
const setChanges = [{ certified, nextSet: light.chain.keys.set }];
const fork = { chainId: ledger.chainId, setChanges, first: certified, second: certified };
/** Of a record without files; what people write as JSON has many forms, of which each reads as the same value. */
const content = { type: 'note', title: 'one', mediaType: 'text/plain', data: utf8('some text'), files: [] };
const sealedSubjects: Subject[] = [
  subject('secrets', bytes => decodeSecrets(bytes) ?? reject('malformed', 'no secrets'), encodeSecrets, [
    encodeSecrets([{ number: 1, secret: new Uint8Array(32) }]),
    encodeSecrets([]),
  ]),
  subject(
    'payload',
    bytes => decodePayload(bytes, []) ?? reject('malformed', 'no payload'),
    (value, bytes) => {
      expect(decodePayload(encodePayload(value), [])).toEqual(value);
      return bytes;
    },
    [encodePayload(content)],
  ),
];
const lightSubjects: Subject[] = [
  subject('frontier', whole('frontier', readFrontier), encodeFrontier, [encodeFrontier(update.frontier)]),
  subject('map proof', decodeMapProof, encodeMapProof, [
    encodeMapProof(update.mapProof),
    encodeMapProof(light.chain.absence(ledger.logId('system'))),
  ]),
  subject('map opening', whole('map opening', readOpening), encodeOpening, [
    encodeOpening({ bits: [true, false, true], hashes: [ledger.chainId] }),
    encodeOpening({ bits: [], hashes: [] }),
  ]),
  subject('fork', decodeForkEvidence, encodeForkEvidence, [encodeForkEvidence(fork)]),
  subject('log update', decodeLogUpdate, encodeLogUpdate, [encodeLogUpdate(update)]),
  subject('block receipt', decodeReceipt, encodeReceipt, [encodeReceipt(receipt)]),
  subject('fresh head', decodeFreshHead, encodeFreshHead, [encodeFreshHead(statement)]),
  // the checksum is no part of the value: only what it covers is compared
  subject(
    'dossier',
    bytes => decodeDossier(sha256, bytes),
    (value, bytes) => {
      const whole = buildDossier(sha256, value).slice(0, -8);
      return new Writer().raw(whole).raw(bytes.slice(-8)).finish();
    },
    [dossier],
  ),
];

const groups: readonly (readonly [string, readonly Subject[]])[] = [
  ['blocks and transactions', chainSubjects],
  ['operations', operationSubjects],
  ['states', stateSubjects],
  ['proofs and dossiers', lightSubjects],
  ['what was sealed', sealedSubjects],
];

describe.each(groups)('decoders of %s', (_name, subjects) => {
  it(
    '[32] take their own encodings, and answer arbitrary bytes with a refusal or a value of these bytes',
    {
      ...FUZZ_TIMEOUT,
    },
    () => checkSubjects(subjects, 40),
  );

  it('[32] answer changed encodings with a refusal or a value of these bytes', { ...FUZZ_TIMEOUT }, () =>
    checkMutants(subjects, 700),
  );

  it(
    '[97] neither wrap nor allocate at lengths and heights of 2^31, 2^32 - 1, 2^53 and 2^64',
    {
      ...FUZZ_TIMEOUT,
    },
    () => checkEdges(subjects, 32),
  );
});

describe('the samples', () => {
  it('hold every kind of operation, all of them committed', () => {
    for (const { name, samples } of operationSubjects) expect(samples.length, name).toBeGreaterThan(0);
    expect([...new Set(outcomesOf(ledger).values())]).toEqual([OUTCOMES.committed]);
  });

  it('share no memory with what is decoded, also when it is a Buffer', () => {
    const buffer = Buffer.from(wrappers[0]!);
    const value = transaction.decodeSignedTransaction(buffer);
    buffer.fill(0);
    if (isReject(value)) throw new Error(value.detail);
    expect(transaction.encodeSignedTransaction(value)).toEqual(wrappers[0]);
  });

  it('tell a changed encoding apart from the one it was made of', () => {
    const [bytes] = wrappers;
    const value = transaction.decodeSignedTransaction(bytes!);
    const changed = bytes!.slice();
    changed[changed.length - 1] = changed.at(-1)! ^ 1;
    const other = transaction.decodeSignedTransaction(changed);
    expect(!isReject(value) && !isReject(other)).toBe(true);
    if (isReject(other)) return;
    expect(equalBytes(transaction.encodeSignedTransaction(other), bytes!)).toBe(false);
  });
});
