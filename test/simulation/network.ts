import type { Reject } from '../../src/core/base/reject.ts';
import type { PeerId } from '../../src/ports/transport.ts';
import type { World } from './machine.ts';
import type { SimulatedTransport } from './transport.ts';

export interface LinkQuality {
  /** Probability that a frame is lost. */
  readonly loss: number;
  readonly duplication: number;
  readonly delayMsMin: number;
  /** The wider the range, the more is reordered. */
  readonly delayMsMax: number;
}

export const CLEAN_LINK: LinkQuality = { loss: 0, duplication: 0, delayMsMin: 1, delayMsMax: 5 };

/** How long a silent link stays up before both ends give it up. */
const HEARTBEAT_MS = 2500;
const DIAL_MS = 30;
const ARCHIVE_FRAMES = 512;

/** A frame that takes longer is late. */
const LATE_MS = 50;

export class Link {
  open = true;
  /** When the last of the frames that are under way arrives, by the sender's place. */
  readonly lastAtMs = new Map<number, number>();
  constructor(
    readonly a: SimulatedTransport,
    readonly b: SimulatedTransport,
  ) {}

  other(end: SimulatedTransport): SimulatedTransport {
    return end === this.a ? this.b : this.a;
  }
}

interface Frame {
  readonly from: PeerId;
  readonly to: PeerId;
  readonly protocol: string;
  readonly bytes: Uint8Array;
}

/** What watches the wire from outside. */
export interface Wiretap {
  sent(from: SimulatedTransport, to: SimulatedTransport, protocol: string, frame: Uint8Array): void;
  /** A node refused a frame or closed a connection for it. */
  refused(by: SimulatedTransport, from: SimulatedTransport, reject: Reject): void;
}

/**
 * Links between running nodes, made when one of them wants it and both admit it. A cut loses everything sent over it in one
 * direction; after a while the ends notice and the link is gone until it can be dialled again.
 */
export class SimulatedNetwork {
  quality: LinkQuality = CLEAN_LINK;
  frames = 0;
  /** By the sender's place. */
  readonly framesFrom = new Map<number, number>();
  /** Shorter than in production, where simulated minutes would pass. */
  readonly penaltyMs = 3000;
  private readonly members = new Set<SimulatedTransport>();
  /** `from>to` by place. */
  private readonly cuts = new Set<string>();
  private readonly lasting = new Set<string>();
  private readonly archive: Frame[] = [];
  private dialling = false;
  private hasTwins = false;

  constructor(
    readonly world: World,
    readonly tap: Wiretap,
  ) {}

  join(transport: SimulatedTransport): void {
    for (const member of this.members) if (member.peerId === transport.peerId) this.share(member);
    this.members.add(transport);
    this.dial();
  }

  /** Another machine has the same peer id: some of the links are no longer this one's. */
  private share(first: SimulatedTransport): void {
    this.hasTwins = true;
    for (const link of [...first.links.values()]) if (this.world.random.chance(0.5)) this.close(link);
  }

  leave(transport: SimulatedTransport): void {
    this.members.delete(transport);
    for (const link of [...transport.links.values()]) this.close(link);
  }

  isOpen(from: number, to: number): boolean {
    if (this.cuts.size === 0 && this.lasting.size === 0) return true;
    const way = `${from}>${to}`;
    return !this.cuts.has(way) && !this.lasting.has(way);
  }

  /** @param lasting survives `healAll` */
  cut(from: number, to: number, lasting = false): void {
    (lasting ? this.lasting : this.cuts).add(`${from}>${to}`);
    this.world.schedule.after(HEARTBEAT_MS, () => this.dropSilent());
  }

  /** @returns whether anything was cut */
  healAll(): boolean {
    const wasCut = this.cuts.size > 0;
    this.cuts.clear();
    this.dial();
    return wasCut;
  }

  private dropSilent(): void {
    for (const { links } of this.members)
      for (const link of [...links.values()]) if (!this.isBothWays(link.a, link.b)) this.close(link);
  }

  private isBothWays(a: SimulatedTransport, b: SimulatedTransport): boolean {
    return this.isOpen(a.place, b.place) && this.isOpen(b.place, a.place);
  }

  /** Both ends hear of it, each in its own time. */
  close(link: Link): void {
    if (!link.open) return;
    link.open = false;
    for (const end of [link.a, link.b]) end.lost(link);
    this.dial();
  }

