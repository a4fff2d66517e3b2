import type { PhaseId } from '../core/base/ids.ts';
import { isReject, type Reject } from '../core/base/reject.ts';
import type { ParticipantApi, RecordInput, RecordReceipt, StagedFile } from './api.ts';
import { failure, failureOfReject } from './errors.ts';
import { localFileBytes, readLocalFile } from './streams.ts';
import { takeLocalFile } from './take-file.ts';
import type { Upload } from './uploads.ts';

export interface GivenPath {
  readonly path: string;
  /** Null for the name that it has on the disk. */
  readonly name: string | null;
  readonly mediaType: string;
}

export interface GivenUpload {
  /** Id of an upload that is whole. */
  readonly upload: string;
  /** Null for what the upload said. */
  readonly name: string | null;
  readonly mediaType: string | null;
}

export type GivenFile = GivenPath | GivenUpload;

export type PutApi = Pick<ParticipantApi, 'stageFiles' | 'discardStaged' | 'putRecord' | 'uploads'>;

interface Ready {
  readonly name: string;
  readonly mediaType: string;
  readonly staged: string;
}

/** Files up to this size are stored together, with shared writes, and begin anew when they are interrupted. */
const SMALL_BYTES_MAX = 1024 * 1024;
/** Larger files that are read at the same time. */
const LARGE_IN_FLIGHT = 2;

const baseName = (path: string) => path.split('/').at(-1)!;

/** The files of one record, on their way from paths and uploads to what the record can name. */
class PutFiles {
  private readonly ready: (Ready | null)[];
  /** Staged by this call and in no upload. */
  private readonly small: string[] = [];
  /** Uploads that this call began or went on with. */
  private readonly large: string[] = [];
  /** Uploads that the caller named. */
  private readonly named = new Set<string>();

  constructor(
    private readonly api: PutApi,
    private readonly phase: PhaseId,
    private readonly files: readonly GivenFile[],
    private readonly signal: AbortSignal,
  ) {
    this.ready = files.map(() => null);
  }

  async put(record: Omit<RecordInput, 'files' | 'phase'>): Promise<RecordReceipt | Reject> {
    try {
      return await this.write(record);
    } finally {
      for (const id of [...this.large, ...this.named]) this.api.uploads.leave(id);
    }
  }

  private async write(record: Omit<RecordInput, 'files' | 'phase'>): Promise<RecordReceipt | Reject> {
    const { api, phase, signal } = this;
    try {
      await this.stageAll();
      signal.throwIfAborted();
    } catch (error) {
      await this.drop(signal.aborted);
      throw error;
    }
    const files = this.ready.filter(file => file !== null);
    let done: RecordReceipt | Reject;
    try {
      done = await api.putRecord({ ...record, phase, files, ...this.waiting(record) }, signal);
    } catch (error) {
      await this.drop(true);
      throw error;
    } finally {
      this.waited();
    }
    if (isReject(done)) {
      await this.drop(done.reject === 'too_few_copies');
      return done;
    }
    api.uploads.release([...this.large, ...this.named]);
    return done;
  }

  private get uploads(): readonly Upload[] {
    return [...this.large, ...this.named].flatMap(id => this.api.uploads.find(id) ?? []);
  }

  /** What did not find its copies in time can be gone on with. */
  private waited(): void {
    for (const upload of this.uploads) if (upload.stage === 'replicating') upload.stage = 'stored';
  }

  private waiting({ waitForCopies }: Pick<RecordInput, 'waitForCopies'>): Pick<RecordInput, 'waitForCopies'> {
    if (waitForCopies === undefined || waitForCopies === null) return {};
    const { uploads } = this;
    return {
      waitForCopies: {
        ...waitForCopies,
        onProgress: copies => {
          for (const upload of uploads) Object.assign(upload, { stage: 'replicating', copies });
        },
      },
    };
  }

