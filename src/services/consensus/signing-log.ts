import { assertDefined } from '../../core/base/assert.ts';
import { equalBytes, toHex } from '../../core/base/bytes.ts';
import { isReject } from '../../core/base/reject.ts';
import type { Seat } from '../../core/pbft/config.ts';
import { decodeMessage } from '../../core/pbft/message-codec.ts';
import type { SignedMessage } from '../../core/pbft/messages.ts';
import { decodeWalRecord } from '../../core/pbft/wal-record.ts';
import type { Certificate, Validator, ValidatorSet } from '../../core/types/chain.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { Signer } from '../../ports/signer.ts';
import type { ConsensusKeys, FirstStart, SigningRecord, SigningRecords } from '../../ports/signing-state.ts';
import type { PeerId } from '../../ports/transport.ts';
import type { WalContent, WriteAheadLog } from '../../ports/wal.ts';

export interface SigningLogConfig {
  readonly wal: WriteAheadLog;
  readonly records: SigningRecords;
  readonly firstStart: FirstStart;
  readonly keys: ConsensusKeys;
  readonly peerId: PeerId;
}

const UNKNOWN_KEY = 'the validator set names a consensus key that this node does not have';

/**
 * The write-ahead log together with the right to sign. A key signs only with the log that holds all its votes, or when
 * nothing was ever signed with it; otherwise the node observes: it could vote twice (DESIGN.md section 3, SCENARIOS 16).
 * The next key gets its right when it is made, so that nothing is left to do at the set change that names it [58].
 */
export class SigningLog {
  /** Why a key must not sign, by public key; null where it may. */
  private readonly barred = new Map<string, string | null>();
  /** Of the open log; null while no key of this node may sign. */
  private identity: string | null = null;
  /** The engine has a seat: what it has promised must be kept. */
  private seated = false;
  /** No COMMIT of a key of this node above this height has left. */
  private committedHeight = 0;
  private resumed: readonly Uint8Array[] = [];
  private preparing: Promise<Signer> | null = null;
  private changing: Promise<unknown> = Promise.resolve();

  constructor(private readonly config: SigningLogConfig) {}

  /**
   * Before the first block can come in.
   *
   * @param headHeight of the chain store: votes up to it need no log
   */
  async open(headHeight: number): Promise<void> {
    const { wal, keys, records, firstStart } = this.config;
    const content = await wal.open();
    const signers = keys.signers();
    for (const signer of signers) this.barred.set(toHex(signer.publicKey), await this.admit(content, signer));
    this.resumed = content !== null && content.identity === this.identity ? content.records : [];
    this.committedHeight = Math.max(headHeight, ...this.resumed.map(committedHeightOf));
    if (this.identity === null) await wal.close();
    const known = records.read();
    const kept = known.filter(record =>
      signers.some(({ publicKey }) => equalBytes(publicKey, record.publicKey)),
    );
    if (kept.length < known.length) await records.write(kept);
    for (const { publicKey } of signers) {
      if (this.reason(publicKey) === null && (await firstStart.isMarked(publicKey)))
        await firstStart.consume(publicKey);
    }
  }

  /** Why this node does not vote, though the set names it or one of its keys could be lost; null where it may. */
  observes(set: ValidatorSet): string | null {
    const entry = this.entryOf(set);
    if (entry !== null) return this.reason(entry.publicKey);
    const reasons = this.config.keys.signers().map(({ publicKey }) => this.reason(publicKey));
    return reasons.includes(null) ? null : (reasons[0] ?? UNKNOWN_KEY);
  }

  /** What the log held when it was opened, once; nothing for an observer. */
  take(): readonly Uint8Array[] {
    const records = this.resumed;
    this.resumed = [];
    return records;
  }

  /** Whether what the engine records now must be kept: an observer promises nothing. */
  keeps(): boolean {
    return this.seated;
  }

  append(records: readonly Uint8Array[]): Promise<void> {
    return this.config.wal.append(records);
  }

  rewrite(records: readonly Uint8Array[]): Promise<void> {
    return this.config.wal.rewrite(records);
  }

  close(): Promise<void> {
    return this.config.wal.close();
  }

  /** For the engine: the seat of this node in the set that it decides under from now on. */
  readonly findSeat = (set: ValidatorSet): Seat | null => {
    const seat = this.seatIn(set);
    this.seated = seat !== null;
    return seat;
  };

  /** A validator of the set that names this node's peer id with a key of this node which may sign. */
  seatIn(set: ValidatorSet): Seat | null {
    const entry = this.entryOf(set);
    if (entry === null || this.reason(entry.publicKey) !== null) return null;
    const signer = assertDefined(this.signerOf(entry.publicKey), 'a key that may sign is there');
    return { index: set.validators.indexOf(entry), sign: bytes => signer.sign(bytes) };
  }

  /**
   * The key for the next set change; one that was made before, when it may sign. From then on it may sign beside the current
   * one, in the same log, or in a new log when the current key has lost its own.
   */
  prepare(): Promise<Signer> {
    this.preparing ??= this.exclusively(() => this.prepareOnce()).finally(() => {
      this.preparing = null;
    });
    return this.preparing;
  }

