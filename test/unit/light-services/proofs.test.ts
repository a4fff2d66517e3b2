import { createContext, runInContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bundle, verifierPage } from '../../../scripts/verifier-page.mjs';
import { formatGenesis } from '../../../src/config/genesis-document.ts';
import type { MemberId, PhaseId } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { genesisBlock } from '../../../src/core/ledger/genesis.ts';
import type { Dossier } from '../../../src/core/light/dossier.ts';
import { buildDossier } from '../../../src/core/light/dossier-codec.ts';
import { type DossierVerdict, verifyDossier } from '../../../src/core/light/dossier-verify.ts';
import { GRANTS, ROLES } from '../../../src/core/types/operation.ts';
import { hpke } from '../../../src/crypto/hpke.ts';
import { phaseCrypto } from '../../../src/crypto/phase-crypto.ts';
import { openPayload } from '../../../src/crypto/record-cipher.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { DossierCollector } from '../../../src/services/dossier/collector.ts';
import { Prover, type Question, SHOW_NOTHING } from '../../../src/services/dossier/prover.ts';
import { createActor, hashOf, TestLedger, testGenesis } from '../../support/ledger-kit.ts';
import { LightNetwork, type TestClient } from '../../support/light-kit.ts';
import { realClock } from '../../support/memory-transport.ts';

const { sha256 } = nodeSuite;
const [admin, owner, alice, bob] = ['admin', 'owner', 'alice', 'bob'].map(name => createActor(name)) as [
  never,
  never,
  never,
  never,
];
const project = hashOf('project');
const phase = hashOf('phase') as PhaseId;
const both = ROLES.contributor | ROLES.reader;

