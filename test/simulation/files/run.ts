import type { MemberId, PhaseId } from '../../../src/core/base/ids.ts';
import { OperatingError } from '../../../src/ports/lifecycle.ts';
import type { PutResult } from '../../../src/services/files/local-files.ts';
import { EPOCH_MS, hashOf } from '../consortium.ts';
import { Coverage } from '../coverage.ts';
import type { World } from '../machine.ts';
import { CLEAN_LINK, SimulatedNetwork } from '../network.ts';
import { Random } from '../random.ts';
import { adoptRejections } from '../rejections.ts';
import { Schedule } from '../schedule.ts';
import { Trace } from '../trace.ts';
import { Book, type BookEvent } from './book.ts';
import { FilesChecker } from './checker.ts';
import { FILE_DEEDS } from './deeds.ts';
import { Holder, LIARS } from './holder.ts';

export interface FilesRunReport {
  readonly seed: number;
  readonly files: number;
  readonly events: number;
  readonly frames: number;
  readonly steps: number;
  readonly elapsedMs: number;
  readonly traceHash: string;
  readonly coverage: readonly (readonly [string, number])[];
}

export interface FilesOptions {
  readonly seed: number;
  /** Simulated time of faults. */
  readonly faultsMs: number;
  /** Deeds, by name, that do not happen. */
  readonly without: readonly string[];
  /** Null: drawn. */
  readonly members: number | null;
  /** False: nobody lies, also where it is drawn. */
  readonly hasLiars: boolean;
}

const FAULTS_MS = 40_000;
/** Simulated time after healing until every file must have its copies. */
const SETTLE_MS = 300_000;
const CHECK_EVERY_MS = 500;
const STEPS_MAX = 2_000_000;

export interface StoredFile {
  readonly phase: PhaseId;
  readonly author: MemberId;
  readonly put: PutResult;
  readonly plaintextHash: string;
}

/** An event in a line: who, what, in which phase, of which file. */
function told(event: BookEvent | undefined): string {
  if (event === undefined) return '';
  const named = event.type === 'record' ? `${event.entry.author} ${event.entry.cid} ${event.isOwn}` : '';
  const cid = 'cid' in event ? event.cid : '';
  const members = event.type === 'phase' ? [...event.members, event.copiesTarget].join(' ') : '';
  const member = 'member' in event ? event.member : members;
  return `${event.type} ${event.phase.slice(0, 6)} ${member}${named} ${cid}`;
}

/** Members' nodes, the chain and everything that happens to them. */
export class FilesWorld {
  readonly random: Random;
  readonly coverage = new Coverage();
  readonly trace = new Trace(false, 300);
  readonly schedule = new Schedule(this.trace);
  readonly book = new Book();
  readonly checker = new FilesChecker(this.book, this.coverage);
  readonly network: SimulatedNetwork;
  readonly holders: readonly Holder[];
  readonly stored: StoredFile[] = [];
  steps = 0;
  private failure: unknown = null;

  constructor(readonly options: FilesOptions) {
    const random = new Random(options.seed ^ 0xf11e5);
    this.random = random;
    const { schedule, trace, coverage } = this;
    const broken = (error: unknown) => this.broken(error);
    const world: World = { schedule, random, trace, coverage, epochMs: EPOCH_MS, broken };
    this.network = new SimulatedNetwork(world, { sent: () => {}, refused: () => {} });
    const drawn = random.between(3, 6);
    const count = options.members ?? drawn;
    const drawnLiars = count > 3 && random.chance(0.6) ? random.between(1, count - 3) : 0;
    const liars = options.hasLiars ? drawnLiars : 0;
    this.holders = Array.from({ length: count }, (_, index) => {
      const nature = index < count - liars ? ('honest' as const) : random.pick(LIARS);
      const member = `member${index}` as MemberId;
      return new Holder(member, index, nature, world, this.network, this.book, this.checker);
    });
    this.book.onAppend = () => {
      trace.line(`event ${this.book.size}: ${told(this.book.events.at(-1))}`);
      for (const holder of this.holders) holder.hear();
    };
    for (let index = 0; index < random.between(2, 3); index += 1) this.addPhase(index);
  }

