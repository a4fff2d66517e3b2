import type { PhaseId } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
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
import { handoverResult } from '../../services/records/handover-targets.ts';
import type { RecordFile } from '../../services/records/payload.ts';
import type { LedgerAccess } from '../../services/records/ports.ts';
import type { RecordView } from '../../services/records/reading.ts';
import type { Committed } from '../../services/records/sender.ts';
import type { MemberNode } from './member-node.ts';
import { Staging } from './staging.ts';
import type { SigningRecords, Users } from './users.ts';

export interface RecordNode extends Pick<MemberNode, 'records' | 'files'> {
  readonly users: Pick<Users, 'signing' | 'nameOf'>;
  readonly light: Pick<LedgerAccess, 'phase' | 'head'> & Pick<LightClient, 'onEvents'>;
}

export function fileView(file: RecordFile): FileView {
  const { cid, name, mediaType, plaintextBytes: bytes, ciphertextBytes, keyCommitment } = file;
  return { cid, name, mediaType, bytes, sha256: file.plaintextHash, ciphertextBytes, keyCommitment };
}

/** The payload names its signer; where it does not open, this node may still know one of its own. */
function userView({ users }: Pick<RecordNode, 'users'>, { user }: RecordView): RpcRecordView['user'] {
  return user === null ? null : { id: user.id, name: user.name ?? users.nameOf(user.id) };
}

function recordView(node: RecordNode, view: RecordView): RpcRecordView {
  const { phase, id, position, height, timeMs, author, epoch, references, origin, content, verified } = view;
  return {
    ...{ phase, id, position, height, timeMs, author, epoch, references, verified },
    user: userView(node, view),
    handedOverFrom:
      origin === null ? null : { phase: origin.phase, position: origin.position, by: origin.handedOverBy },
    content: content === null ? null : { ...content, files: content.files.map(fileView) },
    unreadable: view.unreadable,
    typeFault: view.typeFault,
  };
}

/** What a record gave this node to write came to: its files, and which of them are new in the phase. */
interface GivenFiles {
  readonly files: readonly (RecordFile & { readonly reused: boolean })[];
  /** Of the staged files, in the same order. */
  readonly ids: readonly string[];
  /** Staged for this call alone: a refusal takes them along. */
  readonly own: readonly string[];
}

const FILE_GONE = reject('file_gone', 'a file of this record is not here any more', 'ignore');

/** Stores all files or none: one that breaks off takes the others along. */
async function stageAll(
  staging: Staging,
  input: RecordInput,
  signal: AbortSignal,
): Promise<GivenFiles | Reject> {
  const own: string[] = [];
  const ids: string[] = [];
  try {
    for (const file of input.files) {
      signal.throwIfAborted();
      if ('staged' in file) {
        ids.push(file.staged);
        continue;
      }
      const [staged] = await staging.stage(input.phase, [file], signal);
      own.push(staged!.id);
      ids.push(staged!.id);
    }
    signal.throwIfAborted();
  } catch (error) {
    await discardAll(staging, own);
    throw error;
  }
  const files = input.files.flatMap(({ name, mediaType }, index) => {
    const file = staging.file(ids[index]!);
    return file === null ? [] : [{ ...file, name, mediaType }];
  });
  if (files.length === ids.length) return { files, ids, own };
  await discardAll(staging, own);
  return FILE_GONE;
}

async function discardAll(staging: Staging, ids: readonly string[]): Promise<void> {
  for (const id of ids) await staging.discard(id);
}

/** Sends the record when its files have the copies that it waits for. */
async function sendRecord(
  staging: Staging,
  { files, ids }: GivenFiles,
  { input, signing }: { readonly input: RecordInput; readonly signing: SigningRecords },
  signal: AbortSignal,
): Promise<Committed | Reject> {
  const { phase, type, title, mediaType, data, references } = input;
  const wanted = input.waitForCopies ?? null;
  const missing = wanted === null ? null : await staging.replicate(phase, files, wanted, signal);
  if (missing !== null) return missing;
  // purged, or found damaged, while copies were waited for
  if (ids.some(id => staging.file(id) === null)) return FILE_GONE;
  const user = signing.user === null ? {} : { user: signing.user };
  try {
    return await signing.records.putRecord({
      ...{ phase, type, title, mediaType, data, files, references },
      ...user,
    });
  } catch (error) {
    staging.mayBeNamed(ids);
    throw error;
  }
}

async function putRecord(
  node: RecordNode,
  staging: Staging,
  input: RecordInput,
  signal: AbortSignal,
): Promise<RecordReceipt | Reject> {
  const refused = input.files.length === 0 ? null : await node.records.checkWriter(input.phase);
  if (refused !== null) return refused;
  const signing = await node.users.signing(input.asUser ?? null);
  if (isReject(signing)) return signing;
  const given = await stageAll(staging, input, signal);
  if (isReject(given)) return given;
  const { files, ids, own } = given;
  let done: Committed | Reject;
  try {
    done = await sendRecord(staging, given, { input, signing }, signal);
  } catch (error) {
    await discardAll(staging, own);
    throw error;
  }
  if (isReject(done)) {
    await discardAll(staging, own);
    return done;
  }
  for (const id of ids) staging.release(id);
  const { id, height, timeMs, position } = done;
  const shown = files.map(file => ({ ...fileView(file), reused: file.reused }));
  return { id, height, timeMs, position: position ?? 0, files: shown };
}

export function createRecordApi(node: RecordNode): RecordApi {
  const { records, light } = node;
  const staging = new Staging(node);
  return {
    // a file that no record may name is refused before its bytes are taken
    stageFiles: async (phase, files, signal) =>
      (await records.checkWriter(phase)) ?? staging.stage(phase, files, signal),
    discardStaged: id => staging.discard(id),
    putRecord: (input, signal) => putRecord(node, staging, input, signal),
    records: async (phase, from, limit) => {
      const page = await records.listRecords(phase, from, limit);
      return isReject(page) ? page : { ...page, records: page.records.map(view => recordView(node, view)) };
    },
    record: async (phase, key) => {
      const found = await records.getRecord(phase, key);
      return isReject(found) ? found : recordView(node, found);
    },
    lineage: id => node.records.lineage(id),
    verifyRecord: async (phase, key) => {
      const found = await records.getRecord(phase, key);
      if (isReject(found)) return found;
      return found.checks;
    },
    onRecords: listener => light.onEvents({ updated: () => listener() }),
  };
}

/** What follows a phase: the owner sees it in the project, everyone else among the phases it reads. */
async function successors({ light, records }: MemberNode, source: PhaseId): Promise<readonly NamedPhase[]> {
  const state = light.phase(source);
  if (state === null) return [];
  const project = { id: state.project, label: await records.projectLabel(state.project) };
  const own = light.project(state.project);
  const following =
    own === null
      ? light.phases().filter(phase => phase.project === state.project && phase.id !== source)
      : own.phases.filter(phase => phase.predecessors.includes(source));
  return Promise.all(
    following.map(async ({ id }) => ({ id, label: await records.phaseLabel(id, state.project), project })),
  );
}

export function createHandoverApi(node: MemberNode): HandoverApi {
  return {
    successors: source => successors(node, source),
    handover: async ({ targets, ...what }) => {
      const phases = targets.map(phase => ({ phase, epoch: null }));
      const done = await node.records.handOverToAll({ ...what, targets: phases });
      return isReject(done) ? done : done.map(handoverResult);
    },
  };
}
