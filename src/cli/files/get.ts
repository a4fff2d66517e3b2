import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, open, rm, stat } from 'node:fs/promises';
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

/** The length of what an interrupted call left, and its hash so far. */
async function leftBefore(part: string, hash: Hash): Promise<number> {
  const left = await stat(part).catch(() => null);
  if (left === null) return 0;
  for await (const chunk of createReadStream(part)) hash.update(chunk as Buffer);
  return left.size;
}

function notAsSaid(cid: string): CommandFailure {
  const detail = `the content of file ${cid} is not what its record says of it`;
  return new CommandFailure(
    EXIT.unhealthy,
    detail,
    'Its author wrote a wrong hash, or the part was changed here.',
  );
}

/** One file from a node into a new file here: it has its name when it is whole and checked, and another name before. */
class FileGet {
  private readonly part: string;
  private readonly hash = createHash('sha256');

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
    const { path, part, hash } = this;
    if (await exists(path)) {
      throw new CommandFailure(
        EXIT.error,
        `${path} exists already`,
        'Choose another name; nothing is replaced.',
      );
    }
    const left = await leftBefore(part, hash);
    const got = await this.open(left);
    const bytes = await this.write(got, left);
    const sha256 = hash.digest('hex');
    if (this.range === null && got.sha256 !== null && got.sha256 !== sha256) {
      await rm(part, { force: true });
      throw notAsSaid(this.file.cid);
    }
    await publishNewFile(part, path);
    return { path, bytes, sha256 };
  }

  /** From the last byte that is there, which is asked for again: so that there is always one to ask for. */
  private async open(left: number): Promise<GotFile> {
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

  private async write(got: GotFile, left: number): Promise<number> {
    const { progress } = this.environment;
    let skip = left > 0 ? 1 : 0;
    let bytes = left;
    const total = left - skip + got.bytes;
    const file = await open(this.part, 'a', 0o600).catch((error: NodeJS.ErrnoException) => {
      const hint = 'Give a path that can be written, in a directory that exists, with --out.';
      throw new CommandFailure(EXIT.error, `cannot write ${this.part} (${error.code})`, hint);
    });
    try {
      for await (const chunk of got.stream) {
        const fresh = chunk.subarray(skip);
        skip -= chunk.length - fresh.length;
        await file.writeFile(fresh);
        this.hash.update(fresh);
        bytes += fresh.length;
        progress.update({ stage: 'get', bytes, total });
      }
      await file.sync();
    } finally {
      await file.close();
    }
    return bytes;
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
    throw new CommandFailure(EXIT.error, 'stopped', 'The same command goes on where this one ended.');
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