  private addPhase(index: number): void {
    const { random, holders } = this;
    const phase = hashOf(`phase ${index}`) as PhaseId;
    const some = random.shuffled(holders.map(({ member }) => member));
    const members = some.slice(0, random.between(2, holders.length));
    const copiesTarget = random.pick([0, 2, 3]);
    this.book.append({ type: 'phase', phase, members, copiesTarget });
  }

  broken(error: unknown): void {
    this.failure ??= error;
  }

  start(holder: Holder): void {
    holder.start(this.holders.flatMap(({ peerId }) => (peerId < holder.peerId ? [peerId] : [])));
  }

  /** What a full disk or an end may refuse; any other error breaks the run. */
  allow(work: Promise<unknown>): void {
    work.catch(error => {
      if (!(error instanceof OperatingError)) this.broken(error);
    });
  }

  async runUntil(untilMs: number): Promise<void> {
    for (;;) {
      // what was begun gets as far as it can, also when no event is due: a node must not start after its end
      await new Promise(resolve => setImmediate(resolve));
      if (this.failure !== null) throw this.failure;
      if (!this.schedule.runNext(untilMs)) return;
      this.steps += 1;
      if (this.steps > STEPS_MAX) this.checker.fail('the simulation of files does not come to rest');
    }
  }

  heal(): void {
    this.network.quality = CLEAN_LINK;
    this.network.healAll();
    for (const holder of this.holders) {
      holder.isFull = false;
      holder.isBlind = false;
      this.start(holder);
      holder.hear();
    }
  }
}

async function disturbed(world: FilesWorld): Promise<void> {
  const { random, schedule, checker, holders, coverage, trace, options } = world;
  const total = FILE_DEEDS.reduce((sum, { weight }) => sum + weight, 0);
  while (schedule.nowMs < options.faultsMs) {
    let dice = random.next() * total;
    const deed = FILE_DEEDS.find(({ weight }) => {
      dice -= weight;
      return dice < 0;
    });
    const holder = random.pick(holders);
    if (deed !== undefined && !options.without.includes(deed.name)) {
      coverage.hit(`files: ${deed.name}`);
      trace.line(`— ${deed.name} (${holder.member})`);
      await deed.happen(world, holder);
    }
    await world.runUntil(schedule.nowMs + random.between(20, 600));
    checker.kept(holders);
    checker.notCollected(holders.filter(({ isBlind }) => !isBlind));
  }
}

async function settled(world: FilesWorld): Promise<void> {
  const { schedule, checker, holders } = world;
  world.heal();
  const untilMs = schedule.nowMs + SETTLE_MS;
  // what was on its way to the chain, and what waits for the garbage collector and the scrubber
  await world.runUntil(schedule.nowMs + 30_000);
  for (let missing = checker.missing(holders); missing.length > 0; missing = checker.missing(holders)) {
    if (schedule.nowMs > untilMs) checker.fail(`after healing: ${missing.slice(0, 5).join('; ')}`);
    await world.runUntil(schedule.nowMs + CHECK_EVERY_MS);
  }
  checker.kept(holders);
  checker.notCollected(holders);
}

export function drawFilesOptions(seed: number): FilesOptions {
  return { seed, faultsMs: FAULTS_MS, without: [], members: null, hasLiars: true };
}

/** One run of holders of files. Throws what was broken, with the last events. */
export async function runFilesWith(options: FilesOptions): Promise<FilesRunReport> {
  const { seed } = options;
  const world = new FilesWorld(options);
  const release = adoptRejections(error => world.broken(error));
  try {
    for (const holder of world.holders) world.start(holder);
    await world.runUntil(500);
    await disturbed(world);
    await settled(world);
  } catch (error) {
    const { message, stack } = error as Error;
    const natures = world.holders.map(({ member, nature }) => `${member} ${nature}`).join(', ');
    throw new Error(`files, seed ${seed}: ${message}\n${natures}\n${world.trace.recent}\n${stack}`, {
      cause: error,
    });
  } finally {
    for (const holder of world.holders) holder.end(false);
    release();
  }
  const { stored, book, network, steps, schedule, trace, coverage } = world;
  return {
    ...{ seed, files: stored.length, events: book.size, frames: network.frames, steps },
    ...{ elapsedMs: schedule.nowMs, traceHash: trace.digest(), coverage: coverage.sorted() },
  };
}

/** The run of a seed. */
export const runFiles = (seed: number): Promise<FilesRunReport> => runFilesWith(drawFilesOptions(seed));
