import { DataStore, Upload as TusUpload } from '@tus/server';
import { z } from 'zod';
import type { PhaseId } from '../core/base/ids.ts';
import { failure } from './errors.ts';
import { recordTextSchemas } from './methods/record/present.ts';
import { parseParams } from './params.ts';
import { phaseNameSchema } from './schemas.ts';
import type { Upload, Uploads } from './uploads.ts';

/** What `Upload-Metadata` may say; other keys of other programs are passed over. */
const metadataSchema = z.object({
  phase: phaseNameSchema,
  filename: recordTextSchemas.fileName,
  filetype: recordTextSchemas.mediaType.catch('application/octet-stream'),
  recordType: recordTextSchemas.type.default('file'),
  title: recordTextSchemas.title.default(''),
  /** `now`: a record of its own as soon as it is whole; `later`: `record_put` names the upload. */
  record: z.enum(['now', 'later']).default('now'),
  fingerprint: z.string().max(8_192).nullable().default(null),
});

/** The book of uploads as @tus/server wants a store. The ids in URLs are the book's. */
export class TusStore extends DataStore {
  override readonly extensions = ['creation', 'creation-with-upload', 'creation-defer-length', 'termination'];

  /** As the client gave it: the protocol has it answered like that. */
  private readonly metadata = new WeakMap<Upload, TusUpload['metadata']>();

  constructor(
    private readonly uploads: Uploads,
    private readonly phaseOf: (name: string) => Promise<PhaseId>,
  ) {
    super();
  }

  override async create(file: TusUpload): Promise<TusUpload> {
    const given = parseParams(metadataSchema, file.metadata ?? {});
    const { filename: name, filetype: mediaType, recordType: type, title, fingerprint } = given;
    const record = given.record === 'now' ? { type, title } : null;
    const phase = await this.phaseOf(given.phase);
    const bytes = file.size ?? null;
    const upload = this.uploads.open({ phase, name, mediaType, bytes, fingerprint, record });
    this.metadata.set(upload, file.metadata);
    file.id = upload.id;
    return file;
  }

  override async getUpload(id: string): Promise<TusUpload> {
    const upload = this.known(id);
    if (upload.stage === 'failed') throw upload.error;
    const metadata = this.metadata.get(upload) ?? {};
    const size = upload.bytes === null ? {} : { size: upload.bytes };
    return new TusUpload({ id, offset: upload.offset, ...size, metadata });
  }

  override async write(stream: AsyncIterable<Uint8Array>, id: string): Promise<number> {
    return this.uploads.receive(this.known(id).id, stream);
  }

  override async declareUploadLength(id: string, bytes: number): Promise<void> {
    this.uploads.declare(this.known(id).id, bytes);
  }

  override async remove(id: string): Promise<void> {
    await this.uploads.remove(this.known(id).id);
  }

  private known(id: string): Upload {
    const upload = this.uploads.find(id);
    if (upload === null) {
      const hint = 'Begin a new one: a restart of the node forgets unfinished uploads.';
      throw failure('not_found', 'unknown_upload', `there is no upload ${id.slice(0, 64)}`, hint);
    }
    return upload;
  }
}
