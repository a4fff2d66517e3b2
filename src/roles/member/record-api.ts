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
import type { LightClient } from '../../services/light-client/light-client.ts';
import type { RecordFile } from '../../services/records/payload.ts';
import type { LedgerAccess } from '../../services/records/ports.ts';
import type { RecordView } from '../../services/records/reading.ts';
import { KnownFiles } from './known-files.ts';
import type { MemberNode } from './member-node.ts';

export interface RecordNode extends Pick<MemberNode, 'records' | 'files'> {
  readonly light: Pick<LedgerAccess, 'phase' | 'head'> & Pick<LightClient, 'onEvents'>;
}

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

interface StoredFiles {
  readonly files: readonly RecordFile[];
  /** CIDs of those that were not in the phase before. */
  readonly fresh: readonly string[];
}

async function discard(node: RecordNode, cids: readonly string[]): Promise<void> {
  for (const cid of cids) await node.files.discardFile(cid);
}

/** Stores all files or none: one that breaks off takes those before it along. */
async function storeFiles(
  node: RecordNode,
  known: KnownFiles,
  input: RecordInput,
  signal: AbortSignal,
): Promise<StoredFiles> {
  const files: RecordFile[] = [];
  const fresh: string[] = [];
  try {
    for (const { name, mediaType, source } of input.files) {
      signal.throwIfAborted();
      const put = await node.files.putFile(source);
      fresh.push(put.cid);
      const same = await known.find(input.phase, put);
      if (same !== null) await discard(node, fresh.splice(-1));
      files.push({ ...(same ?? put), name, mediaType });
    }
    signal.throwIfAborted();
    return { files, fresh };
  } catch (error) {
    await discard(node, fresh);
    throw error;
  }
}

async function putRecord(
  node: RecordNode,
  known: KnownFiles,
  input: RecordInput,
  signal: AbortSignal,
): Promise<RecordReceipt | Reject> {
  const state = node.light.phase(input.phase);
  const { files, fresh } =
    state === null ? { files: [], fresh: [] } : await storeFiles(node, known, input, signal);
  const { phase, type, title, mediaType, data, references } = input;
  // When this throws, the record may still be committed: files that no record comes to name are dropped at a later start.
  const done = await node.records.putRecord({ phase, type, title, mediaType, data, files, references });
  if (isReject(done)) {
    await discard(node, fresh);
    return done;
  }
  const { id, height, timeMs, position } = done;
  return { id, height, timeMs, position: position ?? 0, files: files.map(fileView) };
}

export function createRecordApi(node: RecordNode): RecordApi {
  const { records, light } = node;
  const known = new KnownFiles(node);
  return {
    putRecord: (input, signal) => putRecord(node, known, input, signal),
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
