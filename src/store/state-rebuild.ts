import type { TransactionId } from '../core/base/ids.ts';
import { isReject } from '../core/base/reject.ts';
import { Reader } from '../core/codec/reader.ts';
import { Writer } from '../core/codec/writer.ts';
import type { Block, Certificate, ValidatorSet } from '../core/types/chain.ts';
import type { KeyValueStore, KvOperation } from '../ports/kv.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import { decodeHeight, decodeSetChange, decodeStoredBlock, encodeLocation } from './chain-records.ts';
import { DamagedValue } from './checksum.ts';
import { generationRanges, keys } from './keyspaces.ts';
import { historyWrites } from './stored-history.ts';
import { sweep } from './sweep.ts';

/** Rooms whose second part is a generation. */
const GENERATION_ROOMS = ['size', 'state', 'node', 'stale'];
/** Behind every key. */
const END = '~';

/** How far it is: damage is only suspected; it is known; the state is being built anew. */
const STAGES = ['suspected', 'known', 'begun'] as const;

interface Mark {
  readonly stage: (typeof STAGES)[number];
  /** That the state had, as far as it is known here; 0 before the rebuilding has begun. */
  readonly height: number;
}

/** What one look at every value finds. */
interface Survey {
  readonly damaged: readonly string[];
  readonly generations: ReadonlySet<number>;
  /** What is only true of the state as it was: how far leaves were staged, which snapshots are served. */
  readonly passing: readonly string[];
  readonly highestBlock: number;
  /** Key of the newest change of the validator set that can be read; null where there is none. */
  readonly lastSetChange: string | null;
}

const putMark = ({ stage, height }: Mark): KvOperation => ({
  type: 'put',
  key: keys.rebuild,
  value: new Writer().u8(STAGES.indexOf(stage)).u64(height).finish(),
});

/**
 * Builds the state anew when a value of the database has rotted (SCENARIOS 68). The error that ends the node leaves a mark; the
 * next start looks at every value and, when one is damaged, begins with genesis in a new generation and remembers the height
 * that must be reached again before the node decides anything. Blocks, transactions and leaves stay where they are.
 */
export class KvStateRebuild {
  /** Those that were here at the start. */
  private generations: ReadonlySet<number> = new Set();
  private lastSetChange: string | null = null;

  constructor(private readonly kv: KeyValueStore) {}

  /** A value was read damaged: the next start looks for it. Durable when it resolves. */
  async suspect(): Promise<void> {
    if (this.mark() === null) await this.write({ stage: 'suspected', height: 0 });
  }

  /**
   * The state is to be built anew whatever the values look like: some may be gone, also of one that was on its way. Durable when
   * it resolves.
   */
  async demand(): Promise<void> {
    await this.write({ stage: 'known', height: this.mark()?.height ?? 0 });
  }

  /** The next `begin` looks at every value, which takes its time. */
  get isMarked(): boolean {
    return this.mark() !== null;
  }

  /**
   * Before anything else is read.
   * @returns the height that the state must have again; null where nothing is to be rebuilt
   * @throws OperatingError `signing_records_damaged`: no state gives the right to vote back
   */
  async begin(): Promise<number | null> {
    const mark = this.mark();
    if (mark === null) return null;
    const survey = await this.survey();
    this.generations = survey.generations;
    this.lastSetChange = survey.lastSetChange;
    if (survey.damaged.includes(keys.signing)) throw signingRecordsDamaged();
    if (survey.damaged.length === 0 && mark.stage === 'begun') return mark.height;
    if (survey.damaged.length === 0 && mark.stage === 'suspected') {
      // what one read said, the next one does not: the disk is whole
      await this.kv.batch([{ type: 'delete', key: keys.rebuild }], { sync: true });
      return null;
    }
    const height = this.heightBefore(mark, survey);
    const generation = 1 + Math.max(-1, ...survey.generations);
    const removed = [keys.head, ...survey.damaged, ...survey.passing];
    await this.kv.batch(
      [
        ...removed.map((key): KvOperation => ({ type: 'delete', key })),
        ...this.locationsAgain(mark, survey),
        ...historyWrites({ generation, baseHeight: 0, blocksFrom: 1, bodiesFrom: 1 }),
        putMark({ stage: 'begun', height }),
      ],
      { sync: true },
    );
    return height;
  }

  /** The newest validator set that this disk knows of by a certified change; null where there was none. After `begin`. */
  lastSet(): ValidatorSet | null {
    const key = this.lastSetChange;
    const bytes = key === null ? null : this.kv.get(key);
    return key === null || bytes === null ? null : decodeSetChange(key, bytes).nextSet;
  }

  /** What stood under a key of the state in the generations that were here at the start, as far as it can be read, oldest first. */
  valuesBefore(key: string): Uint8Array[] {
    const generations = [...this.generations].sort((a, b) => a - b);
    return generations.flatMap(generation => {
      const bytes = this.sound(keys.state(generation, key));
      return bytes === null || bytes.length === 0 ? [] : [bytes];
    });
  }

