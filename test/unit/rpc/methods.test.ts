import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PhaseId } from '../../../src/core/base/ids.ts';
import { consensusNodeMethods, participantMethods } from '../../../src/rpc/groups.ts';
import type { RpcMethod } from '../../../src/rpc/method.ts';
import {
  call,
  hashOf,
  MemoryConsensusNode,
  MemoryParticipant,
  proofFile,
  startServer,
  stopServers,
} from './support.ts';

const consensus = new MemoryConsensusNode();
const participant = new MemoryParticipant();
const intake = hashOf(0xa1) as PhaseId;
const review = hashOf(0xa2) as PhaseId;
let consensusUrl: string;
let url: string;
let dir: string;

beforeAll(async () => {
  consensus.book.append();
  consensus.book.append();
  participant.book.append();
  participant.addPhase(intake, 'intake');
  participant.addPhase(review, 'review');
  dir = await mkdtemp(join(tmpdir(), 'phaseline-rpc-'));
  const limits = { anonymousCallsPerSecond: 100_000 };
  consensusUrl = (await startServer(consensusNodeMethods(consensus), { node: consensus, limits })).url;
  url = (await startServer(participantMethods(participant, participant), { node: participant, limits })).url;
});
afterAll(async () => {
  await stopServers();
  await rm(dir, { recursive: true });
});

const both = (): [string, readonly RpcMethod[]][] => [
  [consensusUrl, consensusNodeMethods(consensus)],
  [url, participantMethods(participant, participant)],
];