  /** Links whoever wants to be and may be, a little later. */
  dial(): void {
    if (this.dialling) return;
    this.dialling = true;
    const { schedule, random } = this.world;
    schedule.after(random.between(1, DIAL_MS), () => {
      this.dialling = false;
      // In random order: of two machines with one peer id, sometimes the one and sometimes the other is reached; none has all.
      const members = random.shuffled([...this.members]);
      for (const isFair of this.hasTwins ? [true, false] : [false])
        for (const from of members)
          for (const to of members)
            if (this.mayLink(from, to) && !(isFair && (this.isCrowded(from) || this.isCrowded(to))))
              this.link(from, to);
    });
  }

  /** Its twin has fewer links. */
  private isCrowded({ peerId, links }: SimulatedTransport): boolean {
    for (const other of this.members)
      if (other.peerId === peerId && other.links.size < links.size) return true;
    return false;
  }

  private mayLink(from: SimulatedTransport, to: SimulatedTransport): boolean {
    if (from === to || !from.wants(to.peerId)) return false;
    if (from.links.has(to.peerId) || to.links.has(from.peerId) || !this.isBothWays(from, to)) return false;
    return from.admits(to.peerId) && to.admits(from.peerId);
  }

  private link(from: SimulatedTransport, to: SimulatedTransport): void {
    const link = new Link(from, to);
    from.links.set(to.peerId, link);
    to.links.set(from.peerId, link);
    from.gained(to.peerId);
    to.gained(from.peerId);
  }

  /** Takes a frame over a link, as well as the link is: lost, late, twice. */
  carry(link: Link, from: SimulatedTransport, bytes: Uint8Array, deliver: () => void): void {
    const { world, quality } = this;
    const { random, schedule, coverage } = world;
    const to = link.other(from);
    this.frames += 1;
    this.framesFrom.set(from.place, (this.framesFrom.get(from.place) ?? 0) + 1);
    world.trace.mix(from.place * 256 + to.place, bytes.length, bytes[bytes.length - 1] ?? 0);
    if (!this.isOpen(from.place, to.place)) {
      coverage.hit('network: lost in a partition');
      return;
    }
    if (quality.loss > 0 && random.chance(quality.loss)) {
      coverage.hit('network: lost');
      return;
    }
    const { delayMsMin, delayMsMax, duplication } = quality;
    const isTwice = duplication > 0 && random.chance(duplication);
    if (isTwice) coverage.hit('network: duplicated');
    for (let copy = 0; copy < (isTwice ? 2 : 1); copy += 1) {
      const delayMs = delayMsMin + random.next() * (delayMsMax - delayMsMin);
      if (delayMs > LATE_MS) coverage.hit('network: delayed');
      if (delayMsMax > LATE_MS) this.countOrder(link, from.place, schedule.nowMs + delayMs);
      schedule.after(delayMs, () => {
        if (link.open) to.machine.run(deliver);
      });
    }
  }

  /** Only where delays differ much: on good links frames pass each other by a hair all the time. */
  private countOrder(link: Link, from: number, atMs: number): void {
    const lastAtMs = link.lastAtMs.get(from) ?? 0;
    if (atMs < lastAtMs) this.world.coverage.hit('network: reordered');
    else link.lastAtMs.set(from, atMs);
  }

  /** Of one-way messages: these are what may come again. */
  remember(frame: Frame): void {
    if (this.archive.length < ARCHIVE_FRAMES) this.archive.push(frame);
    else if (this.frames % 7 === 0) this.archive[this.world.random.between(0, ARCHIVE_FRAMES - 1)] = frame;
  }

  /**
   * An old frame arrives once more, at whoever is there under the receiver's peer id now.
   *
   * @returns at how many
   */
  replayOld(): number {
    if (this.archive.length === 0) return 0;
    let count = 0;
    const { from, to, protocol, bytes } = this.world.random.pick(this.archive);
    for (const member of this.members) {
      const link = member.peerId === to ? member.links.get(from) : undefined;
      if (link === undefined) continue;
      count += 1;
      this.world.coverage.hit('network: replayed');
      member.machine.run(() => member.receiveMessage(link, protocol, bytes));
    }
    return count;
  }
}
