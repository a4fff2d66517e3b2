import { describe, expect, it } from 'vitest';
import { equalBytes } from '../../src/core/base/bytes.ts';
import { isReject, type Reject } from '../../src/core/base/reject.ts';
import * as card from '../../src/core/codec/card.ts';
import * as chain from '../../src/core/codec/chain.ts';
import * as flow from '../../src/core/codec/flow.ts';
import * as genesis from '../../src/core/codec/genesis.ts';
import {
  decodeEvidence,
  decodeProposalCreate,
  decodeProposalVote,
  decodeProposalWithdraw,
  encodeEvidence,
  encodeProposalCreate,
  encodeProposalVote,
  encodeProposalWithdraw,
} from '../../src/core/codec/governance.ts';
import * as member from '../../src/core/codec/member.ts';
import * as operation from '../../src/core/codec/operation.ts';
import { Reader } from '../../src/core/codec/reader.ts';
import * as state from '../../src/core/codec/state.ts';
import * as transaction from '../../src/core/codec/transaction.ts';
import { Writer } from '../../src/core/codec/writer.ts';
import { buildDossier, decodeDossier } from '../../src/core/light/dossier-codec.ts';
import { decodeFreshHead, encodeFreshHead } from '../../src/core/light/fresh-head.ts';
import { decodeLogUpdate, encodeLogUpdate } from '../../src/core/light/log-update-codec.ts';
import { decodeReceipt, EntryTree, encodeReceipt, makeReceipt } from '../../src/core/light/receipt.ts';
import { encodeFrontier, type Frontier, readFrontier } from '../../src/core/merkle/log.ts';
import { decodeMapProof, encodeMapProof } from '../../src/core/merkle/map.ts';
import type { KindName } from '../../src/core/types/operation.ts';
import { OUTCOMES } from '../../src/core/types/outcome.ts';
import { nodeSuite } from '../../src/crypto/suite.ts';
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
const governance = contentsByKind(governed);
const governedPart = (kind: KindName) => governance.get(kind)?.map(parts => parts[0]!) ?? [];
const contents = contentsByKind(ledger);
const part = (kind: KindName, index = 0) => contents.get(kind)?.map(parts => parts[index]!) ?? [];
const sealedCard = card.encodeCardCiphertext({
  keyCommitment: ledger.chainId,
  wrappedKey: { mode: 'epoch', bytes: new Uint8Array(60) },
  payload: new Uint8Array(272),
});
const operationSubjects: Subject[] = [
  subject('register', operation.decodeMemberRegister, operation.encodeMemberRegister, part('memberRegister')),
  subject('rotate', operation.decodeMemberRotate, operation.encodeMemberRotate, part('memberRotate')),
  subject('revoke', operation.decodeMemberRevoke, operation.encodeMemberRevoke, part('memberRevoke')),
  subject('user', member.decodeMemberUserAdd, member.encodeMemberUserAdd, part('memberUserAdd')),
  subject('no user', member.decodeMemberUserRevoke, member.encodeMemberUserRevoke, part('memberUserRevoke')),
  subject('suspend', member.decodeMemberSuspend, member.encodeMemberSuspend, part('memberSuspend')),
  subject('create', operation.decodeProjectCreate, operation.encodeProjectCreate, part('projectCreate')),
  subject('archive', operation.decodeProjectArchive, operation.encodeProjectArchive, part('projectArchive')),
  subject('project card', card.decodeProjectCardChange, card.encodeProjectCardChange, part('projectCard')),
  subject('phase card', card.decodePhaseCardChange, card.encodePhaseCardChange, part('phaseCard')),
  subject('sealed card', card.decodeCardCiphertext, card.encodeCardCiphertext, [sealedCard]),
  subject('add, project', operation.decodePhaseAddProject, operation.encodePhaseAddProject, part('phaseAdd')),
  subject('add, phase', operation.decodePhaseAddPhase, operation.encodePhaseAddPhase, part('phaseAdd', 1)),
  subject('flow', flow.decodeFlowChange, flow.encodeFlowChange, part('flowChange')),
  subject('skip', flow.decodePhaseSkipProject, flow.encodePhaseSkipProject, part('phaseSkip')),
  subject('policy', flow.decodePhasePolicyChange, flow.encodePhasePolicyChange, part('phasePolicy')),
  subject('request', flow.decodeApprovalRequest, flow.encodeApprovalRequest, part('approvalRequest')),
  subject('approval', flow.decodeApprovalVote, flow.encodeApprovalVote, part('approvalVote')),
  subject(
    'withdraw request',
    flow.decodeApprovalWithdraw,
    flow.encodeApprovalWithdraw,
    part('approvalWithdraw'),
  ),
  subject('lifecycle', operation.decodePhaseLifecycle, operation.encodePhaseLifecycle, part('phaseOpen')),
  subject(
    'handover, source',
    operation.decodePhaseHandoverSource,
    operation.encodePhaseHandoverSource,
    part('phaseHandover'),
  ),
  subject(
    'handover, target',
    operation.decodePhaseHandoverTarget,
    operation.encodePhaseHandoverTarget,
    part('phaseHandover', 1),
  ),
  subject(
    'handover, items',
    operation.decodeHandoverItems,
    operation.encodeHandoverItems,
    part('phaseHandover', 2),
  ),
  subject('add', operation.decodeParticipantAdd, operation.encodeParticipantAdd, part('participantAdd')),
  subject(
    'remove',
    operation.decodeParticipantRemove,
    operation.encodeParticipantRemove,
    part('participantRemove'),
  ),
  subject('role', operation.decodeParticipantRole, operation.encodeParticipantRole, part('participantRole')),
  subject('epoch', operation.decodeEpochRotate, operation.encodeEpochRotate, part('epochRotate')),
  subject('record', operation.decodeRecordMeta, operation.encodeRecordMeta, part('recordPut')),
  subject('receipt', operation.decodeFileReceipt, operation.encodeFileReceipt, part('fileReceipt')),
  subject('propose', decodeProposalCreate, encodeProposalCreate, governedPart('proposalCreate')),
  subject('vote', decodeProposalVote, encodeProposalVote, governedPart('proposalVote')),
  subject('withdraw', decodeProposalWithdraw, encodeProposalWithdraw, governedPart('proposalWithdraw')),
  subject('evidence', decodeEvidence, encodeEvidence, governedPart('evidence')),
];

