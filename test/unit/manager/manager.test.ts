import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { createClient } from '../../../src/client/client.ts';
import { DEFAULT_POLICY } from '../../../src/core/types/flow.ts';
import type { Member } from '../../../src/core/types/state.ts';
import { managerMethods } from '../../../src/manager/methods.ts';
import { createSignedRequestCheck } from '../../../src/manager/signed-requests.ts';
import { call, hashOf, member, startServer, stopServers, TOKEN } from '../rpc/support.ts';
import {
  cardJson,
  cardOf,
  createTestManager,
  foreign,
  intake,
  keys,
  MemoryHosting,
  memberWith,
  permits,
  registrationJson,
  signerOf,
  type TestManager,
} from './support.ts';

let manager: TestManager;
let hosting: MemoryHosting;
let url: string;

beforeEach(async () => {
  await stopServers();
  manager = createTestManager();
  hosting = new MemoryHosting();
  const { api, clock } = manager;
  const checkSigned = createSignedRequestCheck(api);
  ({ url } = await startServer(managerMethods(api, hosting), { clock, checkSigned }));
});
afterAll(stopServers);

const session = (method: string, params: object = {}) => call(url, `manager_${method}`, params);
const challenge = async (card = cardOf('carol', keys.carol)) =>
  (await session('memberChallenge', { card: cardJson(card) })).result.nonce as string;

/** Members of a state stand in the order of their ids. */
function addMember(added: Member): void {
  const { value } = manager.system;
  const members = [...value.members, added].sort((a, b) => (a.id < b.id ? -1 : 1));
  manager.system.value = { ...value, members };
}

describe('registration', () => {
  it('of a member that proves both its card and that it holds the key now', async () => {
    const card = cardOf('carol', keys.carol);
    const registration = registrationJson(card, keys.carol, await challenge());
    expect((await session('memberRegister', registration)).result).toMatchObject({
      id: hashOf(0x50),
      height: 9,
    });
    const proof = new Uint8Array(Buffer.from(registration.proof, 'base64'));
    expect(manager.log.asked).toEqual([['registerMember', card, proof]]);
  });

  it('needs a fresh challenge: once, for this card, in time, of this server', async () => {
    const card = cardOf('carol', keys.carol);
    const register = async (nonce: string, shown = card) =>
      (await session('memberRegister', registrationJson(shown, keys.carol, nonce))).error?.data.reason;
    expect(await register(Buffer.alloc(32, 7).toString('base64'))).toBe('stale_challenge');
    const nonce = await challenge();
    expect(await register(nonce, cardOf('carol', keys.carol, { name: 'another' }))).toBe('stale_challenge');
    expect(await register(nonce)).toBe('stale_challenge');
    const old = await challenge();
    manager.clock.advance(600_001);
    expect(await register(old)).toBe('stale_challenge');
    const used = await challenge();
    expect(await register(used)).toBeUndefined();
    expect(await register(used)).toBe('stale_challenge');
  });

  it('refuses signatures by another key, over another nonce, or for another chain', async () => {
    const card = cardOf('carol', keys.carol);
    const reason = async (change: (nonce: string) => object) =>
      (await session('memberRegister', change(await challenge()))).error?.data.reason;
    expect(await reason(nonce => registrationJson(card, keys.bob, nonce))).toBe('bad_signature');
    expect(
      await reason(nonce => {
        const other = registrationJson(card, keys.carol, Buffer.alloc(32).toString('base64'));
        return { ...other, nonce };
      }),
    ).toBe('bad_signature');
    expect(await reason(nonce => registrationJson(card, keys.carol, nonce, hashOf(0x78)))).toBe(
      'bad_signature',
    );
    expect(
      await reason(nonce => ({
        ...registrationJson(card, keys.carol, nonce),
        proof: registrationJson(card, keys.bob, nonce).proof,
      })),
    ).toBe('bad_proof');
    expect(manager.log.asked).toEqual([]);
  });

  it('refuses cards with taken names or peers, and keys that are none', async () => {
    const reason = async (card: ReturnType<typeof cardOf>) =>
      (await session('memberChallenge', { card: cardJson(card) })).error?.data.reason;
    expect(await reason(cardOf('alice', keys.carol))).toBe('member_exists');
    expect(await reason(cardOf('dave', keys.carol))).toBe('member_exists');
    expect(await reason(cardOf('carol', keys.carol, { peerIds: ['peer-of-bob'] }))).toBe('peer_id_taken');
    expect(await reason(cardOf('carol', keys.carol, { peerIds: ['peer-of-validator'] }))).toBe(
      'peer_id_taken',
    );
    expect(await reason(cardOf('carol', keys.carol, { peerIds: ['p', 'p'] }))).toBe('bad_card');
    expect(await reason(cardOf('carol', keys.carol, { sealingKey: keys.carol.publicKey }))).toBe('bad_card');
    const offCurve = keys.sealing.publicKey.slice().fill(0xff, 1);
    expect(await reason(cardOf('carol', keys.carol, { sealingKey: offCurve }))).toBe('bad_card');
    expect(await reason(cardOf('carol', keys.carol, { signingKey: new Uint8Array(33) }))).toBe('bad_card');
    for (const id of ['Carol', '-carol', 'a'.repeat(33), '', '../x']) {
      const { error } = await session('memberChallenge', {
        card: { ...cardJson(cardOf('x', keys.carol)), id },
      });
      expect([id, error.code, error.data.parameter]).toEqual([id, -32602, 'card.id']);
    }
  });

  it('checks the card again when the challenge is answered', async () => {
    const nonce = await challenge();
    addMember(memberWith('carol', signerOf(40)));
    const registration = registrationJson(cardOf('carol', keys.carol), keys.carol, nonce);
    expect((await session('memberRegister', registration)).error.data.reason).toBe('member_exists');
  });
});