describe('proofs that a light client makes', () => {
  let net: LightNetwork;
  let client: TestClient;
  /** Height after the phase was opened, after bob was removed, and of the head. */
  let opened: number;
  let removed: number;

  beforeEach(async () => {
    net = new LightNetwork(new TestLedger(testGenesis([admin], [owner, alice, bob])));
    const { actions } = net;
    net.commit(actions.createProject(owner, project));
    net.commit(actions.addPhase(owner, project, phase, { alice: both, bob: both }));
    net.commit(actions.open(owner, phase));
    opened = net.ledger.height;
    for (const text of ['one', 'two', 'three']) net.commit(actions.put(alice, phase, text));
    net.commit(actions.removeParticipant(owner, phase, 'bob' as MemberId));
    removed = net.ledger.height;
    net.commit(actions.put(alice, phase, 'four'));
    net.commit(actions.addParticipant(owner, phase, 'bob' as MemberId, GRANTS.all));
    await net.serve(0, {});
    client = await net.join(alice);
    await client.reached(net.ledger.height);
  });
  afterEach(() => net.stop());

  const anchor = () => {
    const { genesis } = net.ledger;
    const genesisHeader = genesisBlock(nodeSuite, genesis).block.header;
    return { genesisHeader, genesisSet: { id: 0, validators: genesis.validators } };
  };

  function prover(of = client): Prover {
    const collector = new DossierCollector(nodeSuite, of.light, realClock, anchor());
    const records = { disclose: async () => [], openedCard: async () => null };
    return new Prover({ suite: nodeSuite, light: of.light, records, crypto: phaseCrypto, hpke, collector });
  }

  async function made(question: Question, of = client): Promise<Dossier> {
    const answer = await prover(of).answer(question);
    if (isReject(answer)) throw new Error(`${answer.reject}: ${answer.detail}`);
    return answer;
  }

  /** What a third party reads in the proof; it must hold. */
  async function said(question: Question, of = client): Promise<string> {
    const bytes = buildDossier(sha256, await made(question, of));
    const verdict = verifyDossier(nodeSuite, bytes, anchor(), { openPayload });
    expect(verdict.checks.filter(check => !check.ok)).toEqual([]);
    return verdict.checks.find(check => check.name.startsWith('proven: '))!.detail;
  }

  const range = (unit: 'position' | 'height' | 'time', from: number, to: number | null): Question => {
    return { type: 'range', phase, unit, from, to, show: SHOW_NOTHING };
  };

  it('[77] answer ranges by position, height and time, complete', async () => {
    const size = 8;
    expect(await said(range('position', 0, null))).toContain(`${size} leaves, 4 of them records`);
    expect(await said(range('position', 3, 5))).toContain('2 leaves, 2 of them records');
    expect(await said(range('height', opened + 1, removed))).toContain('3 leaves, 3 of them records');
    expect(await said(range('height', removed, null))).toContain('3 leaves, 1 of them records');
    const timeMs = net.ledger.blocks[removed]!.block.header.timeMs;
    expect(await said(range('time', 0, timeMs))).toContain('5 leaves, 3 of them records');
    expect(await said(range('time', timeMs + 1_000_000, null))).toContain('0 leaves');
    const narrow = await made(range('height', opened + 2, opened + 3));
    expect(narrow.logs[0]!.items.length).toBe(3);
    expect(narrow.members!.members.length).toBe(1);
  });

  it('say who was in the phase at each height, as the leaves tell it', async () => {
    const at = (height: number) => said({ type: 'participants', phase, height });
    expect(await at(opened)).toBe('alice (reader, contributor); bob (reader, contributor); owner owner');
    expect(await at(removed - 1)).toContain('bob');
    expect(await at(removed)).toBe('alice (reader, contributor); owner owner');
    expect(await at(net.ledger.height)).toContain('bob');
    const now = await made({ type: 'participants', phase, height: net.ledger.height });
    expect(now.logs[0]!.items.length).toBe(1);
  });

  it('say which epoch was current, and with which key a member signed', async () => {
    const epoch = (height: number) => said({ type: 'epoch', phase, height });
    expect(await epoch(opened)).toContain('epoch 0');
    expect(await epoch(removed)).toContain(`epoch 1, opened at height ${removed}`);
    expect(await said({ type: 'memberKey', member: 'alice' as MemberId, height: 0 })).toMatch(
      /^key 0: 0[23]/,
    );
  });

  it('[77] say what is not there', async () => {
    expect(await said({ type: 'noRecord', phase, id: hashOf('nothing') })).toContain('none of all 8 leaves');
    expect(await said({ type: 'noLog', ref: { scope: 'phase', id: hashOf('nothing') } })).toContain(
      'not in the map',
    );
    const there = await prover().answer({ type: 'noLog', ref: { scope: 'phase', id: phase } });
    expect(isReject(there) && there.reject).toBe('conflict');
  });

  it('[76] say that a later head goes on from an earlier proof', async () => {
    const earlier = await made(range('position', 0, 2));
    net.commit(net.actions.put(alice, phase, 'five'));
    await client.reached(net.ledger.height);
    expect(await said({ type: 'consistency', earlier })).toContain('went on from 8 to 9 leaves');
  });

  it('[82] prove to others what a removed member held, and no more', async () => {
    net.commit(net.actions.removeParticipant(owner, phase, 'alice' as MemberId));
    net.commit(net.actions.put(owner, phase, 'without alice'));
    await client.reached(net.ledger.height);
    expect(await said(range('position', 3, 6))).toContain('3 leaves');
    expect(await said(range('height', opened + 1, removed))).toContain('3 leaves, 3 of them records');
    const all = buildDossier(sha256, await made(range('position', 0, null)));
    const verdict = verifyDossier(nodeSuite, all, anchor());
    expect(verdict.ok).toBe(true);
    expect(verdict.summary!.logs[0]).toMatchObject({ from: 0, to: 9 });
  });

  it('[80] hold in the verifier of the page, which needs nothing but what browsers have', async () => {
    const file = buildDossier(sha256, await made(range('height', opened + 1, removed)));
    const context = createContext({ TextEncoder, TextDecoder });
    runInContext(bundle('verify.ts', 'verifier'), context, { timeout: 10_000 });
    Object.assign(context, { genesisText: formatGenesis(net.ledger.genesis), file });
    const verdict = () =>
      runInContext('verifier.verifyForPage(genesisText, file)', context) as DossierVerdict;
    expect(verdict().checks).toEqual(verifyDossier(nodeSuite, file, anchor(), { openPayload }).checks);
    expect(verdict().ok).toBe(true);
    file[file.length - 40]! ^= 1;
    expect(
      verdict()
        .checks.filter(check => !check.ok)
        .map(check => check.name),
    ).toContain('file checksum');
    expect(runInContext('typeof process + typeof require', context)).toBe('undefinedundefined');
  });

  it('[88] are shown by a page whose policy allows its own script and style only', () => {
    const page = verifierPage();
    expect(page).toMatch(/default-src 'none'; script-src 'sha256-[A-Za-z0-9+/=]+'; style-src 'sha256-/);
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page).not.toMatch(/innerHTML|insertAdjacentHTML|document\.write/);
    expect(page).not.toMatch(/\b(src|href)="/);
  });
});
