import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Devnet } from './support/devnet.ts';
import { listRecords, setUpPhase } from './support/flow.ts';
import { temporaryDirectory } from './support/temporary.ts';
import { until } from './support/until.ts';
import { SteadyWriter } from './support/writer.ts';

const VALIDATORS = ['node-1', 'node-2', 'node-3', 'node-4'];
/** Records that must be acknowledged after a crash before the next one: writing goes on. */
const WRITES_BETWEEN = 40;
/** A view change, its timeouts and a loaded machine; a stall is longer. */
const GAP_MS_MAX = 20_000;

interface ChainStatus {
  readonly head: { readonly height: number; readonly hash: string };
  readonly view: number;
  readonly leader: string;
}

describe('kill -9 during steady writing', () => {
  const cwd = temporaryDirectory();
  let devnet: Devnet;
  let phase: string;
  let writer: SteadyWriter;

  const chainStatus = async (name: string) => (await devnet.client(name)).call<ChainStatus>('chain_status');

  beforeAll(async () => {
    devnet = await Devnet.start(join(cwd, 'net'), cwd);
    phase = await setUpPhase(devnet, 'Crashes', 'intake');
    writer = new SteadyWriter(devnet, 'alice', phase, 6);
  });
  afterAll(() => writer?.stop());

  async function writesGoOn(): Promise<void> {
    const target = writer.acknowledged.length + WRITES_BETWEEN;
    await until(
      `${WRITES_BETWEEN} more records`,
      () => (writer.acknowledged.length >= target ? true : null),
      60_000,
    );
  }

  /** Kills, checks that writing goes on and that the node comes back, and tells how long nothing was written. */
  async function crash(name: string, role: string): Promise<void> {
    await writesGoOn();
    writer.takeGapMs();
    const pid = await devnet.crash(name);
    await writesGoOn();
    await devnet.restarted(name, pid);
    await writesGoOn();
    const gapMs = writer.takeGapMs();
    console.log(`kill -9 of ${role} (${name}): longest time without an acknowledged record ${gapMs} ms`);
    expect(gapMs).toBeLessThan(GAP_MS_MAX);
  }

  it('goes on when the leader is killed, and takes it back', async () => {
    const { leader } = await chainStatus('node-1');
    expect(VALIDATORS).toContain(leader);
    await crash(leader, 'the leader');
  });

  it('goes on when a follower is killed, and takes it back', async () => {
    const { leader } = await chainStatus('node-1');
    await crash(VALIDATORS.find(name => name !== leader)!, 'a follower');
  });

  it("goes on when bob's node is killed, and takes it back", async () => {
    await crash('bob', 'a participant');
  });

  it('has lost nothing, and everyone has the same chain', async () => {
    await writer.stop();
    const heads = await until('the same head everywhere', async () => {
      const statuses = await Promise.all(VALIDATORS.map(chainStatus));
      return new Set(statuses.map(({ head }) => head.hash)).size === 1 ? statuses : null;
    });
    expect(new Set(heads.map(({ head }) => head.height)).size).toBe(1);

    expect(writer.acknowledged.length).toBeGreaterThanOrEqual(6 * WRITES_BETWEEN);
    expect(writer.unknown).toEqual([]);
    const textOf = new Map(writer.acknowledged.map(({ id, text }) => [id, text]));
    for (const member of ['alice', 'bob']) {
      const records = await until(`every record at ${member}`, async () => {
        const listed = await listRecords(devnet, member, phase);
        return listed.length >= writer.acknowledged.length ? listed : null;
      });
      expect(new Set(records.map(record => record.id)).size).toBe(records.length);
      expect(new Map(records.map(record => [record.id, record.content?.text]))).toEqual(textOf);
    }
  });
});
