import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { evidenceFileName, formatEvidence } from '../../config/evidence-file.ts';
import type { DataPaths } from '../../config/node-config.ts';
import type { ForkEvidence } from '../../core/light/fork.ts';
import type { Service } from '../../ports/lifecycle.ts';
import type { Logger } from '../../ports/logger.ts';
import type { LightClient } from '../../services/light-client/light-client.ts';
import type { SourceView } from '../../services/light-client/sources.ts';
import { writePrivateFile } from '../data-directory.ts';

/** A source whose head is older than this, compared with the others, is named in the status. */
const BEHIND_MS = 10_000;

/** Writes evidence of a fork into the data directory when it is found, and at each start while it is there. */
export function keepsEvidence(
  light: LightClient,
  paths: DataPaths,
  { logger, fail }: { readonly logger: Logger; readonly fail: (error: unknown) => void },
): Service {
  const write = async (evidence: ForkEvidence): Promise<void> => {
    await mkdir(paths.evidence, { recursive: true, mode: 0o700 });
    const file = join(paths.evidence, evidenceFileName(evidence));
    await writePrivateFile(file, formatEvidence(evidence));
    logger.error({ file, height: evidence.first.header.height }, 'validators have certified two histories');
  };
  let leave = (): void => {};
  return {
    start: async () => {
      leave = light.onEvents({ forked: evidence => void write(evidence).catch(fail) });
      const known = light.fork();
      if (known !== null) await write(known);
    },
    stop: async () => leave(),
  };
}

/** Why a node with evidence is not ready; null without any. */
export function forkReason(light: LightClient, paths: DataPaths): string | null {
  const fork = light.fork();
  if (fork === null) return null;
  const file = join(paths.evidence, evidenceFileName(fork));
  return `validators have certified two histories at height ${fork.first.header.height}: nothing newer is believed; see ${file}`;
}

/** What is wrong with a source, in one short sentence; null when nothing is known against it. */
export function noteOn({ height, behindForMs, lies, lastLie }: SourceView): string | null {
  const notes: string[] = [];
  if (lastLie !== null) {
    const times = lies === 1 ? 'once' : `${lies} times`;
    notes.push(`served what does not verify ${times}, last ${lastLie.code}`);
  }
  if (behindForMs !== null && behindForMs >= BEHIND_MS) {
    notes.push(`shows height ${height ?? 0} for ${Math.floor(behindForMs / 1000)} s while others show more`);
  }
  return notes.length === 0 ? null : notes.join('; ');
}
