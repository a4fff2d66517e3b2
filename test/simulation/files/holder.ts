import type { MemberId, PhaseId } from '../../../src/core/base/ids.ts';
import { isReject, reject } from '../../../src/core/base/reject.ts';
import { fileCipher } from '../../../src/crypto/file-cipher.ts';
import { OperatingError } from '../../../src/ports/lifecycle.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import type { PeerId, ProtocolHandler, ProtocolOptions } from '../../../src/ports/transport.ts';
import { FileService } from '../../../src/services/files/file-service.ts';
import type { FileLedger } from '../../../src/services/files/ledger.ts';
import type { FilesLimits } from '../../../src/services/files/limits.ts';
import { carFormat } from '../../../src/store/car.ts';
import { KvBlobStore } from '../../../src/store/kv-blob-store.ts';
import { UnixFsDag } from '../../../src/store/unixfs.ts';
import { filesAnswerCodec, filesRequestCodec } from '../../../src/wire/files.ts';
import { Machine, type World } from '../machine.ts';
import type { SimulatedNetwork } from '../network.ts';
import { simulatedSuite } from '../suite.ts';
import { type Disguise, SimulatedTransport } from '../transport.ts';
import { type Book, View } from './book.ts';
import type { FilesChecker } from './checker.ts';
import { LossyStore } from './lossy-store.ts';

/** Shorter than in production, where simulated days would pass. */
const LIMITS: Partial<FilesLimits> = {
  // each block by itself, so that several sources share a file of few
  ...{ blocksPerFetch: 1, requestTimeoutMs: 2000, surveyTimeoutMs: 1000, receiptDelayMs: 100 },
  ...{ retryMs: 500, retryMsMax: 10_000, penaltyMs: 5000, silencePenaltyMs: 3000 },
  ...{ holderGoneMs: 60_000, holderCheckMs: 5000, challengeMs: 2000, scrubPauseMs: 10_000 },
  ...{ unreferencedMs: 30_000, garbageMs: 10_000, reserveBytes: 1 << 20, servedCacheBytes: 1 << 21 },
};
const FREE_BYTES = 1 << 30;

export type Nature = 'honest' | 'wrong bytes' | 'claims without having' | 'silent';
export const LIARS: readonly Nature[] = ['wrong bytes', 'claims without having', 'silent'];

function disguiseOf(nature: Nature, world: World): Disguise | null {
  if (nature === 'honest') return null;
  return {
    message: (_, frame) => [frame],
    answer: (_, frame) => {
      world.coverage.hit(`files: liar, ${nature}`);
      if (nature === 'silent') return null;
      const answer = filesAnswerCodec.decode(frame);
      if (isReject(answer) || answer.kind !== 'blocks') return frame;
      const { blocks } = answer;
      if (nature === 'claims without having')
        return filesAnswerCodec.encode({
          kind: 'blocks',
          blocks: [],
          absent: [...answer.absent, ...blocks.map(({ cid }) => cid)],
        });
      const turned = blocks.map(({ cid, bytes }) => ({ cid, bytes: bytes.map(byte => byte ^ 1) }));
      return filesAnswerCodec.encode({ ...answer, blocks: turned });
    },
  };
}

/** Shows the checker what leaves a node, before any lie. */
class WatchedTransport extends SimulatedTransport {
  onServed: (to: PeerId, request: Uint8Array, answer: Uint8Array) => void = () => {};

  override register(options: ProtocolOptions, handler: ProtocolHandler): void {
    const request = handler.request?.bind(handler);
    if (request === undefined) throw new Error('files are asked for');
    super.register(options, {
      request: async (from, frame) => {
        const answer = await request(from, frame);
        if (isReject(answer)) return answer;
        const bytes = answer instanceof Uint8Array ? answer : new Uint8Array(Buffer.concat(answer));
        this.onServed(from, frame, bytes);
        return bytes;
      },
    });
  }
}

class RoomyBlobStore extends KvBlobStore {
  constructor(
    kv: LossyStore,
    private readonly isFull: () => boolean,
  ) {
    super(kv, null);
  }