describe('participants', () => {
  const add = async (params: object) =>
    (await session('participantAdd', { phase: 'intake', ...params })).error?.data;

  it('are added when registered, active and not in', async () => {
    expect(
      await add({ member: 'bob', roles: ['reader', 'approver'], grant: { fromEpoch: 1 } }),
    ).toBeUndefined();
    expect(manager.log.asked).toEqual([
      ['addParticipant', { phase: intake, member: 'bob', roles: 5, grant: { fromEpoch: 1 } }],
    ]);
    expect((await add({ member: 'nobody' })).reason).toBe('unknown_member');
    expect((await add({ member: 'dave' })).reason).toBe('member_revoked');
    addMember(memberWith('zoe', signerOf(45), { suspendedHeight: 7 }));
    expect(await add({ member: 'zoe' })).toMatchObject({
      reason: 'member_suspended',
      hint: expect.stringContaining('phaseline member resume zoe'),
    });
    expect((await add({ member: 'alice' })).reason).toBe('already_participant');
    expect(await add({ member: 'erin' })).toBeUndefined();
    const late = memberWith('late', signerOf(41));
    addMember({ ...late, keys: [{ ...late.keys[0]!, fromHeight: 99 }] });
    expect((await add({ member: 'late' })).reason).toBe('no_current_key');
    expect(manager.log.asked).toHaveLength(2);
  });

  it('are removed and changed when they are in', async () => {
    expect((await session('participantRemove', { phase: 'intake', member: 'alice' })).error).toBeUndefined();
    expect(
      (await session('participantRole', { phase: 'permits/intake', member: 'alice', roles: ['steward'] }))
        .error,
    ).toBeUndefined();
    expect((await session('participantRemove', { phase: 'intake', member: 'bob' })).error.data.reason).toBe(
      'not_participant',
    );
    expect(
      (await session('participantRole', { phase: 'intake', member: 'bob', roles: ['reader'] })).error.code,
    ).toBe(1002);
    expect(manager.log.asked).toEqual([
      ['removeParticipant', intake, 'alice'],
      ['changeRole', intake, 'alice', 8],
    ]);
  });
});

