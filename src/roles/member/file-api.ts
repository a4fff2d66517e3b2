import { type PhaseId, ZERO_HASH } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { fileCipher } from '../../crypto/file-cipher.ts';
import type { FileApi, FileStatus } from '../../rpc/api.ts';
import type { Possession } from '../../services/files/file-status.ts';
import type { FileEntry } from '../../services/files/ledger.ts';
import type { RecordFile } from '../../services/records/payload.ts';
import type { MemberNode } from './member-node.ts';
import { fileView } from './record-api.ts';

/** The key opens, and the record says of the file what the log says of the one that this node would fetch. */
function fits(file: RecordFile, { cid, keyCommitment, ciphertextBytes }: FileEntry): boolean {
  const same = file.keyCommitment === keyCommitment && file.ciphertextBytes === ciphertextBytes;
  return file.cid === cid && same && fileCipher.keyCommitment(file.key) === keyCommitment;
}

/** The file as the newest readable record of the phase names it, with its content key. A record with another key hides none. */
async function findFile(node: MemberNode, phase: PhaseId, cid: string): Promise<RecordFile | Reject> {
  if ((await node.records.catchUp(phase)) === null) {
    return reject('unknown_phase', `there is no phase ${phase.slice(0, 12)} here`, 'ignore');
  }
  const entry = node.files.status(phase, cid)?.entry;
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

export function createFileApi(node: MemberNode): FileApi {
  const { files } = node;
  return {
    readFile: async (phase, cid, range) => {
      const found = await findFile(node, phase, cid);
      if (isReject(found)) return found;
      const fault = await files.fetchFile(phase, cid);
      if (fault !== null) return reject('no_holder', `file ${cid}: ${fault.reason}`, 'ignore');
      const bytes = range === null ? null : { offset: range.offset, length: range.bytes };
      return { file: fileView(found), stream: files.getFile(found, bytes) };
    },
    fileStatus: (phase, cid) => statuses(node, phase, cid),
    verifyFile: async (phase, cid) => {
      const found = await findFile(node, phase, cid);
      if (isReject(found)) return found;
      const { sound, blocks, bad } = await files.verifyFile(cid);
      const detail = sound ? `${blocks} blocks` : `missing or damaged: ${bad.join(', ')}`;
      return [{ name: 'blocks match their CIDs', ok: sound, detail }];
    },
    repairFile: async (phase, cid) => {
      const fault = await files.fetchFile(phase, cid);
      return { whole: fault === null, reason: fault?.reason ?? null };
    },
  };
}
