import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../../src/core/base/bytes.ts';
import type { MemberId } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { chainIdOf, decodeGenesis, encodeGenesis } from '../../../src/core/codec/genesis.ts';
import {
  decodeHandoverItems,
  decodeMemberRevoke,
  decodeOperation,
  decodeParticipantRole,
  encodeHandoverItems,
  encodeMemberRevoke,
  encodeParticipantRole,
  LAYOUTS,
} from '../../../src/core/codec/operation.ts';
import {
  decodePhaseState,
  decodeProjectState,
  decodeSystemState,
  encodePhaseState,
  encodeProjectState,
  encodeSystemState,
  scopeDigest,
} from '../../../src/core/codec/state.ts';
import { checkGenesis } from '../../../src/core/ledger/genesis.ts';
import { readScopeBytes, readSystem } from '../../../src/core/ledger/read.ts';
import { LIMITS } from '../../../src/core/types/limits.ts';
import { KINDS } from '../../../src/core/types/operation.ts';
import type { Genesis } from '../../../src/core/types/state.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { createActor, hashOf, testGenesis, testSigner } from '../../support/ledger-kit.ts';
import { admin, alice, bob, consortium, INTAKE, PROJECT, runningProject } from './fixture.ts';

describe('operation contents', () => {
  it('[32] refuses trailing bytes, missing parts, unknown kinds and values out of range', () => {
    const content = encodeMemberRevoke({ member: 'bob' as MemberId, reason: 'left' });
    const salt = new Uint8Array(32);
    const decode = (kind: number, ...contents: (Uint8Array | null)[]) =>
      decodeOperation(
        kind,
        contents.map(bytes => (bytes === null ? null : { salt, content: bytes })),
      );
    expect(decode(KINDS.memberRevoke, content)).toMatchObject({ kind: 'memberRevoke' });
    expect(isReject(decode(KINDS.memberRevoke, concatBytes(content, new Uint8Array(1))))).toBe(true);
    expect(isReject(decode(KINDS.memberRevoke, content, content))).toBe(true);
    expect(isReject(decode(KINDS.memberRevoke, null))).toBe(true);
    expect(isReject(decode(999, content))).toBe(true);
    const role = { phase: INTAKE, expectedMembershipVersion: 0, member: 'bob' as MemberId, roles: 16 };
    expect(isReject(decodeParticipantRole(encodeParticipantRole(role)))).toBe(true);
    expect(isReject(decodeParticipantRole(encodeParticipantRole({ ...role, roles: 0 })))).toBe(true);
    expect(isReject(decodeMemberRevoke(encodeMemberRevoke({ member: 'Bob' as MemberId, reason: '' })))).toBe(
      true,
    );
  });

  it('bounds the handovers that an item has gone through, and its path', () => {
    const { ledger, act } = runningProject();
    ledger.commit(act.put(bob, INTAKE, 'a'));
    const item = act.item(INTAKE, ledger.leavesOf('phase', INTAKE).length - 1);
    const { leaf, body, salt, meta } = item;
    const phase = { source: INTAKE, handover: hashOf('h'), sender: 'bob' as MemberId };
    const encoded = (steps: number, path: number) =>
      encodeHandoverItems([
        {
          ...item,
          relay: {
            ...{ leaf, body, target: meta, item: 0, salt, path: Array(path).fill(hashOf('p')) },
            steps: Array(steps).fill({ ...phase, position: 1, height: 2, timeMs: 3 }),
          },
        },
      ]);
    const [steps, path] = [LIMITS.handoversPerRecord - 2, LIMITS.handoverPathLength];
    expect(decodeHandoverItems(encoded(steps, path))).toMatchObject([{ relay: { item: 0 } }]);
    expect(isReject(decodeHandoverItems(encoded(steps + 1, path)))).toBe(true);
    expect(isReject(decodeHandoverItems(encoded(steps, path + 1)))).toBe(true);
    expect(encoded(steps, path).length - encodeHandoverItems([item]).length).toBeLessThan(10_000);
  });

  it('has a layout for every kind', () => {
    expect(Object.keys(LAYOUTS).sort()).toEqual(Object.keys(KINDS).sort());
  });
});