describe('projects and phases', () => {
  it('every call reaches its operation', async () => {
    await session('projectCreate', { label: 'new' });
    await session('projectArchive', { project: 'permits' });
    await session('phaseAdd', {
      project: permits.slice(0, 8),
      label: 'review',
      predecessors: ['intake'],
      participants: [{ member: 'bob', roles: ['contributor'] }],
      custody: 'participants',
    });
    await session('phaseOpen', { phase: 'intake' });
    await session('phaseClose', { phase: 'intake' });
    await session('epochRotate', { phase: intake });
    await session('memberRevoke', { member: 'bob', reason: 'left' });
    await session('memberSuspend', { member: 'bob', reason: 'stolen' });
    const handover = await session('phaseHandover', { source: 'intake', targets: ['intake', 'intake'] });
    const done = { target: intake, items: 2, transactions: [{ height: 9 }], refusal: null };
    expect(handover.result).toMatchObject({ targets: [done] });
    expect(manager.log.asked).toEqual([
      ['createProject', 'new'],
      ['archiveProject', permits],
      [
        'addPhase',
        {
          project: permits,
          label: 'review',
          predecessors: [intake],
          custody: 1,
          policy: DEFAULT_POLICY,
          recordTypes: [],
          successors: [],
          participants: [{ member: 'bob', roles: 2 }],
        },
      ],
      ['openPhase', intake],
      ['closePhase', intake],
      ['rotateEpoch', intake],
      ['revokeMember', 'bob', 'left'],
      ['suspendMember', 'bob', 'stolen'],
      [
        'handOverToAll',
        { source: intake, targets: [{ phase: intake, epoch: null }], records: null, files: null },
      ],
    ]);
  });

  it('a phase needs active participants, once each, and predecessors of its project', async () => {
    const add = async (params: object) =>
      (await session('phaseAdd', { project: 'permits', label: 'x', ...params })).error.data;
    expect((await add({ participants: [{ member: 'dave', roles: ['reader'] }] })).reason).toBe(
      'member_revoked',
    );
    const twice = { member: 'bob', roles: ['reader'] };
    expect((await add({ participants: [twice, twice] })).parameter).toBe('participants');
    expect((await add({ predecessors: ['nothing'] })).reason).toBe('unknown_phase');
    expect((await add({ copiesTarget: 1, copiesMinimum: 2 })).parameter).toBe('copiesMinimum');
    expect((await add({ label: 'a\u0007b' })).parameter).toBe('label');
    expect((await add({ label: 'é'.repeat(129) })).parameter).toBe('label');
  });

  it('the overview shows certified data with the age of its head, page by page', async () => {
    const { result } = await session('overview', { limit: 1 });
    expect(result).toMatchObject({
      member: 'manager',
      head: { height: 8, ageMs: 1_500 },
      systemVersion: 3,
      validators: 1,
      projectsTotal: 2,
      next: 1,
      projects: [
        {
          project: { label: 'permits' },
          phases: [{ label: 'intake', lifecycle: 'open', membershipVersion: 1 }],
        },
      ],
    });
    expect((await session('overview', { from: 1, limit: 1 })).result).toMatchObject({
      next: null,
      projects: [{}],
    });
    expect((await session('status')).result).toMatchObject({ member: 'manager', members: 5, projects: 2 });
    expect((await session('memberList')).result.members.map((item: { id: string }) => item.id)).toContain(
      'dave',
    );
    expect((await session('projectGet', { project: 'permits' })).result.phases).toHaveLength(1);
  });

  it('every answer fits its schema', async () => {
    const methods = managerMethods(manager.api, hosting);
    for (const [name, params] of [
      ['status', {}],
      ['overview', {}],
      ['memberList', {}],
      ['projectList', {}],
      ['projectGet', { project: 'permits' }],
      ['projectCreate', { label: 'x' }],
      ['phaseOpen', { phase: 'intake' }],
      ['phaseHandover', { source: 'intake', targets: ['intake'] }],
      ['memberChallenge', { card: cardJson(cardOf('carol', keys.carol)) }],
      ['memberHost', { member: 'group-1', name: 'Group 1' }],
    ] as const) {
      const method = methods.find(item => item.name === `manager_${name}`)!;
      const { result } = await session(name, params);
      expect([name, method.result.safeParse(result).error?.issues]).toEqual([name, undefined]);
    }
  });
});

describe('hosted members', () => {
  it('are registered once and written for', async () => {
    expect(
      (await session('memberHost', { member: 'group-1', name: 'Group 1' })).result.registered.height,
    ).toBe(9);
    expect((await session('memberHost', { member: 'group-1', name: 'Group 1' })).result).toEqual({
      registered: null,
    });
    expect((await session('memberHost', { member: 'alice', name: 'Alice' })).error.data.reason).toBe(
      'member_exists',
    );
    const records = [{ type: 'event', text: '{}' }, { text: 'x' }];
    const put = await session('recordsPut', { as: 'group-1', phase: 'intake', records });
    expect(put.result.records).toHaveLength(2);
    expect(hosting.written).toEqual([['group-1', intake, 2]]);
    expect((await session('recordsPut', { as: 'alice', phase: 'intake', records })).error.data.reason).toBe(
      'not_hosted',
    );
  });

  it('are no business of a server without hosting', async () => {
    const { url: plain } = await startServer(managerMethods(manager.api, null));
    expect((await call(plain, 'manager_memberHost', { member: 'x', name: 'x' })).error.code).toBe(-32601);
  });
});

