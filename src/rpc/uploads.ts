import { randomBytes } from 'node:crypto';
import { assertDefined } from '../core/base/assert.ts';
import type { PhaseId } from '../core/base/ids.ts';
import { isReject } from '../core/base/reject.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { Service } from '../ports/lifecycle.ts';
import type { CopiesView, RecordApi, RecordReceipt, StagedFile } from './api.ts';
import { ChunkPipe } from './chunk-pipe.ts';
import { failure, failureOfReject } from './errors.ts';

export interface UploadLimits {
  /** Uploads that are remembered at the same time, finished ones among them. */
  readonly uploadsMax: number;
  /** Silence after which what came of an upload is dropped. */
  readonly uploadIdleMs: number;
  /** How long the outcome of a finished upload can be asked for. */
  readonly uploadOutcomeMs: number;
}

export const UPLOAD_LIMITS: UploadLimits = {
  uploadsMax: 4_096,
  uploadIdleMs: 24 * 60 * 60_000,
  uploadOutcomeMs: 60 * 60_000,
};

export type UploadStage = 'receiving' | 'stored' | 'replicating' | 'committing' | 'committed' | 'failed';

export interface UploadInput {
  readonly phase: PhaseId;
  readonly name: string;
  readonly mediaType: string;
  /** Length in bytes; null until it is declared. */
  readonly bytes: number | null;
  /** The same when an interrupted upload is tried again; null when nothing can be. */
  readonly fingerprint: string | null;
  /** The record that the file goes into by itself as soon as it is whole; null when a record names it later. */
  readonly record: { readonly type: string; readonly title: string } | null;
}

/** One file on its way into this node, and what became of it. */
export interface Upload extends Omit<UploadInput, 'bytes'> {
  readonly id: string;
  bytes: number | null;
  /** Bytes that were taken. */
  offset: number;
  stage: UploadStage;
  staged: StagedFile | null;
  receipt: RecordReceipt | null;
  /** What nodes said of copies while the record waited for them. */
  copies: CopiesView | null;
  /** Why it failed. */
  error: unknown;
}

interface Work extends Upload {
  readonly pipe: ChunkPipe;
  readonly stored: Promise<StagedFile>;
  /** Set when every byte came: resolves when it is stored, and recorded if that was asked for. */
  settled: Promise<void> | null;
  writing: boolean;
  /** A call names it, or is about to: its file is no other's to go on with, and not to be dropped. */
  isTaken: boolean;
  usedMs: number;
}

type UploadsApi = Pick<RecordApi, 'stageFiles' | 'discardStaged' | 'putRecord'>;

/**
 * Uploads that survive their connections: bytes go into the store, encrypted, as they come, through a pipe that stays open when
 * the sender is cut off and goes on when it comes back. A restart of the node forgets unfinished ones.
 */
export class Uploads implements Service {
  private readonly uploads = new Map<string, Work>();
  private readonly stopping = new AbortController();
  private sweeping: Timer | null = null;