  override async freeBytes(): Promise<number | null> {
    return this.isFull() ? 0 : FREE_BYTES;
  }
}

/** A member's node: the real file services on a simulated machine. */
export class Holder {
  readonly machine: Machine;
  readonly index: LossyStore;
  readonly blocks: LossyStore;
  readonly view: View;
  service: FileService | null = null;
  isFull = false;
  /** Hears nothing new of the chain. */
  isBlind = false;
  private transport: WatchedTransport | null = null;
  private readonly listeners = new Set<(phases: readonly PhaseId[]) => void>();

  constructor(
    readonly member: MemberId,
    place: number,
    readonly nature: Nature,
    private readonly world: World,
    private readonly network: SimulatedNetwork,
    private readonly book: Book,
    private readonly checker: FilesChecker,
  ) {
    const options = { name: member, place, eventMs: 0, flushMs: [0.5, 3] as const };
    const ignored = { logDurable: () => {}, namesDurable: () => {}, batchDurable: () => {}, done: () => {} };
    const events = {
      ...ignored,
      crashed: (error: unknown) => this.world.broken(error),
      powerLost: () => this.end(true),
    };
    this.machine = new Machine(world, options, events, new Map());
    const host = {
      random: world.random,
      afterIo: () => this.machine.afterIo(),
      hit: (name: string) => world.coverage.hit(name),
    };
    this.index = new LossyStore({ ...host, isFull: () => false });
    this.blocks = new LossyStore({ ...host, isFull: () => this.isFull });
    this.view = new View(member);
  }

  get peerId(): PeerId {
    return `peer-${this.member}`;
  }

  get isHonest(): boolean {
    return this.nature === 'honest';
  }

  /** True when the block is on disk, whatever the index says. */
  keeps(cid: string): boolean {
    return this.blocks.durable.has(`block/${cid}`);
  }

  start(peers: readonly PeerId[]): void {
    if (this.machine.isOn) return;
    const { machine, world } = this;
    machine.boot();
    world.trace.line(`${this.member} starts`);
    this.listeners.clear();
    const disguise = disguiseOf(this.nature, world);
    const fatal = (error: unknown) => world.broken(error);
    const transport = new WatchedTransport(this.network, machine, this.peerId, disguise, fatal);
    transport.onServed = (to, request, answer) => this.checkServed(to, request, answer);
    const blobs = new RoomyBlobStore(this.blocks, () => this.isFull);
    const random = (length: number) => Uint8Array.from({ length }, () => world.random.between(0, 255));
    this.service = new FileService({
      ...{ blobs, dag: new UnixFsDag(blobs), kv: this.index, car: carFormat, random, transport },
      ...{ clock: machine.clock(), logger: silentLogger, sha256: simulatedSuite.sha256, limits: LIMITS },
      cipher: { ...fileCipher, generateKey: () => random(32) },
      ledger: this.ledger(),
    });
    this.transport = transport;
    const { service } = this;
    const begin = async () => {
      await this.index.open();
      await this.blocks.open();
      this.view.read(this.book.events, this.book.size);
      service.register();
      await transport.start();
      for (const peer of peers) transport.keepConnected(peer);
      await service.start();
    };
    begin().catch(fatal);
  }

  /** The program ends, or the power goes. */
  end(losesPower: boolean): void {
    if (!this.machine.isOn) return;
    this.world.trace.line(`${this.member} ${losesPower ? 'loses power' : 'is killed'}`);
    this.service = null;
    this.transport?.leave();
    this.transport = null;
    this.machine.halt(losesPower);
    void this.index.end(losesPower);
    void this.blocks.end(losesPower);
  }

  /** The chain has grown. */
  hear(): void {
    if (this.isBlind || !this.machine.isOn) return;
    this.machine.later(this.world.random.between(5, 100), () => {
      if (this.isBlind) return;
      const changed = [...this.view.read(this.book.events, this.book.size)];
      if (changed.length > 0) for (const listener of this.listeners) listener(changed);
      this.claimAll(changed);
    });
  }

