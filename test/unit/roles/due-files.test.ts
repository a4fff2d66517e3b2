import { describe, expect, it } from 'vitest';
import type { MemberId } from '../../../src/core/base/ids.ts';
import { generateSecret, keyCommitment } from '../../../src/crypto/phase-keys.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { dueFiles } from '../../../src/roles/member/due-files.ts';
import { PhaseFiles } from '../../../src/roles/member/phase-files.ts';
import type { RecordFile } from '../../../src/services/records/payload.ts';
import { Actions } from '../../support/ledger-actions.ts';
import { hashOf } from '../../support/ledger-kit.ts';
import { granted, record, refused, STEWARD, World } from '../records/support.ts';

const DAY_MS = 86_400_000;
const CIDS = [
  'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi',
  'bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
] as const;

function file(cid: string): RecordFile {
  const key = generateSecret();
  return {
    ...{ cid, key, keyCommitment: keyCommitment(key), ciphertextBytes: 1016, name: 'plan.pdf' },
    ...{ mediaType: 'application/pdf', plaintextBytes: 1000, plaintextHash: hashOf('plan') },
  };
}

/** A phase of alice that keeps files for 30 days after its end, with two records of one file and one of another. */
async function keeping() {
  const world = new World(['admin', 'alice']);
  const admin = world.records('admin');
  const project = await world.project(admin);
  const intake = await world.phase(admin, project, { alice: STEWARD });
  const alice = world.records('alice');
  const ids = [];
  for (const cid of [CIDS[0], CIDS[1], CIDS[0]]) {
    ids.push(granted(await alice.putRecord(record(intake, 'plan', { files: [file(cid)] }))).id);
  }
  granted(await admin.flow.setPolicy(intake, before => ({ ...before, retentionDays: 30 })));
  const light = world.access('alice');
  const phaseFiles = new PhaseFiles(light, alice, nodeSuite.sha256, 'alice' as MemberId, silentLogger);
  await phaseFiles.load();
  const due = (nowMs: number) => dueFiles({ light, records: alice, phaseFiles }, intake, nowMs);
  const [first, other, again] = ids;
  return { world, admin, alice, intake, phaseFiles, due, first: first!, other: other!, again: again! };
}

describe('files that are due for purge', () => {
  it('are those of a phase whose days after its end are over, each once with its records', async () => {
    const { admin, intake, due, first, other, again } = await keeping();
    expect(await due(Number.MAX_SAFE_INTEGER)).toEqual([]);
    const { timeMs } = granted(await admin.closePhase(intake));
    const dueMs = timeMs + 30 * DAY_MS;
    expect(await due(dueMs - 1)).toEqual([]);
    expect(await due(dueMs)).toEqual([
      {
        ...{ phase: intake, days: 30, dueMs },
        files: [
          { cid: CIDS[0], ciphertextBytes: 1016, records: [first, again] },
          { cid: CIDS[1], ciphertextBytes: 1016, records: [other] },
        ],
      },
    ]);
  });

  it('are not listed any more once they are purged, and a purge before their time says until when', async () => {
    const { world, alice, admin, intake, phaseFiles, due } = await keeping();
    const order = () => phaseFiles.submitPurge(intake, CIDS[0], 'its retention is over', []);
    const early = (await order()) as unknown as { reject: string; detail: string; hint: string };
    expect([early.reject, early.hint]).toEqual(['retained', `phaseline phase close ${intake.slice(0, 12)}`]);
    const { timeMs } = granted(await admin.closePhase(intake));
    const until = new Date(timeMs + 30 * DAY_MS).toISOString();
    expect(((await order()) as { detail: string }).detail).toContain(`keeps files until ${until}`);
    const later = new Actions(world.ledger).createProject(world.actor('admin'), hashOf('later'));
    world.ledger.commitAt(timeMs + 30 * DAY_MS, later);
    expect(await order()).toBeNull();
    await phaseFiles.load();
    await alice.catchUp(intake);
    const left = (await due(timeMs + 31 * DAY_MS)) as readonly { files: readonly { cid: string }[] }[];
    expect(left.map(({ files }) => files.map(({ cid }) => cid))).toEqual([[CIDS[1]]]);
    expect(await phaseFiles.submitPurge(intake, CIDS[1], 'by alice, who is a steward', [])).toBeNull();
    expect(await due(timeMs + 31 * DAY_MS)).toEqual([]);
  });

  it('of a phase that cannot be read here are refused', async () => {
    const { world, alice, phaseFiles } = await keeping();
    const nodes = { light: world.access('alice'), records: alice, phaseFiles };
    expect(refused({ ...(await dueFiles(nodes, hashOf('none'), 0)), hint: '-' })).toBe('unknown_phase');
  });
});
