import { afterEach, describe, expect, it } from 'vitest';
import type { MemberId, PhaseId } from '../../../src/core/base/ids.ts';
import { CUSTODY } from '../../../src/core/types/operation.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import type { Custody } from '../../../src/services/records/custody.ts';
import { rotatorsOf } from '../../../src/services/records/rotation.ts';
import { Steward } from '../../../src/services/records/steward.ts';
import { ManualClock } from '../files/manual-clock.ts';
import { granted, type MemoryAccess, record, refused, STEWARD, textOf, World, WRITER } from './support.ts';

const BOB = 'bob' as MemberId;
const stewards: Steward[] = [];

afterEach(() => {
  for (const steward of stewards.splice(0)) steward.stop();
});

/** A phase that its participants hold the keys of: alice and dora are its stewards, bob writes, the owner is outside. */
async function frozenPhase() {
  const world = new World(['admin', 'alice', 'bob', 'carol', 'dora']);
  const admin = world.records('admin');
  const participants = { alice: STEWARD, bob: WRITER, carol: WRITER, dora: STEWARD };
  const project = await world.project(admin);
  const all = { ...participants, admin: STEWARD };
  const phase = await world.phase(admin, project, all, { custody: CUSTODY.participants });
  const alice = world.records('alice');
  granted(await alice.removeParticipant(phase, 'admin' as MemberId));
  granted(await admin.removeParticipant(phase, BOB));
  expect(refused(await alice.putRecord(record(phase, 'frozen')))).toBe('phaseFrozen');
  return { world, admin, phase, alice };
}

/** A node's steward; every attempt is awaited with `settled`. */
function stewardOf(world: World, name: string, access: MemoryAccess = world.access(name)) {
  const clock = new ManualClock();
  const records = world.records(name, access);
  const attempts: Promise<unknown>[] = [];
  const complaints: Promise<unknown>[] = [];
  const custody: Pick<Custody, 'rotateWhereDue' | 'complainWhereDue'> = {
    rotateWhereDue: (phase: PhaseId) => {
      const attempt = records.custody.rotateWhereDue(phase);
      attempts.push(attempt);
      return attempt;
    },
    complainWhereDue: (phase: PhaseId) => {
      const complaint = records.custody.complainWhereDue(phase);
      complaints.push(complaint);
      return complaint;
    },
  };
  const member = name as MemberId;
  const steward = new Steward({ custody, access, member, clock, logger: silentLogger });
  stewards.push(steward);
  const settled = async () => {
    await Promise.all([...attempts, ...complaints]);
    await new Promise(resolve => setImmediate(resolve));
  };
  return { steward, clock, records, attempts, settled };
}

const epochsOf = (world: World, phase: PhaseId) => world.access('alice').phase(phase)!.epochs.length;

/** First and second in the order of their turns. */
function turnsOf(world: World, phase: PhaseId) {
  const access = world.access('alice');
  return rotatorsOf(access.system(), access.phase(phase)!) as [MemberId, MemberId];
}

describe("a steward's node", () => {
  it('[82] opens the epoch that a removal from outside asks for by itself, without the removed one', async () => {
    const { world, phase, alice } = await frozenPhase();
    const { steward, clock, settled } = stewardOf(world, turnsOf(world, phase)[0]);
    steward.start();
    clock.advance(0);
    await settled();
    const after = granted(await alice.putRecord(record(phase, 'after')));
    expect(after.epoch).toBe(2);
    const leaked = world.access('bob');
    leaked.leaked = true;
    expect(await textOf(world.records('bob', leaked), phase, after.id)).toContain('was not given to bob');
  });

  it('takes turns: the second one comes when the first has not, and not when it has', async () => {
    const { world, phase } = await frozenPhase();
    const [first, second] = turnsOf(world, phase);
    const late = stewardOf(world, second);
    late.steward.start();
    late.clock.advance(4_999);
    expect(late.attempts).toHaveLength(0);
    const early = stewardOf(world, first);
    early.steward.start();
    early.clock.advance(0);
    await early.settled();
    late.steward.review();
    late.clock.advance(60_000);
    expect(late.attempts).toHaveLength(0);
    expect(epochsOf(world, phase)).toBe(3);
  });

  it('acts for a first one whose node is gone', async () => {
    const { world, phase } = await frozenPhase();
    const { steward, clock, settled } = stewardOf(world, turnsOf(world, phase)[1]);
    steward.start();
    clock.advance(5_000);
    await settled();
    expect(epochsOf(world, phase)).toBe(3);
  });

  it('loses against another in the same moment without harm: one epoch is opened', async () => {
    const { world, phase } = await frozenPhase();
    const [first, second] = turnsOf(world, phase);
    const access = world.access(first);
    const other = world.records(second);
    access.beforeSubmit = async () => {
      access.beforeSubmit = async () => undefined;
      granted(await other.rotateEpoch(phase));
    };
    const { steward, clock, attempts, settled } = stewardOf(world, first, access);
    steward.start();
    clock.advance(0);
    await settled();
    expect(refused(await attempts[0])).toBe('staleMembership');
    clock.advance(3_600_000);
    await settled();
    expect(attempts).toHaveLength(1);
    expect(epochsOf(world, phase)).toBe(3);
  });

  it('leaves alone what others rotate: a writer that is no steward, an owner without keys, a phase that is not frozen', async () => {
    const { world, phase, alice } = await frozenPhase();
    for (const name of ['carol', 'admin', 'bob']) {
      const { steward, clock, attempts } = stewardOf(world, name);
      steward.start();
      clock.advance(3_600_000);
      expect(attempts, name).toHaveLength(0);
    }
    granted(await alice.rotateEpoch(phase));
    const { steward, clock, attempts } = stewardOf(world, 'alice');
    steward.start();
    clock.advance(3_600_000);
    expect(attempts).toHaveLength(0);
  });
});
