import { mayAct } from '../../core/access/standing.ts';
import { equalBytes } from '../../core/base/bytes.ts';
import type { LogId, MemberId, Sha256, TransactionId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { type BuiltTransaction, buildTransaction, signTransactions } from '../../core/codec/build.ts';
import { findMember } from '../../core/ledger/read.ts';
import { LIMITS, SIZES } from '../../core/types/limits.ts';
import type { KindName } from '../../core/types/operation.ts';
import { OUTCOMES } from '../../core/types/outcome.ts';
import type { RandomBytes } from '../../ports/random.ts';
import type { Signer } from '../../ports/signer.ts';
import type { LedgerAccess, SubmitResult } from './ports.ts';
import { type Refusal, refusalOfOutcome, refuse, resumeHint, suspendedDetail } from './refusal.ts';

/** Drafts that may wait; one more is refused. */
const WAITING_MAX = 4096;
/** Batches on their way at a time: what comes meanwhile waits and shares the next signature. */
const BATCHES_IN_FLIGHT_MAX = 4;
/** Contents of one batch, in bytes; a single larger transaction goes alone. */
const BATCH_BYTES_MAX = 4 * 1024 * 1024;

/** A transaction as an operation wants it; ids, salts, key and validity are the sender's matter. */
export interface Draft {
  readonly kind: KindName;
  readonly scopes: readonly LogId[];
  readonly parts: readonly { readonly scope: number; readonly content: Uint8Array }[];
  /** Names object and deed in a refusal: "put a record in phase 12ab…". */
  readonly what: string;
}

/** Where a committed transaction stands. */
export interface Committed {
  readonly id: TransactionId;
  readonly height: number;
  /** Time of the block; the head's when none of the transaction's logs is held here. */
  readonly timeMs: number;
  /** Position in the first of its logs that is held here; null when none is. */
  readonly position: number | null;
}

interface Waiting {
  readonly draft: Draft;
  readonly bytes: number;
  readonly resolve: (result: Committed | Refusal) => void;
  readonly fail: (error: unknown) => void;
}

export interface SenderConfig {
  readonly access: LedgerAccess;
  readonly sha256: Sha256;
  readonly randomBytes: RandomBytes;
  readonly member: MemberId;
  readonly signer: Signer;
  /** The ledger's refusal in words. */
  readonly explain: (outcome: number, draft: Draft) => Refusal;
}

/** Builds, signs and submits one member's transactions; what waits at the same time shares one signature tree. */
export class TransactionSender {
  private readonly waiting: Waiting[] = [];
  private inFlight = 0;
  private signer: Signer;

  constructor(private readonly config: SenderConfig) {
    this.signer = config.signer;
  }

  /** Another of the same member, with another of its keys: transactions of several keys share no signature. */
  signedBy(signer: Signer): TransactionSender {
    return new TransactionSender({ ...this.config, signer });
  }

  /** From the next batch on; for a member that rotated its keys. */
  useSigner(signer: Signer): void {
    this.signer = signer;
  }

  /** Resolves when the transaction ended; rejects with OperatingError when it cannot be sent. */
  send(draft: Draft): Promise<Committed | Refusal> {
    const contents = draft.parts.reduce((sum, part) => sum + part.content.length + SIZES.salt, 0);
    const bytes = contents + LIMITS.bodyBytes;
    const bytesMax = this.config.access.system().parameters.transactionBytesMax;
    if (draft.parts.some(part => part.content.length > LIMITS.partBytes) || bytes > bytesMax) {
      const detail = `cannot ${draft.what}: it takes ${bytes} bytes, a transaction has at most ${bytesMax}`;
      return Promise.resolve(refuse('too_large', detail, 'Make it smaller, or put large content in a file.'));
    }
    if (this.waiting.length >= WAITING_MAX) {
      const detail = `cannot ${draft.what}: ${WAITING_MAX} transactions wait already`;
      return Promise.resolve(refuse('sender_busy', detail, 'Try again in a moment.'));
    }
    return new Promise((resolve, fail) => {
      this.waiting.push({ draft, bytes, resolve, fail });
      // After this turn of the event loop: whatever else is sent in it shares the signature.
      if (this.waiting.length === 1) setImmediate(() => this.flush());
    });
  }

  private flush(): void {
    while (this.waiting.length > 0 && this.inFlight < BATCHES_IN_FLIGHT_MAX) {
      let count = 0;
      let bytes = 0;
      while (count < Math.min(this.waiting.length, LIMITS.batchTreeSize)) {
        bytes += this.waiting[count]!.bytes;
        if (count > 0 && bytes > BATCH_BYTES_MAX) break;
        count += 1;
      }
      this.inFlight += 1;
      void this.sendBatch(this.waiting.splice(0, count)).finally(() => {
        this.inFlight -= 1;
        this.flush();
      });
    }
  }

  private async sendBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      const built = this.build(batch);
      if (isReject(built)) {
        for (const entry of batch) entry.resolve(built);
        return;
      }
      const results = await this.config.access.submit(
        signTransactions(this.config.sha256, this.signer, built),
      );
      for (const [index, entry] of batch.entries())
        entry.resolve(await this.conclude(entry, results[index]!));
    } catch (error) {
      for (const entry of batch) entry.fail(error);
    }
  }

  private build(batch: readonly Waiting[]): BuiltTransaction[] | Refusal {
    const { access, sha256, randomBytes, member } = this.config;
    const system = access.system();
    const known = findMember(system, member);
    if (known !== null && !mayAct(known)) {
      return known.revoked
        ? refusalOfOutcome(OUTCOMES.revokedKey, batch[0]!.draft.what)
        : refuse('memberSuspended', suspendedDetail(known), resumeHint(member));
    }
    const keys = known?.keys ?? [];
    const keyId = keys.findLastIndex(
      key => key.untilHeight === 0 && equalBytes(key.signingKey, this.signer.publicKey),
    );
    if (keyId < 0) {
      const detail = `${member} is not registered with the signing key of this node`;
      return refuse(
        'key_not_current',
        detail,
        'An administrator must register it, or its owner must rotate.',
      );
    }
    // Half of the window: a source may be behind this head, or ahead of it.
    const window = Math.max(1, Math.floor(system.parameters.replayWindowBlocks / 2));
    const lastValidHeight = access.head().height + window;
    return batch.map(({ draft: { kind, scopes, parts } }) =>
      buildTransaction(sha256, {
        chainId: access.chainId,
        sender: member,
        keyId,
        kind,
        lastValidHeight,
        scopes,
        parts: parts.map(part => ({ ...part, salt: randomBytes(SIZES.salt) })),
      }),
    );
  }

  private async conclude({ draft }: Waiting, result: SubmitResult): Promise<Committed | Refusal> {
    if (result.end === 'expired') return refusalOfOutcome(OUTCOMES.expired, draft.what);
    if (result.end === 'invalid') {
      const { reject: code, detail } = result.reject;
      // this node has not heard of its suspension yet
      if (code === 'sender_suspended') return refusalOfOutcome(OUTCOMES.memberSuspended, draft.what);
      return refuse(code, `cannot ${draft.what}: ${detail}`, 'Correct it and send it again.');
    }
    if (result.outcome !== OUTCOMES.committed) return this.config.explain(result.outcome, draft);
    const { access } = this.config;
    for (const logId of draft.scopes) {
      const item = await access.itemOf(logId, result.id);
      if (item !== null) {
        const { timeMs, position } = item.leaf;
        return { id: result.id, height: result.height, timeMs, position };
      }
    }
    return { id: result.id, height: result.height, timeMs: access.head().timeMs, position: null };
  }
}
