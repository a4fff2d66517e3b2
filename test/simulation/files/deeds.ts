import { createHash } from 'node:crypto';
import type { PhaseId } from '../../../src/core/base/ids.ts';
import type { FileEntry } from '../../../src/services/files/ledger.ts';
import { CLEAN_LINK } from '../network.ts';
import type { Holder } from './holder.ts';
import type { FilesWorld, StoredFile } from './run.ts';

/** One kind of thing that members do, or that goes wrong with their machines. */
interface Deed {
  readonly name: string;
  readonly weight: number;
  readonly happen: (world: FilesWorld, holder: Holder) => void | Promise<void>;
}

const MIB = 1 << 20;
/** The service says so of a file that is not to be had now: the simulation knows as much. */
const READ_MS = 5000;

function bytesOf(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0;
  for (let at = 0; at < length; at += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

function phasesOf({ book }: FilesWorld, { member }: Holder): PhaseId[] {
  return [...book.all.phases].filter(([, { members }]) => members.includes(member)).map(([id]) => id);
}

/** Puts a file; a while later the chain has a record that names it. */
async function putFile(world: FilesWorld, holder: Holder): Promise<void> {
  const { random, schedule, book, checker, stored } = world;
  const phases = phasesOf(world, holder);
  const { service } = holder;
  if (!holder.isHonest || service === null || phases.length === 0) return;
  const phase = random.pick(phases);
  const length = random.chance(0.1) ? random.between(MIB, 2 * MIB) : random.between(1, 30_000);
  const bytes = bytesOf(length, random.between(1, 1 << 30));
  const source = (async function* () {
    yield bytes;
  })();
  const delayMs = random.between(10, 4000);
  const work = service.putFile(source, { phase, bytes: length }).then(put => {
    if (holder.service !== service) return;
    checker.put(holder, put.cid);
    schedule.after(delayMs, () => {
      if (!phasesOf(world, holder).includes(phase)) return;
      book.record(phase, holder.member, put, { isOwn: true, from: null });
      stored.push({ phase, author: holder.member, put, plaintextHash: sha256(bytes) });
    });
  });
  world.allow(work);
}

/** Names a file in another phase, with a right to it or without. */
function nameAgain(world: FilesWorld, holder: Holder, isHandover: boolean): void {
  const { random, book, coverage, stored } = world;
  const phases = phasesOf(world, holder);
  const found = entriesOf(world).filter(({ phase }) => phases.includes(phase) === isHandover);
  const targets = phases.filter(phase => !found.every(entry => entry.phase === phase));
  if (found.length === 0 || targets.length === 0) return;
  const from = random.pick(found);
  const phase = random.pick(targets.filter(target => target !== from.phase));
  if (phase === undefined || book.all.references(phase, from.cid).length > 0) return;
  if (book.all.isPurged(from.phase, from.cid)) return;
  // who put a file gives it by handing it over; a record of its own in two phases no program writes
  if (!isHandover && stored.some(({ put, author }) => put.cid === from.cid && author === holder.member))
    return;
  coverage.hit(isHandover ? 'files: handed over' : 'files: named without a right');
  book.record(phase, holder.member, from, { isOwn: isHandover, from: isHandover ? from : null });
}

/** Of those records that name a file by right. */
function entriesOf({ book }: FilesWorld): readonly FileEntry[] {
  return book.events.flatMap(event => (event.type === 'record' && event.isOwn ? [event.entry] : []));
}

function purgeOne(world: FilesWorld, holder: Holder): void {
  const { random, book } = world;
  const phases = phasesOf(world, holder);
  const open = entriesOf(world).filter(
    ({ phase, cid }) => phases.includes(phase) && !book.all.isPurged(phase, cid),
  );
  if (open.length === 0) return;
  // the order ends a file in one phase: what it does to one that others name too is the harder case
  const shared = open.filter(({ phase, cid }) =>
    [...book.all.phases.keys()].some(other => other !== phase && book.all.entries(other, cid).length > 0),
  );
  const { phase, cid } = random.pick(shared.length > 0 && random.chance(0.5) ? shared : open);
  book.orderPurge(phase, cid, holder.member);
}

/** Reads a file whole: other bytes than the author's must never come. */
function readOne(world: FilesWorld, holder: Holder, { phase, put, plaintextHash }: StoredFile): void {
  const { service, machine } = holder;
  if (service === null || !holder.isHonest) return;
  const abort = new AbortController();
  machine.later(READ_MS, () => abort.abort());
  const work = async () => {
    const parts: Uint8Array[] = [];
    try {
      for await (const part of service.readFile(phase, put, null, abort.signal)) parts.push(part);
    } catch (error) {
      if (abort.signal.aborted) return;
      throw error;
    }
    world.coverage.hit('files: read whole');
    if (sha256(Buffer.concat(parts)) !== plaintextHash)
      world.checker.fail(`${holder.member} reads other content than was put as ${put.cid}`);
  };
  world.allow(work());
}

function cutOff({ random, holders, network }: FilesWorld): void {
  const inside = new Set(random.shuffled(holders).slice(0, random.between(1, holders.length - 1)));
  const isOneWay = random.chance(0.3);
  for (const a of inside)
    for (const b of holders) {
      if (inside.has(b)) continue;
      network.cut(a.machine.options.place, b.machine.options.place);
      if (!isOneWay) network.cut(b.machine.options.place, a.machine.options.place);
    }
}

export const FILE_DEEDS: readonly Deed[] = [
  { name: 'put', weight: 30, happen: putFile },
  { name: 'handover', weight: 5, happen: (world, holder) => nameAgain(world, holder, true) },
  { name: 'foreign file named', weight: 5, happen: (world, holder) => nameAgain(world, holder, false) },
  { name: 'purge', weight: 4, happen: purgeOne },
  {
    name: 'read',
    weight: 8,
    happen: (world, holder) => {
      if (world.stored.length > 0) readOne(world, holder, world.random.pick(world.stored));
    },
  },
  {
    name: 'participant joins',
    weight: 4,
    happen: ({ book, random }, { member }) => {
      const open = [...book.all.phases].filter(([, { members }]) => !members.includes(member));
      if (open.length > 0) book.append({ type: 'join', phase: random.pick(open)[0], member });
    },
  },
  {
    name: 'participant leaves',
    weight: 3,
    happen: ({ book, random }, { member }) => {
      const open = [...book.all.phases].filter(
        ([, { members }]) => members.includes(member) && members.length > 1,
      );
      if (open.length > 0) book.append({ type: 'leave', phase: random.pick(open)[0], member });
    },
  },
  { name: 'power lost', weight: 8, happen: (_, holder) => holder.end(true) },
  { name: 'process killed', weight: 4, happen: (_, holder) => holder.end(false) },
  {
    name: 'nodes come back',
    weight: 14,
    happen: world => {
      for (const holder of world.holders) if (world.random.chance(0.7)) world.start(holder);
    },
  },
  {
    name: 'bit rot',
    weight: 8,
    happen: async ({ checker }, holder) => {
      const key = await holder.blocks.rot('block/');
      if (key !== null) checker.damage(holder.member, key);
    },
  },
  {
    name: 'disk fills up',
    weight: 2,
    happen: ({ schedule, random }, holder) => {
      holder.isFull = true;
      schedule.after(random.between(500, 8000), () => {
        holder.isFull = false;
      });
    },
  },
  { name: 'partition', weight: 4, happen: cutOff },
  {
    name: 'chain out of sight',
    weight: 3,
    happen: (_, holder) => {
      holder.isBlind = true;
    },
  },
  {
    name: 'everything in sight',
    weight: 9,
    happen: ({ network, holders }) => {
      network.healAll();
      for (const holder of holders) {
        holder.isBlind = false;
        holder.hear();
      }
    },
  },
  {
    name: 'bad links',
    weight: 4,
    happen: ({ network, random }) => {
      const delayMsMax = random.between(5, 400);
      network.quality = { loss: random.next() * 0.3, duplication: 0.1, delayMsMin: 1, delayMsMax };
    },
  },
  {
    name: 'good links',
    weight: 6,
    happen: ({ network }) => {
      network.quality = CLEAN_LINK;
    },
  },
];