/** Calls that succeed, in order; `{}` where a method has no parameters. */
function goodCalls(): [string, string, Record<string, unknown>][] {
  const phase = 'intake';
  const zeros = (length: number) => Buffer.alloc(length).toString('base64');
  const userKey = { signingKey: zeros(33), proof: zeros(64) };
  return [
    [consensusUrl, 'chain_status', {}],
    [consensusUrl, 'chain_head', {}],
    [consensusUrl, 'chain_block', { height: 1 }],
    [consensusUrl, 'chain_validators', {}],
    [consensusUrl, 'chain_genesis', {}],
    [consensusUrl, 'chain_evidence', {}],
    [consensusUrl, 'chain_evidence', { from: 1 }],
    [consensusUrl, 'tx_submit', { transaction: 'AAAA' }],
    [consensusUrl, 'tx_status', { id: hashOf(10) }],
    [consensusUrl, 'tx_status', { id: hashOf(99), waitMs: 5 }],
    [consensusUrl, 'member_list', {}],
    [consensusUrl, 'node_status', {}],
    [url, 'node_status', {}],
    [url, 'member_get', { member: 'alice' }],
    [url, 'member_userAdd', { name: 'maria', key: { passphrase: 'her own' } }],
    [url, 'member_userAdd', { name: 'nina', key: userKey }],
    [url, 'member_userList', {}],
    [url, 'member_userRevoke', { name: 'nina' }],
    [url, 'project_list', {}],
    [url, 'project_get', { project: 'permits' }],
    [url, 'phase_list', {}],
    [url, 'phase_list', { project: 'permits' }],
    [url, 'phase_get', { phase }],
    [url, 'record_put', { phase, text: 'first', type: 'note' }],
    [url, 'record_put', { phase, data: 'AAEC', mediaType: 'application/x-three', references: [hashOf(100)] }],
    [url, 'record_put', { phase, text: 'with a file', files: [{ path: join(dir, 'plan.txt') }] }],
    [url, 'record_get', { phase, record: 0 }],
    [url, 'record_get', { phase: 'permits/intake', record: hashOf(101) }],
    [url, 'record_list', { phase, withData: true }],
    [url, 'record_verify', { phase, record: 0 }],
    [url, 'file_put', { phase, path: join(dir, 'plan.txt') }],
    [url, 'file_get', { phase, cid: 'bafy0', path: join(dir, 'back.txt') }],
    [url, 'file_list', { phase, name: 'plan.txt' }],
    [url, 'file_upload', { phase, path: join(dir, 'plan.txt') }],
    [url, 'file_uploads', { phase }],
    [url, 'file_status', { phase }],
    [url, 'file_verify', { phase, cid: 'bafy0' }],
    [url, 'file_repair', { phase, cid: 'bafy0' }],
    [url, 'file_pin', { phase, cid: 'bafy0' }],
    [url, 'file_unpin', { phase, cid: 'bafy0' }],
    [url, 'file_quota', {}],
    [url, 'file_collectGarbage', {}],
    [url, 'file_verifyAll', {}],
    [url, 'file_references', { phase, cid: 'bafy0' }],
    [url, 'file_purge', { phase, cid: 'bafy0', reason: 'asked for' }],
    [url, 'file_purgeStatus', { phase, cid: 'bafy0' }],
    [url, 'file_purgeCertificate', { phase, cid: 'bafy0', path: join(dir, 'bafy0.purge') }],
    [url, 'record_lineage', { record: hashOf(100) }],
    [url, 'record_lineage', { record: hashOf(100), verify: true }],
    [url, 'file_due', {}],
    [url, 'file_due', { phase }],
    [url, 'phase_handover', { source: phase, targets: ['review'] }],
    [url, 'phase_handover', { source: phase, targets: [review, 'intake'], records: [hashOf(100)] }],
    [url, 'proof_head', {}],
    [url, 'proof_record', { phase, record: 0, recipients: ['alice', `02${hashOf(4)}`], disclose: ['title'] }],
    [url, 'proof_range', { phase, unit: 'height', from: 1, to: 9, payloads: true }],
    [url, 'proof_absence', { id: hashOf(9), what: 'record', phase }],
    [url, 'proof_absence', { id: hashOf(9), what: 'project' }],
    [url, 'proof_consistency', { earlier: Buffer.from(proofFile).toString('base64') }],
    [url, 'proof_participants', { phase, height: 1 }],
    [url, 'proof_epoch', { phase, height: 1 }],
    [url, 'proof_memberKey', { member: 'alice', height: 1 }],
    [url, 'phase_trail', { phase, from: 0 }],
    [url, 'project_trail', { project: 'permits' }],
    [url, 'dossier_export', { phase, path: join(dir, 'intake.dossier') }],
    [url, 'identity_card', {}],
    [url, 'identity_answer', { nonce: Buffer.alloc(32).toString('base64') }],
    [url, 'admin_sources', {}],
    [url, 'admin_standing', { phase: review }],
    [url, 'admin_probe', { peer: 'peer-of-bob', kind: 'log', phase: review }],
    [url, 'admin_probe', { peer: 'peer-of-bob', kind: 'file', phase: review, cid: 'bafy0' }],
  ];
}

describe('chain_evidence', () => {
  it('[76] shows the two messages whole, so that anybody can check the signatures', async () => {
    const { result } = await call(consensusUrl, 'chain_evidence', { from: 1 });
    const signed = { kind: 'commit', validatorSetId: 0, signer: 3, signature: `${'A'.repeat(86)}==` };
    expect(result).toEqual({
      total: 2,
      evidence: [
        { validator: 'validator-3', first: { ...signed, body: 'Ag==' }, second: { ...signed, body: 'Aw==' } },
      ],
      recorded: [],
    });
    expect((await call(consensusUrl, 'chain_status', {})).result.evidence).toBe(2);
  });
});

