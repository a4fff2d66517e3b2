import { describe, expect, it } from 'vitest';
import { toHex, utf8 } from '../../../src/core/base/bytes.ts';
import type { MemberId, PhaseId } from '../../../src/core/base/ids.ts';
import { DEFAULT_POLICY } from '../../../src/core/types/flow.ts';
import { LIMITS } from '../../../src/core/types/limits.ts';
import { CUSTODY } from '../../../src/core/types/operation.ts';
import { granted, refused, STEWARD, World, WRITER } from './support.ts';

const [BOB, CAROL] = ['bob', 'carol'] as MemberId[] as [MemberId, MemberId];

async function setup(custody: number = CUSTODY.manager) {
  const world = new World(['admin', 'alice', 'bob', 'carol']);
  const admin = world.records('admin');
  const project = await world.project(admin);
  const participants = { alice: STEWARD, bob: WRITER };
  const owned = custody === CUSTODY.manager ? participants : { ...participants, admin: STEWARD };
  const phase = await world.phase(admin, project, owned, { custody });
  const names = (member: string) => world.records(member).phaseLabel(phase, project);
  return { world, admin, project, phase, names, alice: world.records('alice'), bob: world.records('bob') };
}

/** Every byte that consensus nodes execute and keep. */
function onChain(world: World): string {
  const bodies = [...world.ledger.transactions.values()].flatMap(({ signed }) =>
    signed.parts.map(part => toHex(part!.content)),
  );
  const states = [...world.ledger.state.values.values()].map(toHex);
  return [...bodies, ...states].join(' ');
}

describe('[86] the names of a phase and its project', () => {
  it('are read by the participants and the owner, and are nowhere on chain', async () => {
    const { world, admin, project, phase, alice, bob } = await setup();
    for (const records of [admin, alice, bob]) {
      expect(await records.phaseCard(phase)).toEqual({
        label: 'intake',
        project: 'permits',
        recordTypes: [],
      });
      expect(await records.phaseLabel(phase, project)).toBe('intake');
      expect(await records.projectLabel(project)).toBe('permits');
    }
    const bytes = onChain(world);
    for (const name of ['intake', 'permits']) expect(bytes).not.toContain(toHex(utf8(name)));
  });

  it('are read by nobody who is not in the phase, even with every byte of its log', async () => {
    const { world, project, phase } = await setup();
    const access = world.access('carol');
    access.leaked = true;
    const carol = world.records('carol', access);
    expect(await carol.phaseCard(phase)).toBeNull();
    expect(await carol.phaseLabel(phase, project)).toBeNull();
    expect(await carol.projectLabel(project)).toBeNull();
  });

  it('an owner that left a phase in custody of its participants learns no new name', async () => {
    const { world, admin, project, phase, names, alice } = await setup(CUSTODY.participants);
    granted(await admin.removeParticipant(phase, 'admin' as MemberId));
    granted(await alice.rotateEpoch(phase));
    granted(await alice.renamePhase(phase, 'secret tribunal'));
    expect(await names('bob')).toBe('secret tribunal');
    expect(await names('admin')).toBe('intake');
    expect(refused(await world.records('admin').renamePhase(phase, 'mine'))).toBe('key_missing');
    expect(await admin.projectLabel(project)).toBe('permits');
  });

  it.each(['none', 'all'] as const)(
    'a newcomer reads with history grant %s, and after each rotation',
    async grant => {
      const { world, admin, project, phase, alice } = await setup();
      granted(await admin.addParticipant({ phase, member: CAROL, roles: WRITER, grant }));
      const carol = world.records('carol');
      expect(await carol.phaseLabel(phase, project)).toBe('intake');
      granted(await alice.rotateEpoch(phase));
      expect(await carol.phaseLabel(phase, project)).toBe('intake');
      expect(await carol.projectLabel(project)).toBe('permits');
    },
  );

  it('[82] a removed participant keeps those of its time and learns none after it', async () => {
    const { world, admin, project, phase, names } = await setup();
    granted(await admin.removeParticipant(phase, BOB));
    granted(await admin.renamePhase(phase, 'secret tribunal'));
    granted(await admin.renameProject(project, 'secret permits'));
    expect(await names('alice')).toBe('secret tribunal');
    expect(await world.records('alice').projectLabel(project)).toBe('secret permits');
    // With all bytes of the log, and every key that bob ever held.
    const access = world.access('bob');
    access.leaked = true;
    const bob = world.records('bob', access);
    expect(await bob.phaseLabel(phase, project)).toBe('intake');
    expect(await bob.projectLabel(project)).toBe('permits');
  });
});

describe('a name', () => {
  it('is changed for all, and survives the next epochs', async () => {
    const { admin, project, phase, names, alice } = await setup();
    granted(await admin.renamePhase(phase, 'reception'));
    granted(await admin.renameProject(project, 'licences'));
    granted(await alice.rotateEpoch(phase));
    for (const member of ['admin', 'alice', 'bob']) expect(await names(member)).toBe('reception');
    expect(await alice.phaseCard(phase)).toMatchObject({ label: 'reception', project: 'licences' });
    expect(await admin.projectLabel(project)).toBe('licences');
  });

  it('is refused when another phase of the project has it, when it is empty or too long', async () => {
    const { world, admin, project, phase } = await setup();
    const again = { project, predecessors: [], custody: CUSTODY.manager, participants: [] };
    const policy = DEFAULT_POLICY;
    expect(refused(await admin.addPhase({ ...again, policy, label: 'intake' }))).toBe('label_taken');
    const other = await world.phase(admin, project, { alice: STEWARD }, { label: 'review' });
    expect(refused(await admin.renamePhase(other, 'intake'))).toBe('label_taken');
    expect(refused(await admin.renamePhase(phase, ''))).toBe('bad_label');
    expect(refused(await admin.renamePhase(phase, 'é'.repeat(129)))).toBe('bad_label');
    granted(await admin.renamePhase(phase, 'intake'));
  });

  it('is changed by who may and holds the keys, against the version it has seen', async () => {
    const { world, admin, phase, alice, bob } = await setup();
    expect(refused(await bob.renamePhase(phase, 'mine'))).toBe('roleMissing');
    expect(refused(await world.records('carol').renamePhase(phase, 'mine'))).toBe('unknown_phase');
    granted(await alice.renamePhase(phase, 'ours'));
    const access = world.access('admin');
    let once = false;
    access.beforeSubmit = async () => {
      if (!once) granted(await alice.rotateEpoch(phase));
      once = true;
    };
    expect(refused(await world.records('admin', access).renamePhase(phase, 'late'))).toBe('staleMembership');
    expect((await admin.phaseCard(phase))?.label).toBe('ours');
  });

  it('is not too large to be sealed', async () => {
    const { admin, phase } = await setup();
    const schema = { description: 'x'.repeat(LIMITS.cardBytes) };
    const large = await admin.changePhaseCard(phase as PhaseId, card => ({
      ...card,
      recordTypes: [{ name: 'large', schema }],
    }));
    expect(refused(large)).toBe('card_too_large');
  });
});
