import type { PhaseId, TransactionId } from '../../core/base/ids.ts';
import { isReject, type Reject } from '../../core/base/reject.ts';
import type {
  FileView,
  HandoverApi,
  RecordApi,
  RecordInput,
  RecordReceipt,
  RecordView as RpcRecordView,
} from '../../rpc/api.ts';
import type { NamedPhase } from '../../rpc/resolve.ts';
import type { RecordFile } from '../../services/records/payload.ts';
import type { RecordView } from '../../services/records/reading.ts';
import type { MemberNode } from './member-node.ts';

export function fileView(file: RecordFile): FileView {
  const { cid, name, mediaType, plaintextBytes: bytes, ciphertextBytes, keyCommitment } = file;
  return { cid, name, mediaType, bytes, ciphertextBytes, keyCommitment };
}

function recordView(view: RecordView): RpcRecordView {
  const { phase, id, position, height, timeMs, author, epoch, references, origin, content, verified } = view;
  return {
    ...{ phase, id, position, height, timeMs, author, epoch, references, verified },
    handedOverFrom:
      origin === null ? null : { phase: origin.phase, position: origin.position, by: origin.handedOverBy },
    content: content === null ? null : { ...content, files: content.files.map(fileView) },
    unreadable: view.unreadable,
  };
}

/** A file that is in the phase already keeps its copy and key: it is found among the records that open here. */
async function knownFile(node: MemberNode, phase: PhaseId, hash: string): Promise<RecordFile | null> {
  for (let from = 0, size = 1; from < size; ) {
    const page = await node.records.listRecords(phase, from, 500);
    if (isReject(page)) return null;
    for (const { content } of page.records) {
      const found = content?.files.find(file => file.plaintextHash === hash);
      if (found !== undefined) return found;
    }
    if (page.next <= from) return null;
    from = page.next;
    size = page.size;
  }
  return null;
}

async function storeFiles(node: MemberNode, input: RecordInput, signal: AbortSignal): Promise<RecordFile[]> {
  const files: RecordFile[] = [];
  for (const { name, mediaType, source } of input.files) {
    signal.throwIfAborted();
    const put = await node.files.putFile(source);
    const known = await knownFile(node, input.phase, put.plaintextHash);
    if (known !== null && known.cid !== put.cid) await node.files.discardFile(put.cid);
    files.push({ ...(known ?? put), name, mediaType });
  }
  return files;
}

async function putRecord(
  node: MemberNode,
  input: RecordInput,
  signal: AbortSignal,
): Promise<RecordReceipt | Reject> {
  const state = node.light.phase(input.phase);
  const files = state === null ? [] : await storeFiles(node, input, signal);
  const { phase, type, title, mediaType, data, references } = input;
  const done = await node.records.putRecord({ phase, type, title, mediaType, data, files, references });
  if (isReject(done)) {
    for (const { cid } of files) {
      if (node.phaseFiles.phasesOf(cid).length === 0) await node.files.discardFile(cid);
    }
    return done;
  }
  const { id, height, timeMs, position } = done;
  return { id, height, timeMs, position: position ?? 0, files: files.map(fileView) };
}

export function createRecordApi(node: MemberNode): RecordApi {
  const { records, light } = node;
  return {
    putRecord: (input, signal) => putRecord(node, input, signal),
    records: async (phase, from, limit) => {
      const page = await records.listRecords(phase, from, limit);
      return isReject(page) ? page : { ...page, records: page.records.map(recordView) };
    },
    record: async (phase, key) => {
      const found = await records.getRecord(phase, key);
      return isReject(found) ? found : recordView(found);
    },
    verifyRecord: async (phase, key) => {
      const found = await records.getRecord(phase, key);
      if (isReject(found)) return found;
      const detail = `position ${found.position} of the phase's log, head ${light.head().height}`;
      return [{ name: 'inclusion under a certified header', ok: true, detail }, ...found.checks];
    },
    onRecords: listener => light.onEvents({ updated: () => listener() }),
  };
}

/** What follows a phase: the owner sees it in the project, everyone else among the phases it reads. */
function successors(node: MemberNode, source: PhaseId): readonly NamedPhase[] {
  const state = node.light.phase(source);
  if (state === null) return [];
  const project = node.light.project(state.project);
  const named = (id: PhaseId, label: string) => ({
    id,
    label,
    project: { id: state.project, label: project?.label ?? null },
  });
  if (project !== null) {
    return project.phases
      .filter(phase => phase.predecessors.includes(source))
      .map(phase => named(phase.id, phase.label));
  }
  return node.light
    .phases()
    .filter(phase => phase.project === state.project && phase.id !== source)
    .map(phase => named(phase.id, phase.label));
}

export function createHandoverApi(node: MemberNode): HandoverApi {
  return {
    successors: source => successors(node, source),
    handover: async ({ source, target, records }) => {
      const done = await node.records.handover({ source, target, records, targetEpoch: null });
      return isReject(done) ? done : { ...done, transactions: done.transactions.map(receipt) };
    },
  };
}

function receipt({ id, height, timeMs }: { id: TransactionId; height: number; timeMs: number }) {
  return { id, height, timeMs };
}
