import { describe, expect, it } from 'vitest';
import type { Hash, LogId, MemberId, PhaseId } from '../../../src/core/base/ids.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { PhaseFiles } from '../../../src/roles/member/phase-files.ts';
import type { RecordFile } from '../../../src/services/records/payload.ts';
import type { Records } from '../../../src/services/records/service.ts';
import { granted, type MemoryAccess, record, STEWARD, World } from '../records/support.ts';
import { hashOf } from './world.ts';

const file = (name: string): RecordFile => ({
  cid: `bafkrei${name}`,
  keyCommitment: hashOf(`key of ${name}`),
  ciphertextBytes: 1000,
  key: new Uint8Array(32),
  name,
  mediaType: 'text/plain',
  plaintextBytes: 900,
  plaintextHash: hashOf(name),
});

async function stage(): Promise<{
  world: World;
  max: Records;
  ann: Records;
  access: MemoryAccess;
  files: PhaseFiles;
  phase: (label: string, predecessors?: readonly PhaseId[]) => Promise<PhaseId>;
}> {
  const world = new World(['max', 'ann', 'bob']);
  const max = world.records('max');
  const project = await world.project(max);
  const access = world.access('ann');
  const ann = world.records('ann', access);
  const files = new PhaseFiles(access, ann, nodeSuite.sha256, 'ann' as MemberId, silentLogger);
  const phase = (label: string, predecessors: readonly PhaseId[] = []) =>
    world.phase(max, project, { ann: STEWARD, bob: STEWARD }, { label, predecessors });
  return { world, max, ann, access, files, phase };
}

const put = async (records: Records, phase: PhaseId, ...names: string[]) =>
  granted(await records.putRecord(record(phase, names.join(' '), { files: names.map(file) })));

describe('the files that the phases of a member name', () => {
  it('are all read that were committed until the time that catching up tells', async () => {
    const { ann, access, files, phase } = await stage();
    const id = await phase('intake');
    await files.load();
    await put(ann, id, 'a');
    expect(files.references(id, 'bafkreia')).toEqual([]);
    const { timeMs } = access.head();
    expect(await files.catchUp()).toBe(timeMs);
    expect(files.references(id, 'bafkreia')).toHaveLength(1);
  });

  it('are found by phase, position and root; a record that is handed over keeps its origin', async () => {
    const { max, ann, files, phase } = await stage();
    const first = await phase('intake');
    const second = await phase('review', [first]);
    const one = await put(ann, first, 'a', 'b');
    const two = await put(ann, first, 'a');
    granted(await max.closePhase(first));
    granted(
      await ann.handover({ source: first, target: second, records: [two.id, one.id], targetEpoch: null }),
    );
    await files.load();
    const own = files.files(first, 0);
    expect(own.map(entry => [entry.cid, entry.origin, entry.record])).toEqual([
      ['bafkreia', one.id, one.id],
      ['bafkreib', one.id, one.id],
      ['bafkreia', two.id, two.id],
    ]);
    expect(files.files(first, own[0]!.position + 1)).toEqual([own[2]]);
    expect(files.files(first, own[2]!.position + 1)).toEqual([]);
    expect(files.entries(first, 'bafkreia')).toEqual([own[0], own[2]]);
    expect(new Set(files.phasesOf('bafkreib'))).toEqual(new Set([first, second]));
    const brought = files.entries(second, 'bafkreia');
    expect(brought.map(entry => entry.origin).sort()).toEqual([one.id, two.id].sort());
    const [leaf] = new Set(brought.map(entry => entry.record));
    expect([one.id, two.id]).not.toContain(leaf);
    expect(files.entries(second, 'bafkreinone')).toEqual([]);
  });

  it('cost a new head what it changed: other phases are neither read nor told of', async () => {
    const { world, ann, access, files, phase } = await stage();
    const phases: PhaseId[] = [];
    for (let index = 0; index < 8; index += 1) phases.push(await phase(`phase-${index}`));
    for (const id of phases) await put(ann, id, `file of ${id.slice(0, 8)}`);
    await files.load();
    const told: PhaseId[][] = [];
    files.onChange(changed => told.push([...changed]));
    const asked: (PhaseId | LogId)[] = [];
    const { held, phase: state } = access;
    access.held = logId => {
      asked.push(logId);
      return held.call(access, logId);
    };
    access.phase = id => {
      asked.push(id);
      return state.call(access, id);
    };
    const logOf = (id: PhaseId) => world.ledger.logId('phase', id);
    await files.advance([]);
    expect([asked, told]).toEqual([[], []]);
    const changed = phases[3]!;
    await put(world.records('bob'), changed, 'new');
    // the first time that a log is named, the phases are gone through to see whose it is
    await files.advance([logOf(changed)]);
    asked.length = 0;
    const system = world.ledger.logId('system', world.ledger.chainId as Hash);
    await put(world.records('bob'), changed, 'newer');
    await files.advance([logOf(changed)]);
    await files.advance([system]);
    asked.length = 0;
    await files.advance([system]);
    expect(asked).toEqual([]);
    expect(told).toEqual([[changed], [changed]]);
    await files.advance([logOf(changed)]);
    expect(new Set(asked)).toEqual(new Set([changed, logOf(changed)]));
    expect(files.entries(changed, 'bafkreinewer')).toHaveLength(1);
  });

  it('keep their order when older history comes later, and none comes twice', async () => {
    const { world, phase } = await stage();
    const id = await phase('intake');
    const bob = world.records('bob');
    for (let index = 0; index < 30; index += 1) await put(bob, id, `${index}`);
    const access = world.access('ann');
    const late = new PhaseFiles(access, bob, nodeSuite.sha256, 'ann' as MemberId, silentLogger);
    const log = world.ledger.logId('phase', id);
    const state = access.phase(id)!;
    const { from, to } = access.held(log)!;
    const items = await access.items(log, from, to);
    for (const item of [...items.slice(20), ...items, ...items.slice(5)]) await late.visit(state, item);
    const positions = late.files(id, 0).map(entry => entry.position);
    expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b));
    expect(positions).toHaveLength(30);
    expect(late.files(id, positions[10]!).map(entry => entry.position)).toEqual(positions.slice(10));
  });
});
