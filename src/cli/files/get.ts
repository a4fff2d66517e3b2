import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, rm } from 'node:fs/promises';
import type { Client } from '../../client/client.ts';
import type { GotFile } from '../../client/get.ts';
import { RpcError } from '../../client/rpc-error.ts';
import { publishNewFile, writeNewFile } from '../../rpc/streams.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import type { TransferProgress } from './progress.ts';

export interface GetEnvironment {
  readonly client: Client;
  readonly progress: Pick<TransferProgress, 'update' | 'end'>;
  readonly signal: AbortSignal;
}

export interface ByteSpan {
  /** First byte. */
  readonly from: number;
  /** Last byte, included; undefined for the last one of the file. */
  readonly to?: number;
}

export interface GetAnswer {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => null)) !== null;
}

const READ_BYTES = 256 * 1024;

/** Hashes what an interrupted call left. @returns how much it is; another call may be adding to it */
async function hashLeft(part: FileHandle, hash: Hash, signal: AbortSignal): Promise<number> {
  const room = Buffer.allocUnsafe(READ_BYTES);
  for (let bytes = 0; ; ) {
    signal.throwIfAborted();
    const { bytesRead } = await part.read(room, 0, room.length, bytes);
    if (bytesRead === 0) return bytes;
    hash.update(room.subarray(0, bytesRead));
    bytes += bytesRead;
  }
}

async function writeAt(part: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const step = await part.write(bytes, written, bytes.length - written, position + written);
    written += step.bytesWritten;
  }
}

/** What Ctrl-C ends with where the next call goes on. */
export function stopped(): CommandFailure {
  return new CommandFailure(EXIT.error, 'stopped', 'The same command goes on where this one ended.');
}

function taken(path: string): CommandFailure {
  return new CommandFailure(
    EXIT.error,
    `${path} exists already`,
    'Choose another name; nothing is replaced.',
  );
}

function notAsSaid(cid: string): CommandFailure {
  const detail = `the content of file ${cid} is not what its record says of it`;
  return new CommandFailure(
    EXIT.unhealthy,
    detail,
    'Its author wrote a wrong hash, or the part was changed here.',
  );
}

/**
 * One file from a node into a new file here: it has its name when it is whole and checked, and another name before. Calls at
 * the same time write the same bytes to the same places of one part; the first that is done gives it its name.
 */
class FileGet {
  private readonly part: string;
  private readonly hash = createHash('sha256');
  private opened: FileHandle | null = null;

  constructor(
    private readonly environment: GetEnvironment,
    private readonly file: { readonly phase: string; readonly cid: string },
    private readonly path: string,
    private readonly range: ByteSpan | null,
  ) {
    const span = range === null ? '' : `.${range.from}-${range.to ?? ''}`;
    this.part = `${path}.${file.cid.slice(-8)}${span}.part`;
  }

  async run(): Promise<GetAnswer> {
    try {
      return await this.getChecked();
    } finally {
      await this.opened?.close();
    }
  }

  private async getChecked(): Promise<GetAnswer> {
    const { path, part, hash } = this;
    if (await exists(path)) throw taken(path);
    if (await exists(part)) this.opened = await this.openPart();
    const left = this.opened === null ? 0 : await hashLeft(this.opened, hash, this.environment.signal);
    const got = await this.ask(left);
    this.opened ??= await this.openPart();
    const bytes = await this.write(this.opened, got, left);
    await this.assertOwn(this.opened, bytes);
    const sha256 = hash.digest('hex');
    if (this.range === null && got.sha256 !== null && got.sha256 !== sha256) {
      await rm(part, { force: true });
      throw notAsSaid(this.file.cid);
    }
    await publishNewFile(part, path).catch(async error => {
      throw (await exists(path)) ? taken(path) : error;
    });
    return { path, bytes, sha256 };
  }

  private openPart(): Promise<FileHandle> {
    // not to append: another call may write to it as well; and to nothing that somebody else has put there
    return open(this.part, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600).catch(
      (error: NodeJS.ErrnoException) => {
        const hint = 'Give a path that can be written, in a directory that exists, with --out.';
        throw new CommandFailure(EXIT.error, `cannot write ${this.part} (${error.code})`, hint);
      },
    );
  }

  /** From the last byte that is there, which is asked for again: so that there is always one to ask for. */
  private async ask(left: number): Promise<GotFile> {
    const { client, signal } = this.environment;
    const from = (this.range?.from ?? 0) + Math.max(0, left - 1);
    const to = this.range?.to;
    const asked = { ...this.file, from, ...(to === undefined ? {} : { to }) };
    try {
      return await client.get(asked, { signal });
    } catch (error) {
      if (left === 0 || !(error instanceof RpcError) || error.reason !== 'range_not_satisfiable') throw error;
      await rm(this.part, { force: true });
      throw new CommandFailure(
        EXIT.error,
        `${this.part} did not belong to this file`,
        'It is removed: try again.',
      );
    }
  }

  private async write(part: FileHandle, got: GotFile, left: number): Promise<number> {
    const { progress } = this.environment;
    let skip = left > 0 ? 1 : 0;
    let bytes = left;
    const total = left - skip + got.bytes;
    for await (const chunk of got.stream) {
      const fresh = chunk.subarray(skip);
      skip -= chunk.length - fresh.length;
      await writeAt(part, fresh, bytes);
      this.hash.update(fresh);
      bytes += fresh.length;
      progress.update({ stage: 'get', bytes, total });
    }
    await part.sync();
    return bytes;
  }

  /** @throws CommandFailure unless the part's name still stands for what was written here, and for nothing more */
  private async assertOwn(part: FileHandle, bytes: number): Promise<void> {
    const [own, named] = [await part.stat(), await lstat(this.part).catch(() => null)];
    if (own.size === bytes && named !== null && named.ino === own.ino && named.dev === own.dev) return;
    if (await exists(this.path)) throw taken(this.path);
    const detail = `${this.part} was changed while it was written`;
    throw new CommandFailure(EXIT.error, detail, 'Nothing has the name of the file: try again.');
  }
}

/** @throws CommandFailure when the name is taken or the content is not as its record says; what the node answers */
export async function getFile(
  environment: GetEnvironment,
  file: { readonly phase: string; readonly cid: string },
  path: string,
  range: ByteSpan | null,
): Promise<GetAnswer> {
  try {
    return await new FileGet(environment, file, path, range).run();
  } catch (error) {
    if (!environment.signal.aborted) throw error;
    throw stopped();
  } finally {
    environment.progress.end();
  }
}

/** Writes authentic bytes as they come. @throws when they end early or are not what the record says of them */
export async function getToStream(
  { client, signal }: GetEnvironment,
  file: { readonly phase: string; readonly cid: string },
  range: ByteSpan | null,
  write: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  const got = await client.get({ ...file, ...range }, { signal });
  const hash = createHash('sha256');
  for await (const chunk of got.stream) {
    hash.update(chunk);
    await write(chunk);
  }
  const whole = range === null && got.sha256 !== null;
  if (whole && hash.digest('hex') !== got.sha256) throw notAsSaid(file.cid);
}

/** A stream into a new file, whole under its name or not there. */
export async function publishFile(stream: AsyncIterable<Uint8Array>, path: string): Promise<GetAnswer> {
  return { path, ...(await writeNewFile(path, stream)) };
}
