import { afterEach, describe, expect, it } from 'vitest';
import type { PhaseId } from '../../../src/core/base/ids.ts';
import { GRANTS } from '../../../src/core/types/operation.ts';
import { type LightRequest, lightRequestCodec } from '../../../src/wire/light.ts';
import { type LightAnswer, lightAnswerCodec } from '../../../src/wire/light-answer.ts';
import { hashOf } from '../../support/ledger-kit.ts';
import type { LightNetwork, TestServer } from '../../support/light-kit.ts';
import { alice, bob, both, networkWithPhase, owner, phase, project } from '../../support/light-phase.ts';

type LogsAnswer = LightAnswer & { readonly kind: 'logs' };
const isLogs = (answer: LightAnswer): answer is LogsAnswer => answer.kind === 'logs';

/** What passes between a server and its clients about logs. */
function overhear({
  lie,
}: TestServer): { request: LightRequest & { kind: 'logs' }; answer: LogsAnswer; bytes: number }[] {
  const heard: ReturnType<typeof overhear> = [];
  lie.tell = (answer, request) => {
    if (!isLogs(answer) || request.kind !== 'logs') return null;
    const bytes = lightAnswerCodec.encode(answer).length + lightRequestCodec.encode(request).length;
    heard.push({ request, answer, bytes });
    return null;
  };
  return heard;
}

const phaseOf = (index: number) => hashOf(`phase ${index}`) as PhaseId;

