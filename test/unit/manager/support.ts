import { randomBytes } from 'node:crypto';
import type { Hash, MemberId, PhaseId, ProjectId } from '../../../src/core/base/ids.ts';
import { memberCardBytes } from '../../../src/core/codec/operation.ts';
import { challengeBytes } from '../../../src/core/codec/request.ts';
import { INITIAL_GOVERNANCE } from '../../../src/core/types/governance.ts';
import type { MemberCard } from '../../../src/core/types/operation.ts';
import type { Member, PhaseState, ProjectState, SystemState } from '../../../src/core/types/state.ts';
import { p256Signer } from '../../../src/crypto/signer.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import type { HostingApi, ManagementOperations, ManagerApi } from '../../../src/manager/api.ts';
import type { Signer } from '../../../src/ports/signer.ts';
import { HeadBook, hashOf, ManualClock, member, phaseState } from '../rpc/support.ts';

/** A private key from a small number: the same in every run. */
export function signerOf(number: number): Signer {
  const key = new Uint8Array(32);
  key[31] = number;
  return p256Signer(key);
}

export const keys = {
  manager: signerOf(1),
  alice: signerOf(2),
  bob: signerOf(3),
  carol: signerOf(4),
  sealing: signerOf(5),
};

export function memberWith(name: string, signer: Signer, changes: Partial<Member> = {}): Member {
  return {
    id: member(name),
    name,
    version: 1,
    revoked: false,
    suspendedHeight: 0,
    peerIds: [`peer-of-${name}`],
    keys: [
      {
        ...{ signingKey: signer.publicKey, fromHeight: 1, untilHeight: 0 },
        ...{ user: null, sealingKey: keys.sealing.publicKey, replaced: false },
      },
    ],
    ...changes,
  };
}

export const permits = hashOf(0x21) as ProjectId;
export const foreign = hashOf(0x22) as ProjectId;
export const intake = hashOf(0xa1) as PhaseId;
export const chainId = hashOf(0x77);

function systemState(): SystemState {
  const revoked = memberWith('dave', signerOf(9), { revoked: true });
  const rotated: Member = memberWith('erin', signerOf(10));
  const rotatedKeys = [
    { ...rotated.keys[0]!, untilHeight: 4 },
    { ...rotated.keys[0]!, fromHeight: 4 },
  ];
  return {
    version: 3,
    parameters: {} as SystemState['parameters'],
    validatorSet: {
      id: 0,
      validators: [{ name: 'validator-0', publicKey: keys.sealing.publicKey, peerId: 'peer-of-validator' }],
    },
    setChangeHeight: 0,
    administrators: [member('manager')],
    administratorThreshold: 1,
    members: [
      memberWith('alice', keys.alice),
      memberWith('bob', keys.bob),
      revoked,
      { ...rotated, keys: rotatedKeys },
      memberWith('manager', keys.manager),
    ],
    governance: INITIAL_GOVERNANCE,
  };
}

function project(id: ProjectId, owner: string, phases: ProjectState['phases']): ProjectState {
  const card = new Uint8Array(90);
  return { id, owner: member(owner), card, archived: false, version: 2, phases };
}

/** Operations that remember what was asked; their receipts are all alike. */
export class OperationLog {
  readonly asked: [string, ...unknown[]][] = [];

  readonly operations = Object.fromEntries(
    [
      'registerMember',
      'revokeMember',
      'suspendMember',
      'createProject',
      'archiveProject',
      'addPhase',
      'openPhase',
      'closePhase',
      'addParticipant',
      'removeParticipant',
      'changeRole',
      'rotateEpoch',
      'renamePhase',
      'renameProject',
      'handOverToAll',
    ].map(name => [
      name,
      async (...given: unknown[]) => {
        this.asked.push([name, ...given]);
        const receipt = { id: hashOf(0x50), height: 9, timeMs: 1_700_000_000_009, position: 1 };
        const handed = { transactions: [receipt], items: 2, skipped: [], refusal: null };
        if (name === 'handOverToAll') return [{ target: intake, receipt: handed, refusal: null }];
        return { ...receipt, project: hashOf(0x60), phase: hashOf(0x61) };
      },
    ]),
  ) as unknown as ManagementOperations;
}

export interface TestManager {
  readonly api: ManagerApi;
  readonly clock: ManualClock;
  readonly log: OperationLog;
  readonly system: { value: SystemState };
  readonly phases: PhaseState[];
}

export function createTestManager(): TestManager {
  const clock = new ManualClock();
  const log = new OperationLog();
  const system = { value: systemState() };
  const phases = [{ ...phaseState(intake, permits), owner: member('manager') }];
  const projects = [
    project(permits, 'manager', [{ id: intake, card: new Uint8Array(90), predecessors: [] }]),
    project(foreign, 'bob', []),
  ];
  const book = new HeadBook();
  const api: ManagerApi = {
    member: member('manager'),
    node: { status: () => book.status('manager') },
    data: {
      chainId,
      head: () => ({ height: 8, timeMs: clock.nowMs() - 1_500 }),
      system: () => system.value,
      project: id => projects.find(item => item.id === id) ?? null,
      projects: () => projects,
      phase: id => phases.find(item => item.id === id) ?? null,
      phases: () => phases,
      phaseLabel: async id => (id === intake ? 'intake' : null),
      projectLabel: async id => (id === permits ? 'permits' : id === foreign ? 'garden' : null),
    },
    operations: log.operations,
    suite: nodeSuite,
    random: length => new Uint8Array(randomBytes(length)),
    clock,
  };
  return { api, clock, log, system, phases };
}

export class MemoryHosting implements HostingApi {
  readonly hosted = new Set<MemberId>();
  readonly written: unknown[] = [];
  isHosted = (id: MemberId) => this.hosted.has(id);
  host = async (id: MemberId) => {
    if (this.hosted.has(id)) return null;
    this.hosted.add(id);
    return { id: hashOf(0x51), height: 9, timeMs: 1, position: null };
  };
  putRecords: HostingApi['putRecords'] = async (id, phase, records) => {
    this.written.push([id, phase, records.length]);
    return records.map(() => ({ id: hashOf(0x52), height: 9, timeMs: 1, position: 4 }));
  };
}

export function cardOf(name: string, signer: Signer, changes: Partial<MemberCard> = {}): MemberCard {
  return {
    id: member(name),
    name: name.toUpperCase(),
    signingKey: signer.publicKey,
    sealingKey: keys.sealing.publicKey,
    peerIds: [`peer-of-${name}`],
    ...changes,
  };
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

export function cardJson(card: MemberCard) {
  return { ...card, signingKey: text(card.signingKey), sealingKey: text(card.sealingKey) };
}

/** What a newcomer sends after it received a nonce. */
export function registrationJson(card: MemberCard, signer: Signer, nonce: string, chain: Hash = chainId) {
  return {
    card: cardJson(card),
    proof: text(signer.sign(memberCardBytes(chain, card))),
    nonce,
    signature: text(signer.sign(challengeBytes(chain, new Uint8Array(Buffer.from(nonce, 'base64')), card))),
  };
}
