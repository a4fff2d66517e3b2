import { type PhaseId, ZERO_HASH } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { fileCipher } from '../../crypto/file-cipher.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { FileApi, FileStatus } from '../../rpc/api.ts';
import type { Possession } from '../../services/files/file-status.ts';
import type { FileEntry } from '../../services/files/ledger.ts';
import type { RecordFile } from '../../services/records/payload.ts';
import { systemClock } from '../../system/clock.ts';
import type { RoleInput } from '../node-role.ts';
import { dueFiles } from './due-files.ts';
import type { MemberNode } from './member-node.ts';
import { purgeCertifier } from './purge-certificate.ts';
import { fileView } from './record-api.ts';

/** The key opens, and the record says of the file what the log says of the one that this node would fetch. */
function fits(file: RecordFile, { cid, keyCommitment, ciphertextBytes }: FileEntry): boolean {
  const same = file.keyCommitment === keyCommitment && file.ciphertextBytes === ciphertextBytes;
  return file.cid === cid && same && fileCipher.keyCommitment(file.key) === keyCommitment;
}

function purged(cid: string): Reject {
  return reject('purged', `file ${cid} was purged from the phase`, 'ignore');
}

/** The file as the newest readable record of the phase names it, with its content key. A record with another key hides none. */
async function findFile(node: MemberNode, phase: PhaseId, cid: string): Promise<RecordFile | Reject> {
  if ((await node.records.catchUp(phase)) === null) {
    return reject('unknown_phase', `there is no phase ${phase.slice(0, 12)} here`, 'ignore');
  }
  const entry = node.files.status(phase, cid)?.entry;
  if (node.files.purgeStatus(phase, cid) !== null) return purged(cid);
  const unknown = reject('unknown_file', `no record of the phase names the file ${cid}`, 'ignore');
  if (entry === undefined) return unknown;
  let hidden: string | null = null;
  for (const { position } of node.phaseFiles.entries(phase, cid).toReversed()) {
    const page = await node.records.listRecords(phase, position, 1);
    if (isReject(page)) return page;
    for (const { content, unreadable } of page.records) {
      const found = content?.files.find(file => fits(file, entry));
      if (found !== undefined) return found;
      hidden ??= unreadable;
    }
  }
  return hidden === null ? unknown : reject('key_missing', `file ${cid}: ${hidden}`, 'ignore');
}

async function status(
  node: MemberNode,
  phase: PhaseId,
  cid: string,
  possessions: readonly Possession[],
): Promise<FileStatus | Reject> {
  const found = node.files.status(phase, cid);
  if (node.files.purgeStatus(phase, cid) !== null) return purged(cid);
  if (found === null) return reject('unknown_file', `no record of the phase names the file ${cid}`, 'ignore');
  const file = await findFile(node, phase, cid);
  const { entry } = found;
  const hidden = {
    ...{ cid, name: '', mediaType: '', bytes: 0, sha256: ZERO_HASH },
    ciphertextBytes: entry.ciphertextBytes,
    keyCommitment: entry.keyCommitment,
  };
  const heights = node.phaseFiles.holders(phase, cid);
  const whole = new Set(possessions.flatMap(({ member, extent }) => (extent === 'whole' ? [member] : [])));
  if (found.local === 'whole') whole.add(node.member);
  return {
    file: isReject(file) ? hidden : fileView(file),
    record: entry.record,
    position: entry.position,
    holders: found.holders.map(member => ({
      member,
      height: heights.get(member) ?? 0,
      reachable: whole.has(member),
    })),
    copiesTarget: found.wanted,
    copiesMinimum: found.minimum,
    local: found.local,
    missing: found.missing,
    reason: found.fetch?.reason ?? null,
    pinned: found.pinned,
    proofs: found.proofs,
  };
}

async function statuses(
  node: MemberNode,
  phase: PhaseId,
  cid: string | null,
): Promise<readonly FileStatus[] | Reject> {
  if ((await node.records.catchUp(phase)) === null) {
    return reject('unknown_phase', `there is no phase ${phase.slice(0, 12)} here`, 'ignore');
  }
  const cids = cid === null ? [...new Set(node.phaseFiles.files(phase, 0).map(entry => entry.cid))] : [cid];
  const survey = await node.files.survey(phase, cids);
  const all: FileStatus[] = [];
  for (const one of cids) {
    const answer = await status(node, phase, one, survey.get(one) ?? []);
    if (isReject(answer)) return answer;
    all.push(answer);
  }
  return all;
}

/**
 * A stream whose first bytes are there: what keeps a read from beginning at all is an answer and no broken stream.
 * @throws what is wrong with the copy or the machine
 */
async function begun(source: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array> | Reject> {
  const iterator = source[Symbol.asyncIterator]();
  let first: IteratorResult<Uint8Array>;
  try {
    first = await iterator.next();
  } catch (error) {
    if (error instanceof OperatingError && error.code === 'no_holder')
      return reject('no_holder', error.message, 'ignore');
    throw error;
  }
  return (async function* () {
    try {
      for (let next = first; next.done !== true; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  })();
}

export function createFileApi(node: MemberNode, input: RoleInput): FileApi {
  const { files } = node;
  return {
    purgeCertificate: purgeCertifier(node, input),
    readFile: async (phase, cid, range, signal) => {
      const found = await findFile(node, phase, cid);
      if (isReject(found)) return found;
      const bytes = range === null ? null : { offset: range.offset, length: range.bytes };
      const stream = await begun(files.readFile(phase, found, bytes, signal));
      return isReject(stream) ? stream : { file: fileView(found), stream };
    },
    fileStatus: (phase, cid) => statuses(node, phase, cid),
    verifyFile: async (phase, cid) => {
      const found = await findFile(node, phase, cid);
      if (isReject(found)) return found;
      const { sound, blocks, bad } = await files.verifyFile(cid);
      const detail = sound ? `${blocks} blocks` : `missing or damaged: ${bad.join(', ')}`;
      return [{ name: 'blocks match their CIDs', ok: sound, detail }];
    },
    fileReferences: async (phase, cid) => {
      const found = node.phaseFiles.entries(phase, cid);
      if (found.length === 0) {
        const file = await findFile(node, phase, cid);
        if (isReject(file)) return file;
      }
      const phases = [phase, ...node.phaseFiles.phasesOf(cid).filter(other => other !== phase)];
      return phases
        .flatMap(one => node.phaseFiles.entries(one, cid))
        .map(({ phase: at, record, position }) => ({ phase: at, record, position }));
    },
    filesDue: phase => dueFiles(node, phase, systemClock.nowMs()),
    fileCare: files,
    repairFile: async (phase, cid) => {
      const fault = await files.fetchFile(phase, cid);
      return { whole: fault === null, reason: fault?.reason ?? null };
    },
  };
}
