import type { Engine } from '../../src/core/pbft/engine.ts';

// Caps as docs/PROTOCOL.md has them, and of the pool as its operator may count on them.
const WINDOW_MAX = 256;
const MiB = 1024 * 1024;
const FUTURE = { windows: 3, bytes: 8 * MiB, all: 8192 } as const;
/** Of another signer; of its own a node has at most one for each height from the low watermark to its head. */
const CHECKPOINTS = 4;
/** Each kind of message that binds its signer, and two more. */
const KINDS = 8;
const EVIDENCE = 64;
const ARCHIVE = { views: 256, bytes: 64 * MiB } as const;
/** An entry of its index: u64 sequence, u32 bytes, signature. */
const ARCHIVE_ENTRY_BYTES = 8 + 4 + 64;
const POOL = { transactions: 65_536, bytes: 256 * MiB } as const;
const MEMBER = { transactions: 32_768, bytes: 128 * MiB } as const;
const INBOX = { transactions: 16_384, bytes: 64 * MiB } as const;
const DISMISSED = 16_384;
/** Events between two looks: what has grown too much does not shrink at once. What must be added up is looked at more seldom. */
const LOOK_EVENTS = 8;
const ADD_EVENTS = 64;

interface Sized {
  readonly size: number;
}

interface Lane {
  readonly entries: Sized;
  readonly bytes: number;
}

/** The pool keeps these to itself; the checker looks from outside. */
export interface PoolParts {
  readonly size: number;
  readonly bytes: number;
  readonly mempool: { readonly members: ReadonlyMap<string, Lane> };
  readonly inbox: { readonly waiting: { readonly length: number }; readonly bytes: number };
  readonly dismissals: Sized;
}

/** Everything that grows with what others send stays within its cap (SCENARIOS 70). */
export class BoundRules {
  private events = 0;

  constructor(
    /** The largest window that the chain may have had. */
    private readonly windowBlocksMax: number,
    private readonly fail: (what: string) => never,
  ) {}

  check(name: string, engine: Engine, pool: PoolParts, evidence: number): void {
    this.events += 1;
    if (this.events % LOOK_EVENTS !== 0) return;
    const fault = this.faultOfEngine(engine) ?? (evidence > EVIDENCE ? 'pairs of evidence' : null);
    if (fault !== null) this.fail(`${name} keeps too many ${fault}`);
    if (this.events % ADD_EVENTS !== 0) return;
    const deeper = this.faultOfShares(engine) ?? faultOfPool(pool);
    if (deeper !== null) this.fail(`${name} keeps too many ${deeper}`);
  }

  private faultOfEngine(engine: Engine): string | null {
    const { windowBlocks } = engine.parameters;
    const { length } = engine.reign.set.validators;
    if (engine.slots.size > Math.max(windowBlocks, this.windowBlocksMax) + WINDOW_MAX) return 'slots';
    if (engine.future.count > FUTURE.all) return 'messages for later';
    if (engine.viewChanges.size > length) return 'view changes';
    if (engine.complaints.size > length) return 'complaints';
    if (engine.signedValues.size > 16 * windowBlocks + 64) return 'signed values';
    if (engine.checkpoints.size > length) return 'signers of checkpoints';
    return engine.evidenceGiven.size > length * KINDS ? 'convictions' : null;
  }

  private faultOfShares(engine: Engine): string | null {
    const window = Math.max(engine.parameters.windowBlocks, this.windowBlocksMax);
    for (const { messages } of engine.future.bySigner.values()) {
      const bytes = messages.reduce((sum, { signed }) => sum + signed.body.length, 0);
      if (messages.length > FUTURE.windows * window || bytes > FUTURE.bytes) return 'messages of one signer';
    }
    const own = engine.head.header.height - engine.stableHeight + 1;
    for (const [signer, { length }] of engine.checkpoints)
      if (length > (signer === engine.seat?.index ? own : CHECKPOINTS)) return 'checkpoints of one signer';
    return null;
  }

  /** The archive of views on disk. @param index what stands there now. @param stored what stands under a key */
  archive(name: string, index: Uint8Array, stored: (key: string) => Uint8Array | null): void {
    const view = new DataView(index.buffer, index.byteOffset, index.byteLength);
    const count = view.getUint32(0);
    let bytes = 0;
    let first = 0;
    for (let entry = 0; entry < count; entry += 1) {
      const at = 4 + entry * ARCHIVE_ENTRY_BYTES;
      if (entry === 0) first = Number(view.getBigUint64(at));
      bytes += view.getUint32(at + 8);
    }
    if (count > ARCHIVE.views || (count > 1 && bytes > ARCHIVE.bytes))
      this.fail(`${name} keeps ${count} views of ${bytes} bytes`);
    const before = `views/${String(first - 1).padStart(16, '0')}`;
    if (first > 0 && stored(before) !== null) this.fail(`${name} keeps a view that its index has given up`);
  }
}

function faultOfPool(pool: PoolParts): string | null {
  if (pool.size > POOL.transactions || pool.bytes > POOL.bytes) return 'transactions';
  for (const { entries, bytes } of pool.mempool.members.values())
    if (entries.size > MEMBER.transactions || bytes > MEMBER.bytes) return 'transactions of one member';
  const { waiting, bytes } = pool.inbox;
  if (waiting.length > INBOX.transactions || bytes > INBOX.bytes) return 'transactions that wait for a check';
  return pool.dismissals.size > DISMISSED ? 'reasons' : null;
}
