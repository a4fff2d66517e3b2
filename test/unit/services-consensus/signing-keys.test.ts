import { describe, expect, it } from 'vitest';
import { equalBytes, toHex } from '../../../src/core/base/bytes.ts';
import type { ValidatorSet } from '../../../src/core/types/chain.ts';
import type { Signer } from '../../../src/ports/signer.ts';
import type { SigningRecord } from '../../../src/ports/signing-state.ts';
import { SigningLog } from '../../../src/services/consensus/signing-log.ts';
import { MemoryWal } from '../../../src/store/memory-wal.ts';
import { testSigner } from '../../support/ledger-kit.ts';

const PEER = 'peer-of-me';
const FIRST = testSigner('first key');

class Crash extends Error {}

/** Everything of a validator that outlives a crash; the process dies before the durable step of a given number. */
class Machine {
  readonly marks = new Set<string>([toHex(FIRST.publicKey)]);
  keystore: readonly Signer[] = [FIRST];
  records: readonly SigningRecord[] = [];
  wal = new MemoryWal();
  /** Writes that are under way, where the test says when they land. */
  held: (() => void)[] | null = null;
  private made = 0;
  private stepsLeft = Number.POSITIVE_INFINITY;

  crashAfter(steps: number): void {
    this.stepsLeft = steps;
  }

  private step(): void {
    if (this.stepsLeft === 0) throw new Crash();
    this.stepsLeft -= 1;
  }

  /** A process starts on what is there. */
  async start(): Promise<SigningLog> {
    this.stepsLeft = Number.POSITIVE_INFINITY;
    await this.wal.close();
    const { wal } = this;
    const log = new SigningLog({
      peerId: PEER,
      wal: {
        open: () => wal.open(),
        create: () => {
          this.step();
          return wal.create();
        },
        append: records => wal.append(records),
        rewrite: records => wal.rewrite(records),
        close: () => wal.close(),
      },
      records: {
        read: () => this.records,
        write: async records => {
          this.step();
          if (this.held !== null) await new Promise<void>(land => this.held!.push(land));
          this.records = records;
        },
      },
      firstStart: {
        isMarked: async key => this.marks.has(toHex(key)),
        consume: async key => {
          this.step();
          this.marks.delete(toHex(key));
        },
      },
      keys: {
        signers: () => this.keystore,
        prepare: async () => {
          this.made += 1;
          const next = testSigner(`key ${this.made}`);
          this.step();
          this.marks.add(toHex(next.publicKey));
          this.step();
          this.keystore = [this.keystore[0]!, next];
          return next;
        },
        adopt: async () => {
          this.step();
          this.keystore = this.keystore.slice(1);
        },
      },
    });
    await log.open(0);
    return log;
  }
}

function setOf({ publicKey }: Signer, id = 0): ValidatorSet {
  return { id, validators: [{ name: 'me', publicKey, peerId: PEER }] };
}

/** @returns after how many steps the work was over, having crashed before each of them in turn */
async function crashEverywhere(
  begin: () => Promise<{ machine: Machine; log: SigningLog }>,
  work: (log: SigningLog) => Promise<unknown>,
  afterwards: (machine: Machine, log: SigningLog) => Promise<void>,
): Promise<number> {
  for (let steps = 0; ; steps += 1) {
    const { machine, log } = await begin();
    machine.crashAfter(steps);
    const crashed = await work(log).then(
      () => false,
      error => {
        if (!(error instanceof Crash)) throw error;
        return true;
      },
    );
    await afterwards(machine, await machine.start());
    if (!crashed) return steps;
  }
}

const turn = () => new Promise<void>(resolve => setImmediate(resolve));

async function running(): Promise<{ machine: Machine; log: SigningLog }> {
  const machine = new Machine();
  const log = await machine.start();
  expect(log.observes(setOf(FIRST))).toBeNull();
  return { machine, log };
}