describe('quiet logs', () => {
  let net: LightNetwork;
  afterEach(() => net.stop());

  /** Alice is in these phases too, bob in the last of them. */
  function morePhases(count: number): void {
    const { actions } = net;
    for (let index = 0; index < count; index += 1) {
      const members = index === count - 1 ? { alice: both, bob: both } : { alice: both };
      net.commit(actions.addPhase(owner, project, phaseOf(index), members));
    }
    net.commit(...Array.from({ length: count }, (_, index) => actions.open(owner, phaseOf(index))));
  }

  it('cost a member of 80 phases nothing while one of them is written to', async () => {
    net = networkWithPhase();
    morePhases(80);
    const heard = overhear(await net.serve(0));
    const client = await net.join(alice);
    await client.reached(net.ledger.height);
    heard.length = 0;
    net.commit(net.actions.put(alice, phase, 'one'));
    await client.reached(net.ledger.height);
    expect(heard.map(({ request }) => request.logs.length)).toEqual([0]);
    const { answer, bytes } = heard[0]!;
    expect(answer.logs.map(({ kind, logId }) => [kind, logId])).toEqual([
      ['part', net.ledger.logId('phase', phase)],
    ]);
    // header, certificate, the record with its proofs, 21 bytes that name 82 logs
    expect(bytes).toBeLessThan(2_600);
    const part = answer.logs[0]!.kind === 'part' ? answer.logs[0]!.part : null;
    expect([part?.items.length, part?.state]).toEqual([1, null]);
    expect(client.light.lies()).toEqual([]);
  });

  it('cost less than a kilobyte a block in which nothing of the member’s is', async () => {
    net = networkWithPhase();
    morePhases(50);
    const heard = overhear(await net.serve(0));
    const client = await net.join(bob);
    await client.reached(net.ledger.height);
    heard.length = 0;
    for (let block = 0; block < 5; block += 1) {
      net.commit(net.actions.put(alice, phase, `foreign ${block}`));
      await client.reached(net.ledger.height);
    }
    expect(heard.map(({ answer }) => answer.logs.length)).toEqual([0, 0, 0, 0, 0]);
    expect(Math.max(...heard.map(({ bytes }) => bytes))).toBeLessThan(1_000);
  });

  it('are asked for one by one after a restart, and of a source that does not know the earlier map', async () => {
    net = networkWithPhase();
    morePhases(3);
    const heard = overhear(await net.serve(0));
    const first = await net.join(alice);
    await first.reached(net.ledger.height);
    await first.stop();
    heard.length = 0;
    const client = await net.join(alice, { kv: first.kv });
    net.commit(net.actions.put(alice, phase, 'one'));
    await client.reached(net.ledger.height);
    expect(Math.max(...heard.map(({ request }) => request.logs.length))).toBe(4);
    const { lie } = net.servers[0]!;
    lie.tell = answer =>
      isLogs(answer) && answer.quiet !== null ? { ...answer, quiet: null, logs: [] } : null;
    net.commit(net.actions.put(alice, phase, 'two'));
    await client.reached(net.ledger.height);
    expect(client.light.held(net.ledger.logId('phase', phase))?.to).toBe(4);
    expect(client.light.lies()).toEqual([]);
  });

  it('are asked for anew of a source that begins with a snapshot meanwhile, and counts them in another order', async () => {
    net = networkWithPhase();
    morePhases(3);
    const { lie } = await net.serve(0);
    const client = await net.join(alice);
    await client.reached(net.ledger.height);
    let reordered = 0;
    lie.tell = answer => {
      if (!isLogs(answer)) return null;
      if (answer.quiet !== null) reordered += 1;
      // as if the bits of the first question had meant other logs
      return { ...answer, scopesBase: 99, quiet: reordered === 1 ? new Uint8Array([9]) : answer.quiet };
    };
    net.commit(net.actions.put(alice, phase, 'one'));
    await client.reached(net.ledger.height);
    expect(reordered).toBeGreaterThan(0);
    expect(client.light.lies()).toEqual([]);
  });

  it('[83] tell a removed member that it was added again', async () => {
    net = networkWithPhase();
    morePhases(2);
    const heard = overhear(await net.serve(0));
    const client = await net.join(bob);
    net.commit(net.actions.removeParticipant(owner, phaseOf(1), bob.id));
    await client.reached(net.ledger.height);
    const logId = net.ledger.logId('phase', phaseOf(1));
    expect(client.light.held(logId)?.ended).toBe(true);
    heard.length = 0;
    net.commit(net.actions.put(alice, phaseOf(1), 'not for bob'));
    await client.reached(net.ledger.height);
    expect(heard.map(({ request, answer }) => [request.logs.length, answer.logs.length])).toEqual([[0, 0]]);
    net.commit(net.actions.addParticipant(owner, phaseOf(1), bob.id, GRANTS.all));
    await client.reached(net.ledger.height);
    expect(client.light.held(logId)).toMatchObject({ from: 0, ended: false });
    expect(client.light.held(logId)?.ranges.length).toBe(1);
  });

  const LIES: readonly (readonly [string, readonly string[], (answer: LogsAnswer) => LogsAnswer])[] = [
    ['withholds one that changed', ['bad_map_proof'], answer => ({ ...answer, logs: [] })],
    [
      'says that nothing has changed in the map',
      ['bad_map_proof'],
      answer => ({ ...answer, logs: [], quiet: new Uint8Array([0]) }),
    ],
    [
      'sends no step that can be read',
      ['bad_map_proof'],
      answer => ({ ...answer, quiet: new Uint8Array([9]) }),
    ],
    [
      'brings one that was not asked for',
      ['wrong_answer'],
      answer => ({ ...answer, logs: [{ kind: 'later', logId: net.ledger.logId('phase', hashOf('other')) }] }),
    ],
    ['brings one twice', ['wrong_answer'], answer => ({ ...answer, logs: [...answer.logs, ...answer.logs] })],
  ];
  for (const [name, codes, change] of LIES) {
    it(`[77] are not believed of a source that ${name}`, async () => {
      net = networkWithPhase();
      morePhases(3);
      const liar = await net.serve(0);
      const client = await net.join(alice);
      await client.reached(net.ledger.height);
      liar.lie.tell = answer => (isLogs(answer) && answer.quiet !== null ? change(answer) : null);
      net.commit(net.actions.put(alice, phase, 'one'));
      await client.until(() => client.light.lies().length > 0);
      expect(codes).toContain(client.light.lies()[0]!.code);
      await client.stop();
      await net.serve(1);
      const other = await net.join(alice, { kv: client.kv });
      await other.reached(net.ledger.height);
      expect(other.light.held(net.ledger.logId('phase', phase))?.to).toBe(3);
    });
  }
});