describe('rights', () => {
  function clientOf(name: keyof typeof keys, changes: object = {}) {
    const signer = keys[name];
    return createClient({
      url,
      signer: {
        chainId: manager.api.data.chainId,
        audience: member('manager'),
        member: member(name),
        keyId: 0,
        sha256: manager.api.suite.sha256,
        random: manager.api.random,
        nowMs: () => manager.clock.nowMs(),
        sign: bytes => signer.sign(bytes),
        ...changes,
      },
    });
  }
  const reasonOf = (promise: Promise<unknown>) =>
    promise.then(
      () => 'done',
      (error: { reason: string }) => error.reason,
    );

  it('strangers may do nothing', async () => {
    for (const { name } of managerMethods(manager.api, hosting)) {
      expect([name, (await call(url, name, {}, null)).error.code]).toEqual([name, -32001]);
    }
  });

  it('administrators may do everything, owners what concerns their project, others nothing', async () => {
    const admin = clientOf('manager');
    expect(await admin.callSigned('manager_status')).toMatchObject({ youAreAdministrator: true });
    expect(await reasonOf(admin.callSigned('manager_projectCreate', { label: 'x' }))).toBe('done');
    expect(await reasonOf(admin.callSigned('manager_projectArchive', { project: 'garden' }))).toBe('done');
    const owner = clientOf('bob');
    expect(await owner.callSigned('manager_projectList')).toMatchObject({ projects: [{ id: foreign }] });
    expect(await reasonOf(owner.callSigned('manager_projectArchive', { project: 'garden' }))).toBe('done');
    expect(await reasonOf(owner.callSigned('manager_projectArchive', { project: permits }))).toBe(
      'not_owner',
    );
    expect(await reasonOf(owner.callSigned('manager_projectArchive', { project: 'permits' }))).toBe(
      'unknown_project',
    );
    for (const [method, params, reason] of [
      ['manager_projectCreate', { label: 'x' }, 'not_administrator'],
      ['manager_memberRevoke', { member: 'alice', reason: 'x' }, 'not_administrator'],
      ['manager_memberSuspend', { member: 'alice', reason: 'x' }, 'not_administrator'],
      ['manager_memberChallenge', { card: cardJson(cardOf('carol', keys.carol)) }, 'not_administrator'],
      ['manager_memberHost', { member: 'x', name: 'x' }, 'not_administrator'],
      ['manager_participantAdd', { phase: intake, member: 'bob' }, 'not_owner'],
      ['manager_epochRotate', { phase: 'intake' }, 'unknown_phase'],
    ] as const) {
      expect([method, await reasonOf(owner.callSigned(method, params))]).toEqual([method, reason]);
    }
    expect(await clientOf('alice').callSigned('manager_overview')).toMatchObject({ projectsTotal: 0 });
  });

  it('a revoked administrator is none, and signs nothing any more', async () => {
    const { value } = manager.system;
    const members = value.members.map(item => (item.id === 'manager' ? { ...item, revoked: true } : item));
    manager.system.value = { ...value, members };
    expect(await reasonOf(clientOf('manager').callSigned('manager_status'))).toBe('unknown_key');
  });

  it('a suspended administrator signs nothing, nor does a user of one', async () => {
    const { value } = manager.system;
    const change = (changes: (item: (typeof value.members)[number]) => object) => {
      const members = value.members.map(item =>
        item.id === 'manager' ? { ...item, ...changes(item) } : item,
      );
      manager.system.value = { ...value, members };
    };
    change(() => ({ suspendedHeight: 5 }));
    expect(await reasonOf(clientOf('manager').callSigned('manager_status'))).toBe('unknown_key');
    const userKey = { signingKey: signerOf(44).publicKey, fromHeight: 1, untilHeight: 0 };
    change(({ keys: own }) => ({ keys: [...own, { ...userKey, user: hashOf(7), sealingKey: null }] }));
    const asUser = { keyId: 1, sign: (bytes: Uint8Array) => signerOf(44).sign(bytes) };
    expect(await reasonOf(clientOf('manager', asUser).callSigned('manager_status'))).toBe('unknown_key');
    expect(await reasonOf(clientOf('manager').callSigned('manager_status'))).toBe('done');
  });

  it('signed requests are bound to key, chain, server, time and parameters', async () => {
    const call = (changes: object) => reasonOf(clientOf('alice', changes).callSigned('manager_status'));
    expect(await call({})).toBe('done');
    expect(await call({ member: member('bob') })).toBe('bad_signature');
    expect(await call({ member: member('nobody') })).toBe('unknown_key');
    expect(await call({ keyId: 1 })).toBe('unknown_key');
    expect(
      await call({ member: member('erin'), sign: (bytes: Uint8Array) => signerOf(10).sign(bytes) }),
    ).toBe('unknown_key');
    expect(await call({ chainId: hashOf(0x78) })).toBe('bad_signature');
    expect(await call({ audience: member('other') })).toBe('bad_signature');
    manager.clock.advance(120_000);
    for (const [aheadMs, end] of [
      [60_000, 'done'],
      [-60_000, 'done'],
      [60_001, 'stale_request'],
      [-60_001, 'stale_request'],
    ] as const) {
      expect([aheadMs, await call({ nowMs: () => manager.clock.nowMs() + aheadMs })]).toEqual([aheadMs, end]);
    }
  });

  it('a request runs once: not again, not with other parameters, not as another method, not after a restart', async () => {
    const sent: string[] = [];
    const recording = createClient({
      url,
      signer: { ...signerOptions() },
      fetch: (input, init) => {
        sent.push(String(init?.body));
        return fetch(input, init);
      },
    });
    await recording.callSigned('manager_projectCreate', { label: 'once' });
    const request = JSON.parse(sent[0]!);
    const again = async (change: (copy: typeof request) => void, target = url) => {
      const copy = structuredClone(request);
      change(copy);
      return (await call(target, copy.method, copy.params, null)).error?.data.reason;
    };
    expect(await again(() => {})).toBe('replayed_request');
    expect(await again(copy => (copy.params.signed.params = '{"label":"twice"}'))).toBe('bad_signature');
    expect(await again(copy => (copy.method = 'manager_status'))).toBe('bad_signature');
    expect(await again(copy => (copy.params.signed.nonce = 'A'.repeat(22)))).toBe('invalid_params');
    expect(await again(copy => (copy.params.extra = 1))).toBe('session_needed');
    manager.clock.advance(10);
    const checkSigned = createSignedRequestCheck(manager.api);
    const restarted = await startServer(managerMethods(manager.api, null), {
      clock: manager.clock,
      checkSigned,
    });
    expect(await again(() => {}, restarted.url)).toBe('stale_request');
    expect(manager.log.asked).toEqual([['createProject', 'once']]);
  });

  it('[90] hostile signed parameters meet the same checks', async () => {
    const client = clientOf('manager');
    const deep = JSON.parse(`${'['.repeat(100)}${']'.repeat(100)}`);
    expect(await reasonOf(client.callSigned('manager_projectCreate', { label: deep }))).toBe('json_too_deep');
    const poison = JSON.parse('{"__proto__":{"x":1}}');
    expect(await reasonOf(client.callSigned('manager_projectCreate', poison))).toBe('forbidden_key');
    expect(await reasonOf(client.callSigned('manager_projectCreate', { label: 7 }))).toBe('invalid_params');
    for (const signed of [null, 7, [], {}, { member: 'alice' }, { params: {} }]) {
      const { error } = await call(url, 'manager_status', { signed }, null);
      expect([error.code, error.data.parameter.startsWith('signed')]).toEqual([-32602, true]);
    }
  });

  it('nobody can fill the memory of nonces for another', async () => {
    const check = createSignedRequestCheck(manager.api);
    const sent: unknown[] = [];
    const capture = (name: keyof typeof keys) =>
      createClient({
        url,
        signer: { ...signerOptions(name) },
        fetch: async (_input, init) => {
          sent.push(JSON.parse(String(init?.body)).params.signed);
          return new Response('{"jsonrpc":"2.0","id":1,"result":{}}');
        },
      });
    const flood = capture('alice');
    for (let count = 0; count < 4_097; count += 1) await flood.callSigned('manager_status');
    await capture('bob').callSigned('manager_status');
    const ends = sent.map(signed => {
      try {
        return check('manager_status', signed).caller.kind;
      } catch (error) {
        return (error as { data: { reason: string } }).data.reason;
      }
    });
    expect(ends.slice(0, 4_096).every(end => end === 'member')).toBe(true);
    expect(ends.slice(4_096)).toEqual(['too_many_requests', 'member']);
  });

  function signerOptions(name: keyof typeof keys = 'manager') {
    const signer = keys[name];
    return {
      chainId: manager.api.data.chainId,
      audience: member('manager'),
      member: member(name),
      keyId: 0,
      sha256: manager.api.suite.sha256,
      random: manager.api.random,
      nowMs: () => manager.clock.nowMs(),
      sign: (bytes: Uint8Array) => signer.sign(bytes),
    };
  }
});

it('the session token is the operator and may do everything', async () => {
  expect((await call(url, 'manager_status', {}, TOKEN)).result.youAreAdministrator).toBe(true);
});