const scopeRef = state.encodeScopeRef({ scope: 'phase', id: ledger.chainId });
const stateSubjects: Subject[] = [
  subject('system', state.decodeSystemState, state.encodeSystemState, [
    ...storedUnder(ledger, 'system'),
    ...storedUnder(governed, 'system'),
  ]),
  subject('project', state.decodeProjectState, state.encodeProjectState, storedUnder(ledger, 'project/')),
  subject('phase', state.decodePhaseState, state.encodePhaseState, storedUnder(ledger, 'phase/')),
  subject('log row', state.decodeLogRow, state.encodeLogRow, storedUnder(ledger, 'log/')),
  subject('scope', state.decodeScopeRef, state.encodeScopeRef, [scopeRef]),
  subject('count', state.decodeCount, state.encodeCount, [state.encodeCount(3)]),
];

function decodeFrontier(bytes: Uint8Array): Frontier | Reject {
  const reader = new Reader(bytes);
  return reader.finish(readFrontier(reader), 'frontier');
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
const lightSubjects: Subject[] = [
  subject('frontier', decodeFrontier, encodeFrontier, [encodeFrontier(update.frontier)]),
  subject('map proof', decodeMapProof, encodeMapProof, [
    encodeMapProof(update.mapProof),
    encodeMapProof(light.chain.absence(ledger.logId('system'))),
  ]),
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
    expect(operationSubjects.flatMap(({ name, samples }) => (samples.length === 0 ? [name] : []))).toEqual(
      [],
    );
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