  constructor(
    private readonly api: UploadsApi,
    private readonly clock: Clock,
    private readonly limits: UploadLimits = UPLOAD_LIMITS,
  ) {}

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.sweeping?.cancel();
    this.stopping.abort(failure('unavailable', 'stopping', 'the node is stopping'));
    const ended = [...this.uploads.values()].map(upload => {
      upload.pipe.fail(this.stopping.signal.reason);
      return upload.settled ?? upload.stored;
    });
    await Promise.allSettled(ended);
  }

  /** @throws RpcFailure `busy` when there are too many */
  open(input: UploadInput): Upload {
    this.sweep();
    if (this.uploads.size >= this.limits.uploadsMax && !this.forgetFinished()) {
      const hint = 'file_uploads shows them; end those that are not needed.';
      throw failure('busy', 'too_many_uploads', 'too many uploads are open', hint);
    }
    const pipe = new ChunkPipe();
    const upload: Work = {
      ...input,
      id: randomBytes(16).toString('hex'),
      ...{ offset: 0, stage: 'receiving', staged: null, receipt: null, copies: null, error: null },
      ...{ pipe, stored: this.store(input, pipe), settled: null, writing: false, isTaken: false },
      usedMs: this.clock.monotonicMs(),
    };
    upload.stored.catch(error => {
      fail(upload, error);
      // refused before a byte was read
      pipe.close();
    });
    this.uploads.set(upload.id, upload);
    this.completeWhenWhole(upload);
    return upload;
  }

  find(id: string): Upload | null {
    return this.uploads.get(id) ?? null;
  }

  /** An interrupted upload, or one that was stored and not named, that goes on with the same bytes. */
  again(phase: PhaseId, fingerprint: string): Upload | null {
    for (const upload of this.uploads.values()) {
      const open = upload.stage === 'receiving' || upload.stage === 'stored';
      const isFree = !upload.writing && !upload.isTaken;
      if (open && isFree && upload.phase === phase && upload.fingerprint === fingerprint) return upload;
    }
    return null;
  }

  /**
   * Keeps an upload for one call until it `leave`s it.
   * @throws RpcFailure `conflict` while another call has it
   */
  takeUp(id: string): void {
    const upload = this.workOf(id);
    refuseTaken(upload);
    upload.isTaken = true;
  }

  leave(id: string): void {
    const upload = this.uploads.get(id);
    if (upload === undefined) return;
    upload.isTaken = false;
    upload.usedMs = this.clock.monotonicMs();
  }

  list(): readonly Upload[] {
    this.sweep();
    return [...this.uploads.values()];
  }

  /** The length of an upload that began without. */
  declare(id: string, bytes: number): void {
    const upload = this.workOf(id);
    upload.bytes = bytes;
    this.completeWhenWhole(upload);
  }

  /**
   * Takes bytes from where the upload stands until the source ends or fails; what was taken stays.
   * @returns the bytes taken so far
   * @throws RpcFailure `conflict` while another sender is at it, `limit_exceeded` past the length; what storing failed with
   */
  async receive(id: string, source: AsyncIterable<Uint8Array>): Promise<number> {
    const upload = this.workOf(id);
    if (upload.writing) {
      throw failure('conflict', 'upload_in_use', 'another sender is writing to this upload');
    }
    upload.writing = true;
    try {
      for await (const chunk of source) {
        if (upload.bytes !== null && upload.offset + chunk.length > upload.bytes) {
          throw failure('limit_exceeded', 'too_long', `the upload has ${upload.bytes} bytes, more came`);
        }
        upload.offset += chunk.length;
        upload.usedMs = this.clock.monotonicMs();
        if (!(await upload.pipe.write(chunk))) await upload.stored;
      }
      this.completeWhenWhole(upload);
      return upload.offset;
    } finally {
      upload.writing = false;
    }
  }

  /** Resolves when a whole upload is stored, and recorded if it was to be. @throws why it failed */
  async settled(id: string): Promise<Upload> {
    const upload = this.workOf(id);
    await upload.settled;
    return upload;
  }

  /**
   * Forgets an upload; what a record does not name of it is dropped.
   * @throws RpcFailure `conflict` while a call has it
   */
  async remove(id: string): Promise<void> {
    const upload = this.uploads.get(id);
    if (upload === undefined) return;
    refuseTaken(upload);
    this.uploads.delete(id);
    upload.pipe.fail(failure('conflict', 'upload_ended', 'the upload was ended'));
    const staged = await upload.stored.catch(() => null);
    if (staged !== null && upload.stage === 'stored') await this.api.discardStaged(staged.id);
  }

  /** Forgets uploads that a record names, or may name: their files stay. */
  release(ids: readonly string[]): void {
    for (const id of ids) this.uploads.delete(id);
  }

  private workOf(id: string): Work {
    return assertDefined(this.uploads.get(id) ?? null, 'an upload in use is known');
  }

  private async store({ phase, bytes }: UploadInput, source: ChunkPipe): Promise<StagedFile> {
    const staged = await this.api.stageFiles(phase, [{ source, bytes }], this.stopping.signal);
    if (isReject(staged)) throw failureOfReject(staged);
    return staged[0]!;
  }

  private completeWhenWhole(upload: Work): void {
    if (upload.bytes !== upload.offset || upload.settled !== null) return;
    upload.pipe.end();
    upload.settled = this.complete(upload);
    upload.settled.catch(error => fail(upload, error));
  }

  private async complete(upload: Work): Promise<void> {
    upload.staged = await upload.stored;
    upload.stage = 'stored';
    upload.usedMs = this.clock.monotonicMs();
    const { phase, record, name, mediaType, staged } = upload;
    if (record === null) return;
    upload.stage = 'committing';
    try {
      const done = await this.api.putRecord(
        {
          ...{ phase, ...record, mediaType: 'text/plain', data: new Uint8Array(), references: [] },
          files: [{ name, mediaType, staged: staged.id }],
        },
        this.stopping.signal,
      );
      if (isReject(done)) throw failureOfReject(done);
      upload.receipt = done;
      upload.stage = 'committed';
    } catch (error) {
      await this.api.discardStaged(staged.id);
      throw error;
    }
  }

  /** Ends what nobody came back to. */
  private sweep(): void {
    const nowMs = this.clock.monotonicMs();
    for (const upload of this.uploads.values()) {
      const keptMs = isFinished(upload) ? this.limits.uploadOutcomeMs : this.limits.uploadIdleMs;
      const isFree = !upload.writing && !upload.isTaken;
      if (isFree && nowMs - upload.usedMs > keptMs) this.remove(upload.id).catch(() => undefined);
    }
    this.sweeping?.cancel();
    this.sweeping = null;
    if (this.uploads.size > 0 && !this.stopping.signal.aborted)
      this.sweeping = this.clock.setTimer(this.limits.uploadOutcomeMs, () => this.sweep());
  }

  private forgetFinished(): boolean {
    for (const upload of this.uploads.values()) {
      if (isFinished(upload)) return this.uploads.delete(upload.id);
    }
    return false;
  }
}

function isFinished({ stage }: Upload): boolean {
  return stage === 'committed' || stage === 'failed';
}

function refuseTaken({ isTaken }: Work): void {
  if (isTaken) throw failure('conflict', 'upload_in_use', 'another call writes a record with this upload');
}

function fail(upload: Upload, error: unknown): void {
  upload.stage = 'failed';
  upload.error = error;
}
