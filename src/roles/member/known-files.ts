import type { Hash, PhaseId, TransactionId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import type { RecordFile } from '../../services/records/payload.ts';
import type { MemberNode } from './member-node.ts';

export type KnownFilesNode = Pick<MemberNode, 'records' | 'files'>;

const PAGE_RECORDS = 500;
/** Records that are tried for one content: each may cost the reading of a whole file. */
const CANDIDATES_MAX = 4;

interface PhaseHashes {
  /** Position from which on the log was not read yet. */
  next: number;
  /** Records that claim a file of this plaintext hash. */
  readonly records: Map<Hash, TransactionId[]>;
  filling: Promise<void>;
}

/**
 * Finds a file that is in a phase already. What records say of a plaintext is their authors' claim and only says where to look:
 * a file is taken for known after this node's own copy was opened and read to the end.
 */
export class KnownFiles {
  private readonly phases = new Map<PhaseId, PhaseHashes>();

  constructor(private readonly node: KnownFilesNode) {}

  /** Reads what is new in the phase; before `find`, once for many files. */
  async refresh(phase: PhaseId): Promise<void> {
    const known = this.hashesOf(phase);
    known.filling = known.filling.catch(() => undefined).then(() => this.fill(phase, known));
    await known.filling;
  }

  /**
   * Of what the last `refresh` read.
   * @param content of a file that was read by this node
   * @returns the file of a record of the phase whose whole copy here has this content, or null; how many copies there are is
   *   asked of it as of a new file
   */
  async find(
    phase: PhaseId,
    content: Pick<RecordFile, 'plaintextHash' | 'plaintextBytes'>,
  ): Promise<RecordFile | null> {
    const known = this.hashesOf(phase);
    for (const id of known.records.get(content.plaintextHash) ?? []) {
      const view = await this.node.records.getRecord(phase, id);
      const files = isReject(view) ? [] : (view.content?.files ?? []);
      const file = files.find(one => one.plaintextHash === content.plaintextHash);
      if (file !== undefined && (await this.isHere(phase, file, content))) return file;
    }
    return null;
  }

  private async isHere(
    phase: PhaseId,
    file: RecordFile,
    content: Pick<RecordFile, 'plaintextHash' | 'plaintextBytes'>,
  ): Promise<boolean> {
    if (this.node.files.status(phase, file.cid)?.local !== 'whole') return false;
    return this.node.files.hasContent(file, content);
  }

  private hashesOf(phase: PhaseId): PhaseHashes {
    const known = this.phases.get(phase) ?? { next: 0, records: new Map(), filling: Promise.resolve() };
    this.phases.set(phase, known);
    return known;
  }

  /** Records that are new; those that did not open when they came are not tried again. */
  private async fill(phase: PhaseId, known: PhaseHashes): Promise<void> {
    for (;;) {
      const page = await this.node.records.listRecords(phase, known.next, PAGE_RECORDS);
      if (isReject(page)) return;
      for (const { id, content } of page.records) {
        for (const { plaintextHash } of content?.files ?? []) {
          const ids = known.records.get(plaintextHash) ?? [];
          if (ids.length < CANDIDATES_MAX && !ids.includes(id))
            known.records.set(plaintextHash, [...ids, id]);
        }
      }
      if (page.next <= known.next) return;
      known.next = page.next;
    }
  }
}