  /** Keys of the values that are not what was written; reads all of them. */
  async damaged(): Promise<readonly string[]> {
    return (await this.survey()).damaged;
  }

  /** The state is whole: removes the mark, and the generations before. */
  async finish(generation: number): Promise<void> {
    const ranges = [...this.generations].filter(other => other < generation).flatMap(generationRanges);
    await sweep(this.kv, ranges, operations => this.kv.batch(operations, { sync: false }));
    await this.kv.batch([{ type: 'delete', key: keys.rebuild }], { sync: true });
  }

  /** A block that is whole on this disk with its transactions, also above the head. */
  block(height: number): {
    readonly block: Block;
    readonly certificate: Certificate;
    readonly transactions: Uint8Array[];
  } | null {
    const key = keys.block(height);
    const bytes = this.kv.get(key);
    const stored = bytes === null ? null : decodeStoredBlock(key, bytes);
    if (stored === null || stored.certificate === null) return null;
    const transactions: Uint8Array[] = [];
    for (const { wrapperHash } of stored.block.entries) {
      const wrapper = this.kv.get(keys.wrapper(wrapperHash));
      if (wrapper === null) return null;
      transactions.push(wrapper);
    }
    return { block: stored.block, certificate: stored.certificate, transactions };
  }

  /**
   * Rows that say where a transaction is, from the blocks that are whole: a snapshot brings only blocks that are not here, and
   * whoever has forgotten an id takes the transaction twice. After `demand` rows may be gone without being damaged.
   */
  private locationsAgain({ stage }: Mark, { damaged, highestBlock }: Survey): KvOperation[] {
    const isLost = (key: string) => !this.sound(key)?.length;
    const isAny =
      stage === 'known' || damaged.some(key => key.startsWith(keys.location('' as TransactionId)));
    const operations: KvOperation[] = [];
    for (let height = isAny ? highestBlock : 0; height > 0; height -= 1) {
      const key = keys.block(height);
      if (isLost(key)) continue;
      const { block } = decodeStoredBlock(key, this.kv.get(key)!);
      for (const [index, { id, outcome, wrapperHash }] of block.entries.entries()) {
        if (!isLost(keys.location(id))) continue;
        const value = encodeLocation({ height, index, outcome, wrapperHash });
        operations.push({ type: 'put', key: keys.location(id), value });
      }
    }
    return operations;
  }

  private mark(): Mark | null {
    const bytes = this.sound(keys.rebuild);
    if (bytes === null) return null;
    const reader = new Reader(bytes);
    const stage = STAGES[reader.u8()];
    const read = reader.finish(reader.u64(), 'mark');
    // a mark that is damaged itself says that something is
    return isReject(read) || stage === undefined ? { stage: 'known', height: 0 } : { stage, height: read };
  }

  /**
   * What the state had when it was whole, or more: a vote for anything lower could be a second one (SCENARIOS 16). The head may be
   * that of a state on its way, or an older one that a repair of the database's files brought back.
   */
  private heightBefore({ height }: Mark, { highestBlock }: Survey): number {
    return Math.max(height, this.headHeight(), highestBlock);
  }

  private write(mark: Mark): Promise<void> {
    return this.kv.batch([putMark(mark)], { sync: true });
  }

  /** 0 where it is not known. */
  private headHeight(): number {
    const head = this.sound(keys.head);
    return head === null || head.length === 0 ? 0 : decodeHeight(keys.head, head);
  }

  /** Empty bytes where the value is damaged. */
  private sound(key: string): Uint8Array | null {
    try {
      return this.kv.get(key);
    } catch (error) {
      if (error instanceof DamagedValue) return new Uint8Array(0);
      throw error;
    }
  }

  /** Reads every value once. */
  private async survey(): Promise<Survey> {
    const damaged: string[] = [];
    const passing: string[] = [];
    const generations = new Set<number>();
    let highestBlock = 0;
    let lastSetChange: string | null = null;
    const see = (key: string) => {
      const [room = '', second] = key.split('/', 2);
      if (GENERATION_ROOMS.includes(room)) generations.add(Number(second));
      else if (room === 'block') highestBlock = Number(second);
      else if (room === 'staged' || room === 'served') passing.push(key);
    };
    for (let from = ''; ; ) {
      try {
        for await (const [key] of this.kv.entries({ from, to: END })) {
          see(key);
          if (key.startsWith('set/')) lastSetChange = key;
        }
        return { damaged, generations, passing, highestBlock, lastSetChange };
      } catch (error) {
        if (!(error instanceof DamagedValue)) throw error;
        damaged.push(error.key);
        see(error.key);
        from = `${error.key}\0`;
      }
    }
  }
}

function signingRecordsDamaged(): OperatingError {
  return new OperatingError(
    'signing_records_damaged',
    `the stored value of "${keys.signing}" is damaged: this node cannot know what its consensus key has signed`,
    'Run "phaseline backup" on this directory and "phaseline restore" to a new one; the node there votes with a new consensus key.',
  );
}