describe('every method', () => {
  it('answers what its result schema says, by name and by position', async () => {
    await writeFile(join(dir, 'plan.txt'), 'the plan');
    const called = new Set<string>();
    for (const [target, name, params] of goodCalls()) {
      const method = both()
        .find(([at]) => at === target)![1]
        .find(item => item.name === name)!;
      const answer = await call(target, name, params);
      expect([name, answer.error]).toEqual([name, undefined]);
      const checked = method.result.safeParse(answer.result);
      expect([name, checked.error?.issues]).toEqual([name, undefined]);
      called.add(name);
      const names = Object.keys(method.params.shape);
      const given = Object.keys(params);
      if (names.slice(0, given.length).join() !== given.join() || name.startsWith('file_get')) continue;
      if (['record_put', 'file_put', 'dossier_export', 'file_purgeCertificate'].includes(name)) continue;
      const positional = await call(target, name, Object.values(params));
      expect([name, positional.error]).toEqual([name, undefined]);
    }
    const all = both().flatMap(([, methods]) => methods.map(method => method.name));
    const missing = all.filter(name => !called.has(name) && !name.startsWith('subscription_'));
    expect([...new Set(missing)]).toEqual([]);
  });

  it('[90] refuses wrong types of every parameter and names the parameter', async () => {
    const wrong = [null, true, -1, 1.5, 2 ** 53, '', '\u0000', 'x'.repeat(5_000), [], [[]], {}, { a: 1 }];
    let tried = 0;
    for (const [target, methods] of both()) {
      for (const method of methods) {
        for (const [name, schema] of Object.entries(method.params.shape)) {
          for (const value of wrong) {
            if ((schema as { safeParse(value: unknown): { success: boolean } }).safeParse(value).success)
              continue;
            const { error } = await call(target, method.name, { [name]: value });
            const faults = error?.data?.faults?.map((fault: { parameter: string }) => fault.parameter) ?? [];
            const named = faults.some(
              (fault: string) =>
                fault === name || fault.startsWith(`${name}[`) || fault.startsWith(`${name}.`),
            );
            expect([method.name, name, error?.code, named]).toEqual([method.name, name, -32602, true]);
            tried += 1;
          }
        }
      }
    }
    expect(tried).toBeGreaterThan(300);
  });

  it('session methods are closed to strangers, public ones are few', async () => {
    for (const [target, methods] of both()) {
      for (const method of methods) {
        const { error } = await call(target, method.name, {}, null);
        expect([method.name, error?.code === -32001]).toEqual([method.name, method.access === 'session']);
      }
    }
    const open = both().flatMap(([, methods]) => methods.filter(method => method.access === 'public'));
    expect([...new Set(open.map(method => method.name.split('_')[0]))].sort()).toEqual([
      'chain',
      'node',
      'subscription',
      'tx',
    ]);
  });
});

describe('rpc.discover', () => {
  it('describes every method with schemas, and only these', async () => {
    for (const [target, methods] of both()) {
      const { result: document } = await call(target, 'rpc.discover', {}, null);
      expect(document.openrpc).toMatch(/^1\.\d+\.\d+$/);
      expect(document.info).toMatchObject({ title: 'test node', version: '0.1.0' });
      const names = document.methods.map((method: { name: string }) => method.name);
      expect(names).toEqual([...methods.map(method => method.name), 'rpc.discover'].sort());
      for (const described of document.methods) {
        const method = methods.find(item => item.name === described.name);
        expect(described.summary.length).toBeGreaterThan(10);
        expect(described.result.schema).toBeTypeOf('object');
        expect(Object.keys(described.result.schema).length).toBeGreaterThan(0);
        expect(['public', 'session', 'member']).toContain(described['x-access']);
        const shape = Object.keys(method?.params.shape ?? {});
        expect(described.params.map((param: { name: string }) => param.name)).toEqual(shape);
        for (const param of described.params) {
          const keys = Object.keys(param.schema);
          expect([
            described.name,
            param.name,
            keys.some(key => ['type', 'anyOf', 'enum', 'const'].includes(key)),
          ]).toEqual([described.name, param.name, true]);
          expect(param.required).toBe(!method!.params.shape[param.name]!.safeParse(undefined).success);
        }
        for (const error of described.errors) expect(error.code).toBeTypeOf('number');
      }
    }
  });
});

