import { equalBytes } from '../../core/base/bytes.ts';
import { isReject } from '../../core/base/reject.ts';
import type { Seat } from '../../core/pbft/config.ts';
import { decodeMessage } from '../../core/pbft/message-codec.ts';
import type { SignedMessage } from '../../core/pbft/messages.ts';
import { decodeWalRecord } from '../../core/pbft/wal-record.ts';
import type { Certificate, ValidatorSet } from '../../core/types/chain.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { Signer } from '../../ports/signer.ts';
import type { FirstStart, SigningRecords } from '../../ports/signing-state.ts';
import type { PeerId } from '../../ports/transport.ts';
import type { WalContent, WriteAheadLog } from '../../ports/wal.ts';

export interface SigningLogConfig {
  readonly wal: WriteAheadLog;
  readonly records: SigningRecords;
  readonly firstStart: FirstStart;
  readonly signer: Signer;
  readonly peerId: PeerId;
}

/**
 * The write-ahead log together with the right to sign. A key signs only with the log that holds all its votes, or when
 * nothing was ever signed with it; otherwise the node observes: it could vote twice (DESIGN.md section 3, SCENARIOS 16).
 */
export class SigningLog {
  /** Why this node's key must not sign; null when it may. */
  private barred: string | null = 'the log is not open';
  /** No COMMIT of this key above this height has left. */
  private committedHeight = 0;
  private resumed: readonly Uint8Array[] = [];

  constructor(private readonly config: SigningLogConfig) {}

  get observes(): string | null {
    return this.barred;
  }

  /**
   * Before the first block can come in.
   *
   * @param headHeight of the chain store: votes up to it need no log
   */
  async open(headHeight: number): Promise<void> {
    const { wal, signer } = this.config;
    const content = await wal.open();
    this.barred = await this.admit(content);
    if (this.barred !== null) {
      await wal.close();
      return;
    }
    const known = this.config.records.read()?.logIdentity;
    const records = content?.identity === known ? (content?.records ?? []) : [];
    this.resumed = records;
    this.committedHeight = headHeight;
    for (const bytes of records)
      this.committedHeight = Math.max(this.committedHeight, committedHeightOf(bytes));
    if (await this.config.firstStart.isMarked(signer.publicKey)) await this.config.firstStart.consume();
  }

  /** What the log held when it was opened, once; nothing for an observer. */
  take(): readonly Uint8Array[] {
    const records = this.resumed;
    this.resumed = [];
    return records;
  }

  /** An observer promises nothing, so it has nothing to keep. */
  async append(records: readonly Uint8Array[]): Promise<void> {
    if (this.barred === null) await this.config.wal.append(records);
  }

  async rewrite(records: readonly Uint8Array[]): Promise<void> {
    if (this.barred === null) await this.config.wal.rewrite(records);
  }

  close(): Promise<void> {
    return this.config.wal.close();
  }

  /** A validator of the set that names this node's peer id with this node's key, which may sign. */
  readonly findSeat = (set: ValidatorSet): Seat | null => {
    const { signer, peerId } = this.config;
    if (this.barred !== null) return null;
    const index = set.validators.findIndex(validator => validator.peerId === peerId);
    const validator = set.validators[index];
    if (validator === undefined || !equalBytes(validator.publicKey, signer.publicKey)) return null;
    return { index, sign: bytes => signer.sign(bytes) };
  };

  /** Before a message leaves. */
  leaves(message: SignedMessage): void {
    if (message.kind !== 'commit') return;
    const decoded = decodeMessage(message);
    if (isReject(decoded) || decoded.content.kind !== 'commit') return;
    this.committedHeight = Math.max(this.committedHeight, decoded.content.height);
  }

  /**
   * A verified certificate with a signature of this key that this node does not know of: directory and log are an old copy,
   * or the key is used elsewhere too.
   *
   * @throws OperatingError `signing_state_lost`, after it was noted that the key must not sign any more
   */
  async inspect({ height, signatures }: Certificate, set: ValidatorSet): Promise<void> {
    const seat = this.findSeat(set);
    if (seat === null || height <= this.committedHeight) return;
    if (!signatures.some(({ signer }) => signer === seat.index)) return;
    const { records } = this.config;
    const record = records.read();
    if (record !== null) await records.write({ ...record, lost: true });
    throw new OperatingError(
      'signing_state_lost',
      `this node's consensus key signed block ${height}, and its log does not know of it`,
      'This is an old copy, or the key is used twice. Started again, the node observes; it votes with a new consensus key.',
    );
  }

  /** The reason to observe; null after everything is in place to sign. */
  private async admit(content: WalContent | null): Promise<string | null> {
    const { wal, records, firstStart, signer } = this.config;
    const record = records.read();
    if (record !== null && equalBytes(record.publicKey, signer.publicKey)) {
      if (record.lost) return 'its consensus key has signed what its log does not hold';
      if (content === null) return 'its consensus log is missing';
      return content.identity === record.logIdentity ? null : 'its consensus log belongs to another database';
    }
    if (!(await firstStart.isMarked(signer.publicKey))) {
      return 'its consensus key may have voted before, and its database does not know of it';
    }
    // Records of a log that this database does not know are somebody's votes.
    if (content !== null && content.records.length > 0 && content.identity !== record?.logIdentity) {
      return 'its consensus log belongs to another database';
    }
    const logIdentity = await wal.create();
    await records.write({ publicKey: signer.publicKey, logIdentity, lost: false });
    return null;
  }
}

/** Of an own COMMIT in the log; 0 for every other record. */
function committedHeightOf(bytes: Uint8Array): number {
  const record = decodeWalRecord(bytes);
  if (isReject(record) || record.type !== 'message') return 0;
  const { content } = record.message;
  return content.kind === 'commit' ? content.height : 0;
}