describe('scope states', () => {
  it('decode to what was encoded, and no state passes for another kind', () => {
    const { ledger, act } = runningProject();
    ledger.commit(act.removeParticipant(alice, INTAKE, bob.id));
    const system = readSystem(ledger.state);
    expect(decodeSystemState(encodeSystemState(system))).toEqual(system);
    expect(decodeProjectState(encodeProjectState(act.project(PROJECT)))).toEqual(act.project(PROJECT));
    expect(decodePhaseState(encodePhaseState(act.phase(INTAKE)))).toEqual(act.phase(INTAKE));
    expect(isReject(decodeProjectState(encodePhaseState(act.phase(INTAKE))))).toBe(true);
    expect(isReject(decodePhaseState(encodeSystemState(system)))).toBe(true);
    const bytes = readScopeBytes(ledger.state, { scope: 'phase', id: INTAKE })!;
    expect(scopeDigest(nodeSuite.sha256, bytes)).toMatch(/^[0-9a-f]{64}$/);
    expect(readScopeBytes(ledger.state, { scope: 'project', id: hashOf('none') })).toBeNull();
  });
});

describe('genesis', () => {
  const genesis = testGenesis([admin], [alice, bob]);

  it('decodes to what was encoded; every field is part of the chain id', () => {
    expect(decodeGenesis(encodeGenesis(genesis))).toEqual(genesis);
    const ids = [
      genesis,
      { ...genesis, name: 'other' },
      { ...genesis, parameters: { ...genesis.parameters, windowBlocks: 33 } },
      { ...genesis, validators: genesis.validators.slice(1) },
      { ...genesis, administrators: [alice.id] },
    ].map(entry => chainIdOf(nodeSuite.sha256, entry));
    expect(new Set(ids).size).toBe(ids.length);
  });

  const v1 = genesis.validators[0]!;
  const wrong: readonly [string, Partial<Genesis>][] = [
    ['no validator', { validators: [] }],
    ['members out of order', { members: [bob.card, alice.card, admin.card] }],
    ['a member twice', { members: [admin.card, alice.card, alice.card] }],
    ['an unknown administrator', { administrators: ['zoe' as MemberId] }],
    ['no administrator', { administrators: [], administratorThreshold: 0 }],
    ['a threshold too high', { administratorThreshold: 2 }],
    ['a parameter of 0', { parameters: { ...genesis.parameters, windowBlocks: 0 } }],
    ['a window above what the engine can name', { parameters: { ...genesis.parameters, windowBlocks: 257 } }],
    ['checkpoints too rare', { parameters: { ...genesis.parameters, checkpointIntervalBlocks: 17 } }],
    ['a key of two validators', { validators: ['v1', 'v2'].map(name => ({ ...v1, name, peerId: name })) }],
    ['a name that is too long', { name: 'x'.repeat(257) }],
    ['transactions that fit no block', { parameters: { ...genesis.parameters, blockBytesMax: 5 } }],
    ['a peer id twice', { members: [admin.card, createActor('alice', 0, ['peer-of-validator-v1']).card] }],
    ['a bad key', { members: [{ ...admin.card, signingKey: new Uint8Array(33) }] }],
    ['a bad validator key', { validators: [{ name: 'v1', publicKey: new Uint8Array(33), peerId: 'p' }] }],
    ['a bad name', { validators: [{ name: 'V1', publicKey: testSigner('v').publicKey, peerId: 'p' }] }],
  ];

  it.each(wrong)('refuses %s', (_, changes) => {
    expect(checkGenesis(genesis)).toBeNull();
    expect(checkGenesis({ ...genesis, ...changes })).toMatchObject({ reject: 'bad_genesis' });
  });

  it('makes block 0 with an empty system log', () => {
    const { ledger } = consortium();
    expect(ledger.blocks[0]?.block).toMatchObject({ header: { height: 0, validatorSetId: 0 }, entries: [] });
    expect(ledger.leavesOf('system')).toEqual([]);
  });
});