  /**
   * After a block that changed the set, and at the start: when the set names the next key, the one before has signed its last
   * value and is erased.
   */
  settle(set: ValidatorSet): Promise<boolean> {
    return this.exclusively(() => this.settleOnce(set));
  }

  private async settleOnce(set: ValidatorSet): Promise<boolean> {
    const { keys, records } = this.config;
    const entry = this.entryOf(set);
    const [, next] = keys.signers();
    if (entry === null || next === undefined || !equalBytes(next.publicKey, entry.publicKey)) return false;
    await keys.adopt();
    await records.write(records.read().filter(({ publicKey }) => equalBytes(publicKey, entry.publicKey)));
    return true;
  }

  /** Before a message leaves. */
  leaves(message: SignedMessage): void {
    if (message.kind !== 'commit') return;
    const decoded = decodeMessage(message);
    if (isReject(decoded) || decoded.content.kind !== 'commit') return;
    this.committedHeight = Math.max(this.committedHeight, decoded.content.height);
  }

  /**
   * A verified certificate with a signature of a key that this node does not know of: directory and log are an old copy,
   * or the key is used elsewhere too.
   *
   * @throws OperatingError `signing_state_lost`, after it was noted that the key must not sign any more
   */
  async inspect({ height, signatures }: Certificate, set: ValidatorSet): Promise<void> {
    const seat = this.seatIn(set);
    if (seat === null || height <= this.committedHeight) return;
    if (!signatures.some(({ signer }) => signer === seat.index)) return;
    const { records } = this.config;
    const { publicKey } = set.validators[seat.index]!;
    const isIt = (record: SigningRecord) => equalBytes(record.publicKey, publicKey);
    await this.exclusively(() =>
      records.write(records.read().map(record => (isIt(record) ? { ...record, lost: true } : record))),
    );
    throw new OperatingError(
      'signing_state_lost',
      `this node's consensus key signed block ${height}, and its log does not know of it`,
      'This is an old copy, or the key is used twice. Started again, the node observes; it votes with a new consensus key.',
    );
  }

  /** One change of keys and records at a time: each of two at once would write back what the other has replaced. */
  private exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.changing.then(work);
    this.changing = done.catch(() => undefined);
    return done;
  }

  private entryOf(set: ValidatorSet): Validator | null {
    return set.validators.find(({ peerId }) => peerId === this.config.peerId) ?? null;
  }

  private signerOf(publicKey: Uint8Array): Signer | null {
    return this.config.keys.signers().find(signer => equalBytes(signer.publicKey, publicKey)) ?? null;
  }

  private reason(publicKey: Uint8Array): string | null {
    if (this.signerOf(publicKey) === null) return UNKNOWN_KEY;
    const reason = this.barred.get(toHex(publicKey));
    return reason === undefined ? 'the log is not open' : reason;
  }

  private async prepareOnce(): Promise<Signer> {
    const { keys, firstStart } = this.config;
    const [, made] = keys.signers();
    if (made !== undefined && this.reason(made.publicKey) === null) return made;
    const signer = await keys.prepare();
    await this.begin(signer);
    this.barred.set(toHex(signer.publicKey), null);
    await firstStart.consume(signer.publicKey);
    return signer;
  }

  /** The right of a key that has signed nothing: in the log of the others or, without one, in a new log. */
  private async begin({ publicKey }: Signer): Promise<void> {
    const { wal, records } = this.config;
    this.identity ??= await wal.create();
    const others = records.read().filter(record => !equalBytes(record.publicKey, publicKey));
    await records.write([...others, { publicKey, logIdentity: this.identity, lost: false }]);
  }

  /** The reason to observe; null after everything is in place to sign. */
  private async admit(content: WalContent | null, signer: Signer): Promise<string | null> {
    const { records, firstStart } = this.config;
    const { publicKey } = signer;
    const known = records.read();
    const record = known.find(entry => equalBytes(entry.publicKey, publicKey));
    if (record !== undefined) {
      if (record.lost) return 'its consensus key has signed what its log does not hold';
      if (content === null) return 'its consensus log is missing';
      if (content.identity !== record.logIdentity) return 'its consensus log belongs to another database';
      this.identity = content.identity;
      return null;
    }
    if (!(await firstStart.isMarked(publicKey))) {
      return 'its consensus key may have voted before, and its database does not know of it';
    }
    // Records of a log that this database does not know are somebody's votes.
    const isForeign = !known.some(entry => entry.logIdentity === content?.identity);
    if (content !== null && content.records.length > 0 && isForeign) {
      return 'its consensus log belongs to another database';
    }
    await this.begin(signer);
    return null;
  }
}

/**
 * Up to where a record shows that a COMMIT may have left; 0 where it shows nothing. Trimming forgets the COMMITs of earlier
 * views, but never what was prepared for them, which is written in one go with the COMMIT.
 */
function committedHeightOf(bytes: Uint8Array): number {
  const record = decodeWalRecord(bytes);
  if (isReject(record)) return 0;
  if (record.type === 'prepared') return record.proof.header.height;
  if (record.type !== 'message') return 0;
  const { content } = record.message;
  return content.kind === 'commit' ? content.height : 0;
}