describe('records and files over JSON', () => {
  it('keeps bytes, text and names as they were given', async () => {
    const { result } = await call(url, 'record_list', { phase: 'intake', withData: true });
    expect(result.records.slice(0, 3).map((record: { content: object }) => record.content)).toMatchObject([
      { type: 'note', mediaType: 'text/plain', bytes: 5, text: 'first', data: 'Zmlyc3Q=' },
      { mediaType: 'application/x-three', bytes: 3, text: null, data: 'AAEC' },
      { files: [{ name: 'plan.txt', bytes: 8 }] },
    ]);
    expect(await readFile(join(dir, 'back.txt'), 'utf8')).toBe('the plan');
    expect(await readFile(join(dir, 'intake.dossier'))).toEqual(Buffer.from([1, 2, 3]));
    expect(await readFile(join(dir, 'bafy0.purge'))).toEqual(Buffer.from([4, 5]));
    const { result: bare } = await call(url, 'record_list', { phase: 'intake', limit: 2 });
    expect(bare).toMatchObject({ next: 2, size: 4 });
    expect(bare.records[0].content).toMatchObject({ data: null, text: null, bytes: 5 });
    expect((await call(url, 'record_list', { phase: 'intake', from: 2 })).result).toMatchObject({
      next: null,
    });
  });

  it('writes files of many chunks whole', async () => {
    const bytes = randomBytes(300_001);
    await writeFile(join(dir, 'large'), bytes);
    const put = await call(url, 'file_put', { phase: 'review', path: join(dir, 'large'), name: 'large.bin' });
    const { cid } = put.result.files[0];
    const got = await call(url, 'file_get', { phase: 'review', cid, path: join(dir, 'large-back') });
    expect(got.result).toMatchObject({
      bytes: 300_001,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    });
    expect((await readFile(join(dir, 'large-back'))).equals(bytes)).toBe(true);
    await rm(join(dir, 'large'));
    await rm(join(dir, 'large-back'));
  });

  it('refuses text with data, unequal base64, and unknown records', async () => {
    const both = await call(url, 'record_put', { phase: 'intake', text: 'a', data: 'AAAA' });
    expect(both.error.data.parameter).toBe('text');
    for (const data of ['AAA', 'AAA=A', 'AB==', 'A-_A', ' AAAA']) {
      expect([data, (await call(url, 'record_put', { phase: 'intake', data })).error.data.parameter]).toEqual(
        [data, 'data'],
      );
    }
    expect((await call(url, 'record_get', { phase: 'intake', record: 77 })).error).toMatchObject({
      code: 1002,
      data: { reason: 'unknown_record' },
    });
    expect((await call(url, 'proof_consistency', { earlier: 'AAAA' })).error.code).toBe(-32602);
    expect((await call(url, 'proof_range', { phase: 'intake', from: 3, to: 2 })).error.code).toBe(-32602);
    expect((await call(url, 'proof_absence', { id: hashOf(1) })).error.code).toBe(-32602);
    const nobody = await call(url, 'proof_record', { phase: 'intake', record: 0, recipients: ['nobody'] });
    expect(nobody.error).toMatchObject({ code: 1002, data: { reason: 'unknown_member' } });
  });

  it('[88] local paths are absolute regular files, and nothing is replaced', async () => {
    const reasonOf = async (path: string) =>
      (await call(url, 'file_put', { phase: 'intake', path })).error.data.reason;
    expect(await reasonOf('../plan.txt')).toBe('invalid_params');
    expect(await reasonOf(dir)).toBe('not_a_file');
    expect(await reasonOf('/dev/zero')).toBe('not_a_file');
    expect(await reasonOf(join(dir, 'nothing'))).toBe('no_such_file');
    const get = (path: string) => call(url, 'file_get', { phase: 'intake', cid: 'bafy0', path });
    expect((await get(join(dir, 'back.txt'))).error.data.reason).toBe('file_exists');
    expect((await get(join(dir, 'none', 'x'))).error.data.reason).toBe('no_such_directory');
    expect((await get('back.txt')).error.data.reason).toBe('invalid_params');
  });

  it('[85] a file that breaks off leaves nothing behind', async () => {
    participant.breakAfterChunks = 0;
    const path = join(dir, 'broken.txt');
    expect((await call(url, 'file_get', { phase: 'intake', cid: 'bafy0', path })).error.code).toBe(-32603);
    participant.breakAfterChunks = Number.POSITIVE_INFINITY;
    expect((await readdir(dir)).sort()).toEqual(['back.txt', 'bafy0.purge', 'intake.dossier', 'plan.txt']);
  });
});
