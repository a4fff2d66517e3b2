import { createHash } from 'node:crypto';
import type { MemberId, PhaseId } from '../../../src/core/base/ids.ts';
import type { Coverage } from '../coverage.ts';
import { InvariantBroken } from '../invariant.ts';
import type { Book, BookEvent } from './book.ts';
import type { Holder } from './holder.ts';

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Who is in a phase, and which files it rightly names, from a prefix of the book. */
interface PhaseFacts {
  readonly target: number;
  readonly members: Set<MemberId>;
  readonly former: Set<MemberId>;
  readonly files: Set<string>;
  readonly purged: Set<string>;
}

/** Watches the file services from outside: what they send, sign and keep, against the book, by code of its own. */
export class FilesChecker {
  /** Blocks of each file as they were made, each with its hash. */
  private readonly trees = new Map<string, ReadonlyMap<string, string>>();
  private readonly owners = new Map<
    string,
    { readonly roots: Set<string>; readonly authors: Set<MemberId> }
  >();
  /** Blocks that the simulation damaged, by member. */
  private readonly damaged = new Set<string>();

  constructor(
    private readonly book: Book,
    private readonly coverage: Coverage,
  ) {}

  fail(text: string): never {
    throw new InvariantBroken(text);
  }

  damage(member: MemberId, key: string): void {
    this.damaged.add(`${member} ${key}`);
  }

  /** A put ended: the file is durable. */
  put(by: Holder, root: string): void {
    const blocks = new Map<string, string>();
    for (const [key] of by.index.durable) {
      if (!key.startsWith(`files/tree/${root}/`)) continue;
      const cid = key.slice(key.lastIndexOf('/') + 1);
      const bytes = by.blocks.durable.get(`block/${cid}`);
      if (bytes === undefined)
        this.fail(`${by.member} says that ${root} is stored, and ${cid} is not on disk`);
      blocks.set(cid, hashOf(bytes));
      const owner = this.owners.get(cid) ?? { roots: new Set(), authors: new Set() };
      this.owners.set(cid, { roots: owner.roots.add(root), authors: owner.authors.add(by.member) });
    }
    if (!blocks.has(root)) this.fail(`${by.member} says that ${root} is stored, and its root is in no index`);
    this.trees.set(root, blocks);
  }

  /** What the book says up to `until`; phases that `reader` has left stand still where it left. */
  facts(until: number, reader: MemberId | null): ReadonlyMap<PhaseId, PhaseFacts> {
    const phases = new Map<PhaseId, PhaseFacts>();
    const held = new Map<PhaseId, BookEvent[]>();
    const apply = (event: BookEvent): void => {
      if (event.type === 'phase') {
        const none = { former: new Set<MemberId>(), files: new Set<string>(), purged: new Set<string>() };
        phases.set(event.phase, { target: event.copiesTarget, members: new Set(event.members), ...none });
        return;
      }
      const facts = phases.get(event.phase);
      if (facts === undefined) return;
      if (event.type === 'join') facts.members.add(event.member);
      if (event.type === 'leave') {
        facts.members.delete(event.member);
        facts.former.add(event.member);
      }
      if (event.type === 'record' && event.isOwn) facts.files.add(event.entry.cid);
      if (event.type === 'purge') facts.purged.add(event.cid);
    };
    for (const event of this.book.events.slice(0, until)) {
      const late = held.get(event.phase);
      const comesBack = event.type === 'join' && event.member === reader;
      if (late !== undefined && !comesBack) late.push(event);
      else {
        for (const one of late ?? []) apply(one);
        held.delete(event.phase);
        apply(event);
        if (event.type === 'leave' && event.member === reader) held.set(event.phase, []);
      }
    }
    return phases;
  }

  /** An honest node sends blocks to somebody. */
  served(
    by: Holder,
    to: MemberId,
    blocks: readonly { readonly cid: string; readonly bytes: Uint8Array }[],
  ): void {
    const facts = this.facts(by.view.seen, by.member);
    for (const { cid, bytes } of blocks) {
      this.coverage.hit('files: block served');
      const owner = this.owners.get(cid);
      // an import that is offered while its put has not ended is its author's
      if (owner === undefined) this.fail(`${by.member} serves ${cid}, which nobody has put`);
      const mayHave = [...facts.values()].some(
        ({ members, files, purged }) =>
          members.has(to) && [...owner.roots].some(root => files.has(root) && !purged.has(root)),
      );
      if (!mayHave && !owner.authors.has(to))
        this.fail(`${by.member} serves ${cid} to ${to}, who may not have it`);
      const whole = [...owner.roots].some(root => this.trees.get(root)?.get(cid) === hashOf(bytes));
      if (!whole) this.fail(`${by.member} serves other bytes than those of ${cid}`);
    }
  }

  /** An honest node signs that it holds a file whole: a crash now must leave it so. */
  signed(by: Holder, root: string): void {
    if (!by.isHonest) return;
    this.coverage.hit('files: receipt signed');
    const fault = this.faultOf(by, root);
    if (fault !== null) this.fail(`${by.member} signs for ${root}, and ${fault}`);
  }

  /** An honest node signs that it has deleted a file. */
  acknowledged(by: Holder, { cid: root }: { readonly cid: string }): void {
    if (!by.isHonest) return;
    this.coverage.hit('files: purge acknowledged');
    // an entry of the index may stand for what another record wants, in vain where it has no right to it
    for (const cid of this.trees.get(root)?.keys() ?? [])
      if (by.keeps(cid)) this.fail(`${by.member} acknowledges the purge of ${root} and has ${cid}`);
  }

