import { describe, expect, it } from 'vitest';
import { isReject, reject } from '../../../src/core/base/reject.ts';
import { encodeProjectCreate } from '../../../src/core/codec/operation.ts';
import { OperatingError } from '../../../src/ports/lifecycle.ts';
import { hashOf } from '../../support/ledger-kit.ts';
import { granted, record, refused, textOf, World, WRITER } from './support.ts';

async function setup() {
  const world = new World(['admin', 'alice']);
  const admin = world.records('admin');
  const intake = await world.phase(admin, await world.project(admin), { alice: WRITER });
  const access = world.access('alice');
  const alice = world.records('alice', access);
  await alice.catchUp(intake);
  /** Sent in this turn: `createProject` would seal its card first. */
  const create = (label: string) => {
    const project = hashOf(label);
    const content = encodeProjectCreate({ project, card: new Uint8Array(90) });
    const scopes = [world.ledger.logId('project', project)];
    return alice.send({ kind: 'projectCreate', scopes, parts: [{ scope: 0, content }], what: label });
  };
  return { world, intake, access, alice, create };
}

describe('transaction sender', () => {
  it('signs what waits at the same time once, in trees of up to 64', async () => {
    const { world, intake, access, alice } = await setup();
    const texts = Array.from({ length: 150 }, (_, index) => `record ${index}`);
    const done = await Promise.all(texts.map(text => alice.putRecord(record(intake, text))));
    expect(access.submitted.reduce((sum, size) => sum + size, 0)).toBe(150);
    expect(access.submitted.length).toBeLessThan(20);
    expect(Math.max(...access.submitted)).toBeLessThanOrEqual(64);
    const signatures = new Set(
      done.map(sent =>
        Buffer.from(world.ledger.transactions.get(granted(sent).id)!.signed.signature).toString('hex'),
      ),
    );
    expect(signatures.size).toBe(access.submitted.length);
    expect(await textOf(alice, intake, granted(done[149]!).id)).toBe('record 149');
  });

  it('sends what comes while batches are on their way in the next ones', async () => {
    const { access, create } = await setup();
    let release = () => {};
    const gate = new Promise<void>(resolve => {
      release = resolve;
    });
    access.beforeSubmit = () => gate;
    const turn = () => new Promise<void>(resolve => setImmediate(resolve));
    const first: Promise<unknown>[] = [];
    for (let index = 0; index < 4; index += 1) {
      first.push(create(`early ${index}`));
      await turn();
    }
    const late = Array.from({ length: 30 }, (_, index) => create(`late ${index}`));
    await turn();
    expect(access.submitted).toEqual([1, 1, 1, 1]);
    release();
    const all = await Promise.all([...first, ...late]);
    expect(all.some(isReject)).toBe(false);
    expect(access.submitted).toEqual([1, 1, 1, 1, 30]);
  });

  it('gives each transaction of a batch its own end', async () => {
    const { alice, access, intake, create } = await setup();
    const [project, closed] = await Promise.all([create('fine'), alice.openPhase(intake)]);
    granted(project);
    expect(refused(closed)).toBe('roleMissing');
    expect(access.submitted).toEqual([2]);
  });

  it('passes on admission refusals, expiry and failures, each under its name', async () => {
    const { alice, access } = await setup();
    const ends = ['invalid', 'expired'] as const;
    for (const end of ends) {
      access.submit = async signed =>
        signed.map(() => {
          const id = 'a'.repeat(64) as never;
          return end === 'expired' ? { id, end } : { id, end, reject: reject('pool_full', 'no room') };
        });
      const answer = await alice.createProject('x');
      expect(refused(answer)).toBe(end === 'expired' ? 'expired' : 'pool_full');
    }
    access.submit = async () => {
      throw new OperatingError('no_source', 'no consensus node can be reached');
    };
    await expect(alice.createProject('x')).rejects.toMatchObject({ code: 'no_source' });
    const failing = Promise.allSettled([1, 2, 3].map(() => alice.createProject('x')));
    expect((await failing).map(result => result.status)).toEqual(['rejected', 'rejected', 'rejected']);
  });

  it('is bounded: too much at once and too large a transaction are refused', async () => {
    const { world, access, alice, intake } = await setup();
    access.submit = () => new Promise(() => {});
    const scopes = [world.ledger.logId('phase', intake)];
    const draft = (bytes: number) => ({
      ...{ kind: 'phaseOpen' as const, scopes, what: 'open' },
      parts: [{ scope: 0, content: new Uint8Array(bytes) }],
    });
    expect(refused(await alice.send(draft(4 * 1024 * 1024 + 1)))).toBe('too_large');
    const answers = Array.from({ length: 4500 }, () => alice.send(draft(1)));
    const settled = await Promise.race([answers.at(-1)!, new Promise(resolve => setImmediate(resolve))]);
    expect(refused(settled)).toBe('sender_busy');
  });
});
