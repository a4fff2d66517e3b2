import type { Clock, Timer } from '../../src/ports/clock.ts';
import type { KvOperation } from '../../src/ports/kv.ts';
import type { Coverage } from './coverage.ts';
import { type DiskHost, SimulatedDisk } from './disk.ts';
import type { Random } from './random.ts';
import type { Schedule } from './schedule.ts';
import type { Trace } from './trace.ts';

/** What every part of the simulation reaches. */
export interface World {
  readonly schedule: Schedule;
  readonly random: Random;
  readonly trace: Trace;
  readonly coverage: Coverage;
  /** Unix time of the simulation's zero. */
  readonly epochMs: number;
  /** A property is broken: the run ends with this error. */
  broken(error: unknown): void;
}

/** How a machine works. */
export interface MachineOptions {
  readonly name: string;
  /** Place in the cluster. */
  readonly place: number;
  /** Processor time that one event takes, in milliseconds; 0 for a machine that is never the bottleneck. */
  readonly eventMs: number;
  /** Time of a flush, in milliseconds: from, to. */
  readonly flushMs: readonly [number, number];
}

/** Events that may wait for the processor; what comes beyond is lost, as from a full socket. */
const WAITING_MAX = 20_000;

export interface MachineEvents {
  /** The program threw. */
  crashed(error: unknown): void;
  powerLost(): void;
  /** After each event. */
  done(): void;
  logDurable(bytes: Uint8Array): void;
  namesDurable(): void;
  batchDurable(operations: readonly KvOperation[]): void;
}

/**
 * A computer: a processor that does one thing at a time, a disk, a clock that may be wrong. A program on it lives from `boot` to
 * `halt`; nothing that it asked for happens after that.
 */
export class Machine implements DiskHost {
  readonly disk: SimulatedDisk;
  /** Wall clock minus true time, in milliseconds. */
  skewMs = 0;
  /** Timers and durations of this machine run so much slower than true time. */
  slowness = 1;
  private life = 0;
  private on = false;
  private freeAtMs = 0;
  private readonly waiting: (() => void)[] = [];
  private waking = false;

  constructor(
    readonly world: World,
    readonly options: MachineOptions,
    private readonly events: MachineEvents,
    image: ReadonlyMap<string, Uint8Array>,
  ) {
    this.disk = new SimulatedDisk(this, image);
  }

  get random(): Random {
    return this.world.random;
  }

  get coverage(): Coverage {
    return this.world.coverage;
  }

  get isOn(): boolean {
    return this.on;
  }

  get isPaused(): boolean {
    return this.on && this.freeAtMs > this.world.schedule.nowMs + 50;
  }

  boot(): void {
    this.life += 1;
    this.on = true;
  }

  /** Ends the program; with the power gone, the disk loses what it had not flushed. */
  halt(losesPower: boolean): void {
    this.on = false;
    this.life += 1;
    this.waiting.length = 0;
    this.freeAtMs = 0;
    if (losesPower) this.disk.crash();
    else this.disk.exit();
  }

  /** What was to go wrong does not. */
  heal(): void {
    this.skewMs = 0;
    this.slowness = 1;
    this.disk.heal();
  }

  pause(durationMs: number): void {
    this.freeAtMs = Math.max(this.freeAtMs, this.world.schedule.nowMs + durationMs);
  }

  /** Done when the processor is free; never, when the program ends before. */
  run(work: () => void): void {
    const nowMs = this.world.schedule.nowMs;
    if (!this.on) return;
    if (!this.waking && this.freeAtMs <= nowMs) {
      this.freeAtMs = nowMs + this.options.eventMs;
      this.guarded(work);
      return;
    }
    if (this.waiting.length >= WAITING_MAX) {
      this.coverage.hit('fault: processor overloaded');
      return;
    }
    this.waiting.push(work);
    this.wakeLater();
  }

  private wakeLater(): void {
    if (this.waking) return;
    this.waking = true;
    const { schedule } = this.world;
    const { life } = this;
    schedule.after(Math.max(0, this.freeAtMs - schedule.nowMs), () => {
      this.waking = false;
      if (life !== this.life) {
        if (this.waiting.length > 0) this.wakeLater();
        return;
      }
      if (this.freeAtMs > schedule.nowMs) return this.wakeLater();
      const work = this.waiting.shift();
      if (work === undefined) return;
      this.freeAtMs = schedule.nowMs + this.options.eventMs;
      if (this.waiting.length > 0) this.wakeLater();
      this.guarded(work);
    });
  }

  private guarded(work: () => void): void {
    try {
      work();
      this.events.done();
    } catch (error) {
      this.events.crashed(error);
    }
  }

  /** After true time, unless the program has ended meanwhile. */
  later(delayMs: number, work: () => void): void {
    const { life } = this;
    this.world.schedule.after(delayMs, () => {
      if (life === this.life) this.run(work);
    });
  }

  /** The clock of the program that runs now. */
  clock(): Clock {
    const { schedule, epochMs } = this.world;
    return {
      nowMs: () => Math.floor(epochMs + schedule.nowMs + this.skewMs),
      monotonicMs: () => schedule.nowMs / this.slowness,
      setTimer: (delayMs, fire): Timer => {
        let cancelled = false;
        this.later(Math.max(0, delayMs) * this.slowness, () => {
          if (!cancelled) fire();
        });
        return {
          cancel: () => {
            cancelled = true;
          },
        };
      },
      defer: work => this.later(0, work),
    };
  }

  afterIo(): Promise<void> {
    const [from, to] = this.options.flushMs;
    const stall = this.random.chance(0.005);
    const delayMs = stall ? 40 * to : from + this.random.next() * (to - from);
    if (stall) this.coverage.hit('disk: slow flush');
    return new Promise(resolve => this.later(delayMs, resolve));
  }

  losePowerSoon(): void {
    const [from] = this.options.flushMs;
    const { life } = this;
    this.world.schedule.after(this.random.next() * from, () => {
      if (life !== this.life) return;
      this.coverage.hit('disk: power lost in a flush');
      this.events.powerLost();
    });
  }

  unhandled(error: unknown): void {
    this.events.crashed(error);
  }

  logDurable(bytes: Uint8Array): void {
    this.events.logDurable(bytes);
  }

  namesDurable(): void {
    this.events.namesDurable();
  }

  batchDurable(operations: readonly KvOperation[]): void {
    this.events.batchDurable(operations);
  }
}