describe('the next consensus key', () => {
  it('[58] a crash at any step of its making leaves the current key, and a next one that can sign', async () => {
    const steps = await crashEverywhere(
      running,
      log => log.prepare(),
      async (machine, log) => {
        expect(log.seatIn(setOf(FIRST))).not.toBeNull();
        const next = await log.prepare();
        expect(log.seatIn(setOf(next, 1))).toMatchObject({ index: 0 });
        expect(log.seatIn(setOf(FIRST))).not.toBeNull();
        expect(machine.records.map(({ logIdentity }) => logIdentity)).toEqual(
          machine.records.map(() => machine.records[0]!.logIdentity),
        );
        const again = await machine.start();
        expect(again.seatIn(setOf(next, 1))).not.toBeNull();
        expect(machine.marks.has(toHex(next.publicKey))).toBe(false);
      },
    );
    expect(steps).toBe(4);
  });

  it('[16][58] gives a node that lost its log the right to vote again, and the lost key none', async () => {
    const steps = await crashEverywhere(
      async () => {
        const { machine } = await running();
        machine.wal = new MemoryWal();
        const log = await machine.start();
        expect(log.observes(setOf(FIRST))).toMatch(/log is missing/);
        return { machine, log };
      },
      log => log.prepare(),
      async (machine, log) => {
        const next = await log.prepare();
        expect(log.seatIn(setOf(next, 1))).not.toBeNull();
        expect(log.seatIn(setOf(FIRST))).toBeNull();
        const again = await machine.start();
        expect(again.observes(setOf(next, 1))).toBeNull();
        expect(again.seatIn(setOf(FIRST))).toBeNull();
      },
    );
    expect(steps).toBe(5);
  });

  it('[58] a crash at any step of the change leaves the new key; the old one goes', async () => {
    let next = FIRST;
    const steps = await crashEverywhere(
      async () => {
        const { machine, log } = await running();
        next = await log.prepare();
        expect(await log.settle(setOf(FIRST))).toBe(false);
        return { machine, log };
      },
      log => log.settle(setOf(next, 1)),
      async (machine, log) => {
        expect(log.seatIn(setOf(next, 1))).not.toBeNull();
        await log.settle(setOf(next, 1));
        expect(machine.keystore.map(({ publicKey }) => toHex(publicKey))).toEqual([toHex(next.publicKey)]);
        const last = await machine.start();
        expect(last.seatIn(setOf(next, 1))).not.toBeNull();
        expect(last.seatIn(setOf(FIRST))).toBeNull();
        expect(machine.records.every(({ publicKey }) => equalBytes(publicKey, next.publicKey))).toBe(true);
      },
    );
    expect(steps).toBe(2);
  });

  it('[58] is made while the change before is written, and neither undoes the other', async () => {
    const { machine, log } = await running();
    const next = await log.prepare();
    machine.held = [];
    const ends = [log.settle(setOf(next, 1)), turn().then(() => log.prepare())];
    for (let writes = 0; writes < 2; writes += 1) {
      await turn();
      // of several the last one lands first
      machine.held.pop()?.();
    }
    await turn();
    machine.held.pop()?.();
    const [, third] = await Promise.all(ends);
    machine.held = null;
    const again = await machine.start();
    expect(again.observes(setOf(next, 1))).toBeNull();
    expect(again.seatIn(setOf(third as Signer, 2))).not.toBeNull();
  });

  it('is not asked for twice, and an observer keeps no promises in the log', async () => {
    const { log } = await running();
    const [one, two] = await Promise.all([log.prepare(), log.prepare()]);
    expect(one).toBe(two);
    expect(await log.prepare()).toBe(one);
    expect(log.findSeat(setOf(testSigner('somebody else')))).toBeNull();
    expect(log.keeps()).toBe(false);
    expect(log.findSeat(setOf(one, 1))).not.toBeNull();
    expect(log.keeps()).toBe(true);
  });
});
