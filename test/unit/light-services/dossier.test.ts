import { afterEach, describe, expect, it } from 'vitest';
import type { PhaseId } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { genesisBlock } from '../../../src/core/ledger/genesis.ts';
import { NOTHING_SHOWN } from '../../../src/core/light/dossier.ts';
import { buildDossier } from '../../../src/core/light/dossier-codec.ts';
import { verifyDossier } from '../../../src/core/light/dossier-verify.ts';
import { GRANTS, ROLES } from '../../../src/core/types/operation.ts';
import { openPayload } from '../../../src/crypto/record-cipher.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { DossierCollector, WHOLE_LOG } from '../../../src/services/dossier/collector.ts';
import { createActor, hashOf, TestLedger, testGenesis } from '../../support/ledger-kit.ts';
import { LightNetwork, type TestClient } from '../../support/light-kit.ts';
import { realClock } from '../../support/memory-transport.ts';

const actor = createActor;
const [admin, owner, alice, bob] = [actor('admin'), actor('owner'), actor('alice'), actor('bob')];
const project = hashOf('project');
const phase = hashOf('phase') as PhaseId;
const both = ROLES.contributor | ROLES.reader;

describe('a dossier collected by a light client', () => {
  let net: LightNetwork;
  afterEach(() => net.stop());

  /** The names of the checks of a phase's dossier that a third party verifies, all of which must hold. */
  async function checksOf(client: TestClient): Promise<string[]> {
    const { genesis } = net.ledger;
    const genesisHeader = genesisBlock(nodeSuite, genesis).block.header;
    const anchor = { genesisHeader, genesisSet: { id: 0, validators: genesis.validators } };
    const collector = new DossierCollector(nodeSuite, client.light, realClock, anchor);
    const collected = await collector.collect([{ scope: 'phase', id: phase, ...WHOLE_LOG }]);
    if (isReject(collected)) throw new Error(collected.detail);
    const bytes = buildDossier(nodeSuite.sha256, { ...collected.content, ...NOTHING_SHOWN });
    const verdict = verifyDossier(nodeSuite, bytes, anchor, { openPayload });
    expect(verdict.checks.filter(check => !check.ok)).toEqual([]);
    return verdict.checks.map(check => `${check.name} ${check.detail}`);
  }

  it('[80] has the whole log, the part since a removed member came back, and the log up to a removal', async () => {
    net = new LightNetwork(new TestLedger(testGenesis([admin], [owner, alice, bob])));
    const { actions } = net;
    net.commit(actions.createProject(owner, project));
    net.commit(actions.addPhase(owner, project, phase, { alice: both, bob: both }));
    net.commit(actions.open(owner, phase));
    net.commit(actions.put(alice, phase, 'one'));
    // Far less than the states take: proofs of what is held must do.
    await net.serve(0, { answerBytesTarget: 600 });
    const whole = await net.join(alice);
    const client = await net.join(bob);
    await whole.reached(net.ledger.height);
    expect((await checksOf(whole)).join()).toContain('complete (3 leaves)');
    net.commit(actions.removeParticipant(owner, phase, bob.id));
    net.commit(actions.put(alice, phase, 'between'));
    await client.reached(net.ledger.height);
    expect((await checksOf(client)).join()).toContain('leaves 0 to 3 of 5');
    net.commit(actions.addParticipant(owner, phase, bob.id, GRANTS.none));
    net.commit(actions.put(alice, phase, 'again'));
    await client.reached(net.ledger.height);
    expect(client.light.held(net.ledger.logId('phase', phase))?.ranges.length).toBe(2);
    expect((await checksOf(client)).join()).toContain('leaves 5 to 6 of 7');
  });
});
