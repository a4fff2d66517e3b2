import { lstat, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CommandFailure, describeFailure, EXIT } from '../failure.ts';
import { type GetAnswer, type GetEnvironment, getFile, stopped } from './get.ts';
import { sha256Of } from './hash.ts';
import type { ListedFile } from './list.ts';
import { distinctPaths } from './names.ts';

type WantedFile = Pick<ListedFile, 'cid' | 'name' | 'bytes' | 'sha256' | 'purged'>;

export interface GotDirectory {
  readonly files: readonly GetAnswer[];
  /** Names of those that nobody has any more. */
  readonly purged: readonly string[];
}

const FILES_IN_FLIGHT = 4;
const FAILURES_NAMED = 5;

/** An earlier call wrote it. */
async function isThere(path: string, { bytes, sha256 }: WantedFile, signal: AbortSignal): Promise<boolean> {
  const found = await lstat(path).catch(() => null);
  return found?.isFile() === true && found.size === bytes && (await sha256Of(path, signal)) === sha256;
}

/** One line of progress for all files. */
function shared(progress: GetEnvironment['progress'], total: number): () => GetEnvironment['progress'] {
  let all = 0;
  return () => {
    let own = 0;
    return {
      update: ({ stage, bytes }) => {
        all += bytes - own;
        own = bytes;
        progress.update({ stage, bytes: all, total });
      },
      end: () => {},
    };
  };
}

interface Failure {
  readonly exitCode: number;
  readonly text: string;
}

function summary(failures: readonly Failure[], wanted: number): CommandFailure {
  const named = failures.slice(0, FAILURES_NAMED).map(({ text }) => text);
  const more = failures.length > named.length ? [`and ${failures.length - named.length} more`] : [];
  const detail = `${failures.length} of ${wanted} files were not written: ${[...named, ...more].join('; ')}`;
  return new CommandFailure(failures[0]!.exitCode, detail, 'The same command writes those that are missing.');
}

/**
 * Several files into a directory, under names that are safe there. What an earlier call wrote stays as it is, and a file that
 * cannot be had keeps none of the others away.
 *
 * @throws CommandFailure that names what was not written, when all others are; at once after an interruption or without the node
 */
export async function getDirectory(
  environment: GetEnvironment,
  phase: string,
  files: readonly WantedFile[],
  directory: string,
): Promise<GotDirectory> {
  const paths = distinctPaths(files.map(({ name }) => name)).map(path => join(directory, path));
  const wanted = files.flatMap((file, at) => (file.purged ? [] : [{ ...file, path: paths[at]! }]));
  const line = shared(
    environment.progress,
    wanted.reduce((sum, { bytes }) => sum + bytes, 0),
  );
  const answers: GetAnswer[] = [];
  const failures: Failure[] = [];
  let next = 0;
  const one = async (file: (typeof wanted)[number]): Promise<GetAnswer> => {
    const { cid, path, bytes, sha256 } = file;
    const progress = line();
    environment.signal.throwIfAborted();
    if (!(await isThere(path, file, environment.signal))) {
      await mkdir(dirname(path), { recursive: true });
      return getFile({ ...environment, progress }, { phase, cid }, path, null);
    }
    progress.update({ stage: 'get', bytes, total: bytes });
    return { path, bytes, sha256 };
  };
  const lane = async () => {
    while (next < wanted.length) {
      const at = next;
      next += 1;
      try {
        answers[at] = await one(wanted[at]!);
      } catch (error) {
        const { exitCode, lines } = describeFailure(error);
        const { aborted } = environment.signal;
        const isLast = aborted || exitCode === EXIT.cannotConnect;
        if (isLast) next = wanted.length;
        if (isLast) throw aborted ? stopped() : error;
        failures.push({ exitCode, text: `${wanted[at]!.name}: ${lines[0]}` });
      }
    }
  };
  await Promise.all(Array.from({ length: FILES_IN_FLIGHT }, lane));
  if (failures.length > 0) throw summary(failures, wanted.length);
  return { files: answers, purged: files.flatMap(({ name, purged }) => (purged ? [name] : [])) };
}