  private async stageAll(): Promise<void> {
    const large: (() => Promise<void>)[] = [];
    const small: { readonly at: number; readonly file: GivenPath; readonly bytes: number }[] = [];
    for (const [at, file] of this.files.entries()) {
      if ('upload' in file) {
        large.push(() => this.takeUpload(at, file));
        continue;
      }
      const bytes = await localFileBytes(file.path);
      if (bytes <= SMALL_BYTES_MAX) small.push({ at, file, bytes });
      else large.push(() => this.stageLarge(at, file));
    }
    const lanes = Array.from({ length: LARGE_IN_FLIGHT }, async () => {
      for (let next = large.shift(); next !== undefined; next = large.shift()) await next();
    });
    const ended = await Promise.allSettled([this.stageSmall(small), ...lanes]);
    for (const end of ended) if (end.status === 'rejected') throw end.reason;
  }

  private async stageSmall(small: readonly { at: number; file: GivenPath; bytes: number }[]): Promise<void> {
    if (small.length === 0) return;
    const inputs = small.map(({ file, bytes }) => ({ source: readLocalFile(file.path), bytes }));
    const staged = await this.api.stageFiles(this.phase, inputs, this.signal);
    if (isReject(staged)) throw failureOfReject(staged);
    for (const [index, { at, file }] of small.entries()) {
      this.small.push(staged[index]!.id);
      this.become(at, file, baseName(file.path), staged[index]!);
    }
  }

  /** Goes on where an interrupted call with the same file ended. */
  private async stageLarge(at: number, given: GivenPath): Promise<void> {
    const { api, phase, signal } = this;
    signal.throwIfAborted();
    const upload = await takeLocalFile(api.uploads, { ...given, phase }, signal);
    this.large.push(upload.id);
    signal.throwIfAborted();
    if (upload.staged !== null) this.become(at, given, upload.name, upload.staged);
  }

  private async takeUpload(at: number, given: GivenUpload): Promise<void> {
    const upload = this.api.uploads.find(given.upload);
    if (upload === null || upload.phase !== this.phase || upload.record !== null)
      throw failure('not_found', 'unknown_upload', `there is no upload ${given.upload} for this phase`);
    if (upload.bytes === null || upload.offset < upload.bytes) {
      const detail = `upload ${upload.id} has ${upload.offset} of ${upload.bytes ?? 'unknown'} bytes`;
      throw failure('conflict', 'upload_not_whole', detail, 'Send the rest first.');
    }
    if (!this.named.has(upload.id)) this.api.uploads.takeUp(upload.id);
    this.named.add(upload.id);
    const { staged } = await this.api.uploads.settled(upload.id);
    const named = { name: given.name, mediaType: given.mediaType ?? upload.mediaType };
    if (staged !== null) this.become(at, named, upload.name, staged);
  }

  private become(
    at: number,
    { name, mediaType }: Pick<GivenPath, 'name' | 'mediaType'>,
    otherwise: string,
    { id }: StagedFile,
  ): void {
    this.ready[at] = { name: name ?? otherwise, mediaType, staged: id };
  }

  /** @param keep what can be gone on with */
  private async drop(keep: boolean): Promise<void> {
    for (const id of this.small) await this.api.discardStaged(id);
    if (keep) return;
    for (const id of this.large) {
      this.api.uploads.leave(id);
      await this.api.uploads.remove(id);
    }
  }
}

/**
 * Writes a record with files. A caller that goes away in the middle leaves the larger files where they are: the same call again
 * goes on with them. Any other failure leaves nothing of what this call brought.
 *
 * @throws RpcFailure for files that cannot be read or are not there; OperatingError of the disk and the network
 */
export function putRecordWithFiles(
  api: PutApi,
  record: Omit<RecordInput, 'files'>,
  files: readonly GivenFile[],
  signal: AbortSignal,
): Promise<RecordReceipt | Reject> {
  return new PutFiles(api, record.phase, files, signal).put(record);
}