  /** A holder that lies signs for every file at once. */
  private claimAll(changed: readonly PhaseId[]): void {
    if (this.nature !== 'claims without having') return;
    for (const phase of changed) {
      const view = this.view.phases.get(phase);
      if (view === undefined || !view.members.includes(this.member)) continue;
      const unsigned = view.files.find(({ cid }) => view.receipts.get(cid)?.has(this.member) !== true);
      if (unsigned !== undefined)
        this.book.append({ type: 'receipt', phase, member: this.member, cid: unsigned.cid });
    }
  }

  private checkServed(to: PeerId, request: Uint8Array, answer: Uint8Array): void {
    const asked = filesRequestCodec.decode(request);
    const given = filesAnswerCodec.decode(answer);
    if (!this.isHonest || isReject(asked) || isReject(given) || given.kind !== 'blocks') return;
    this.checker.served(this, to.slice('peer-'.length) as MemberId, given.blocks);
  }

  /** Ends when the chain has it and this node has heard of it. */
  private submit(append: () => boolean): Promise<ReturnType<typeof reject> | null> {
    const { world, machine, book } = this;
    return new Promise((resolve, fail) => {
      if (this.isBlind) {
        machine.later(500, () => fail(new OperatingError('no_source', 'no consensus node is connected')));
        return;
      }
      // on its way it does not need this node any more
      world.schedule.after(world.random.between(20, 300), () => {
        const accepted = append();
        const { size } = book;
        const wait = () => {
          if (!accepted) return resolve(reject('notParticipant', this.member));
          if (this.view.seen >= size) return resolve(null);
          machine.later(50, wait);
        };
        machine.later(10, wait);
      });
    });
  }

  private ledger(): FileLedger {
    const { book, view, member } = this;
    const isIn = (phase: PhaseId) => book.all.phases.get(phase)?.members.includes(member) === true;
    return {
      member,
      memberOfPeer: peer => peer.slice('peer-'.length) as MemberId,
      peersOf: of => [`peer-${of}`],
      // of a node that is behind nobody knows since when
      catchUp: async () => (view.seen >= book.size ? Number.POSITIVE_INFINITY : 0),
      phases: () => [...view.phases.keys()],
      phase: id => view.phase(id),
      files: (phase, from) =>
        (view.phases.get(phase)?.files ?? []).filter(
          entry => entry.position >= from && !view.isPurged(phase, entry.cid),
        ),
      entries: (phase, cid) => view.entries(phase, cid),
      references: (phase, cid) => view.references(phase, cid),
      phasesOf: cid => [...view.phases.keys()].filter(phase => view.entries(phase, cid).length > 0),
      purgeOf: (phase, cid) => view.phases.get(phase)?.purges.get(cid)?.order ?? null,
      purges: phase => [...(view.phases.get(phase)?.purges.values() ?? [])].map(({ order }) => order),
      purgeAcks: (phase, cid) => view.phases.get(phase)?.purges.get(cid)?.acks ?? [],
      receipts: (phase, cid) => [...(view.phases.get(phase)?.receipts.get(cid) ?? [])],
      onChange: listener => {
        this.listeners.add(listener);
        return () => this.listeners.delete(listener);
      },
      submitReceipts: (phase, receipts) => {
        for (const { cid } of receipts) this.checker.signed(this, cid);
        return this.submit(() => {
          if (!isIn(phase)) return false;
          for (const { cid } of receipts) book.append({ type: 'receipt', phase, member, cid });
          return true;
        });
      },
      submitPurge: (phase, cid) =>
        this.submit(() => {
          book.orderPurge(phase, cid, member);
          return true;
        }),
      submitPurgeAcks: (phase, node, acks) => {
        for (const { order, kept } of acks) if (!kept) this.checker.acknowledged(this, order);
        return this.submit(() => {
          if (!isIn(phase)) return false;
          for (const { order, kept } of acks)
            book.append({ type: 'ack', phase, member, node, cid: order.cid, kept });
          return true;
        });
      },
    };
  }
}