  /** Null when a crash would leave the file whole, but for the damage that the simulation did. */
  faultOf(by: Holder, root: string, forgivesDamage = true): string | null {
    const value = by.index.durable.get(`files/root/${root}`);
    if (value === undefined || value[0] !== 1) return 'its index does not durably say so';
    for (const [cid, hash] of this.trees.get(root) ?? []) {
      const bytes = by.blocks.durable.get(`block/${cid}`);
      const isForgiven = forgivesDamage && this.damaged.has(`${by.member} block/${cid}`);
      if (!isForgiven && (bytes === undefined || hashOf(bytes) !== hash))
        return `block ${cid} is not on disk`;
    }
    return null;
  }

  /** Nobody keeps bytes of a phase that it was never in; nothing that is referenced was collected. */
  kept(holders: readonly Holder[]): void {
    const facts = [...this.facts(this.book.size, null).values()];
    for (const holder of holders) {
      const { member } = holder;
      for (const key of holder.blocks.durable.keys()) {
        if (!key.startsWith('block/')) continue;
        const owner = this.owners.get(key.slice('block/'.length));
        if (owner === undefined || owner.authors.has(member)) continue;
        const may = facts.some(
          ({ members, former, files }) =>
            (members.has(member) || former.has(member)) && [...owner.roots].some(root => files.has(root)),
        );
        if (!may) this.fail(`${member} holds ${key} of a phase that it was never in`);
      }
    }
  }

  /** What an honest member signed for it keeps while the phase names it and it is in the phase. */
  notCollected(holders: readonly Holder[]): void {
    const facts = this.facts(this.book.size, null);
    for (const event of this.book.events) {
      if (event.type !== 'receipt') continue;
      const phase = facts.get(event.phase);
      const holder = holders.find(({ member }) => member === event.member);
      if (phase === undefined || holder === undefined || !holder.isHonest) continue;
      if (!phase.members.has(event.member) || phase.purged.has(event.cid) || !phase.files.has(event.cid))
        continue;
      if (!holder.index.durable.has(`files/root/${event.cid}`))
        this.fail(`${event.member} signed for ${event.cid} and has dropped it`);
    }
  }

  /** What is missing after healing; empty when all that honest members owe is done. */
  missing(holders: readonly Holder[]): readonly string[] {
    const honest = holders.filter(({ isHonest }) => isHonest);
    const all = this.facts(this.book.size, null);
    const wanting = honest.flatMap(holder => this.resurrected(holder));
    for (const [phase, facts] of all) {
      const { members, files, purged } = facts;
      // who is reached and neither fetches nor loses its receipt keeps its place: another does not take it
      const liars = holders.filter(({ isHonest, member }) => !isHonest && members.has(member)).length;
      const inside = honest.filter(({ member }) => members.has(member));
      for (const root of purged) wanting.push(...this.unacknowledged(inside, phase, root));
      for (const root of files) {
        if (purged.has(root)) continue;
        wanting.push(...this.tooFew(inside, liars, facts, phase, root));
        const naming = [...all.values()].filter(other => other.files.has(root)).length;
        // what came by the right of another phase is not signed for in this one
        if (naming === 1) wanting.push(...this.unsigned(inside, phase, root));
      }
    }
    return wanting;
  }

  private tooFew(
    inside: readonly Holder[],
    liars: number,
    { target }: PhaseFacts,
    phase: PhaseId,
    root: string,
  ): readonly string[] {
    const copies = inside.filter(holder => this.faultOf(holder, root, false) === null).length;
    const most = target === 0 ? inside.length : Math.min(inside.length, target - liars);
    if (copies > 0)
      return copies < most ? [`${root} has ${copies} of ${most} copies in ${phase.slice(0, 6)}`] : [];
    this.coverage.hit('files: no copy left');
    for (const holder of inside) {
      if (this.hasSaid('receipt', holder, phase, root) && !this.isDamaged(holder, root))
        this.fail(`${holder.member} signed for ${root}, the last copy, and has lost it undamaged`);
    }
    return [];
  }

  private unsigned(inside: readonly Holder[], phase: PhaseId, root: string): readonly string[] {
    return inside
      .filter(holder => this.faultOf(holder, root, false) === null)
      .filter(holder => !this.hasSaid('receipt', holder, phase, root))
      .map(({ member }) => `${member} has ${root} whole and signs nothing`);
  }

  private unacknowledged(inside: readonly Holder[], phase: PhaseId, root: string): readonly string[] {
    return inside
      .filter(holder => this.hasSaid('receipt', holder, phase, root))
      .filter(holder => !this.hasSaid('ack', holder, phase, root))
      .map(({ member }) => `${member} signed for ${root} and does not acknowledge its purge`);
  }

  private hasSaid(type: 'receipt' | 'ack', { member }: Holder, phase: PhaseId, root: string): boolean {
    return this.book.events.some(
      event => event.type === type && event.phase === phase && event.cid === root && event.member === member,
    );
  }

  private isDamaged({ member }: Holder, root: string): boolean {
    return [...(this.trees.get(root)?.keys() ?? [])].some(cid => this.damaged.has(`${member} block/${cid}`));
  }

  /** What is purged in each phase in which the holder reads a right to it: one that it left may name it still. */
  private resurrected(holder: Holder): readonly string[] {
    const { member } = holder;
    const all = [...this.facts(this.book.size, member).values()];
    const read = all.filter(({ members, former }) => members.has(member) || former.has(member));
    const isGone = (root: string) => {
      const naming = read.filter(({ files }) => files.has(root));
      return (
        naming.some(({ members }) => members.has(member)) && naming.every(({ purged }) => purged.has(root))
      );
    };
    return [...this.trees]
      .filter(([root, tree]) => isGone(root) && [...tree.keys()].some(cid => holder.keeps(cid)))
      .map(([root]) => `${member} has ${root}, which was purged`);
  }
}
