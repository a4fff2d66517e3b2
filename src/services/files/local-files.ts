import { createHash } from 'node:crypto';
import type { Hash } from '../../core/base/ids.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { Clock } from '../../ports/clock.ts';
import type { FileCipher } from '../../ports/file-cipher.ts';
import type { ByteRange, FileDag } from '../../ports/file-dag.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { FileIndex } from './file-index.ts';

export interface PutResult {
  readonly cid: string;
  /** The content key, 32 bytes: seal it into the record, then forget it. */
  readonly key: Uint8Array;
  readonly keyCommitment: Hash;
  readonly ciphertextBytes: number;
  readonly plaintextBytes: number;
  /** SHA-256: finds the same file put twice in a phase, among its opened records only. */
  readonly plaintextHash: Hash;
}

/** What a signed record says of a file, and the key that its reader unwrapped. */
export interface FileSubject {
  readonly cid: string;
  readonly key: Uint8Array;
  readonly keyCommitment: Hash;
  readonly ciphertextBytes: number;
}

/** What a reader says of a file's plaintext. */
export type FileContent = Pick<PutResult, 'plaintextBytes' | 'plaintextHash'>;

export interface Verification {
  /** True when every block is here and hashes to its CID. */
  readonly sound: boolean;
  /** Blocks that were read and found sound. */
  readonly blocks: number;
  /** Blocks that are missing or damaged, the first of them; what is below a missing node is not known. */
  readonly bad: readonly string[];
}

/** What `get` throws when the copy, or what is said of it, is at fault and not the machine. */
const COPY_FAULTS: ReadonlySet<string> = new Set([
  'key_mismatch',
  'block_missing',
  'file_malformed',
  'file_corrupt',
]);
const BAD_BLOCKS_NAMED_MAX = 100;

export interface LocalFilesConfig {
  readonly blobs: BlobStore;
  readonly dag: FileDag;
  readonly index: FileIndex;
  readonly cipher: FileCipher;
  readonly clock: Clock;
  /** An import that no record came to name is dropped at a start after this time. */
  readonly unreferencedMs: number;
  /** Largest file, in bytes. */
  readonly fileBytesMax: number;
}

function tooLarge(bytesMax: number): OperatingError {
  const hint = 'Cut it into several files.';
  return new OperatingError('file_too_large', `the file has more than ${bytesMax} bytes`, hint);
}

/** The files of this node's own store: put, get, verify, drop. */
export class LocalFiles {
  private works = 0;

  constructor(private readonly config: LocalFilesConfig) {}

  /** Encrypts and stores a file under a fresh key, in constant memory; durable when it resolves, invisible before. */
  async put(plaintext: AsyncIterable<Uint8Array>): Promise<PutResult> {
    const { cipher, dag, index, clock, fileBytesMax } = this.config;
    const key = cipher.generateKey();
    const hash = createHash('sha256');
    let plaintextBytes = 0;
    const counted = async function* () {
      for await (const chunk of plaintext) {
        hash.update(chunk);
        plaintextBytes += chunk.length;
        if (plaintextBytes > fileBytesMax) throw tooLarge(fileBytesMax);
        yield chunk;
      }
    };
    this.works += 1;
    const finish = await index.beginUnclean(`${clock.nowMs()}-${this.works}`);
    const stored: string[] = [];
    let root: string | null = null;
    try {
      const imported = await dag.importFile(cipher.encrypt(key, counted()), async cid => {
        stored.push(cid);
      });
      root = imported.cid;
      const keyCommitment = cipher.keyCommitment(key);
      const ciphertextBytes = imported.bytes;
      const record = { phase: null, keyCommitment, ciphertextBytes, sinceMs: clock.nowMs() };
      await index.addWhole(dag, imported.cid, record);
      await finish();
      return {
        cid: imported.cid,
        key,
        keyCommitment,
        ciphertextBytes,
        plaintextBytes,
        plaintextHash: hash.digest('hex') as Hash,
      };
    } catch (error) {
      if (root !== null) await this.drop(root);
      for (const cid of stored) if (!(await index.isOwned(cid))) await this.config.blobs.delete(cid);
      await finish();
      throw error;
    }
  }

  /**
   * Plaintext while it is read: each chunk is authentic, but only the end says that the file is whole. Throws OperatingError
   * `key_mismatch`, `block_missing`, `file_malformed` or `file_corrupt`.
   * @param range of the plaintext; it ends with the file. Only the segments that it touches are read
   */
  async *get(subject: FileSubject, range: ByteRange | null = null): AsyncIterable<Uint8Array> {
    const { cipher, dag } = this.config;
    if (cipher.keyCommitment(subject.key) !== subject.keyCommitment) {
      throw new OperatingError(
        'key_mismatch',
        `the key of file ${subject.cid} is not the one that its record commits to`,
      );
    }
    if (range !== null) {
      const { cid, key, ciphertextBytes } = subject;
      yield* cipher.decryptRange(key, ciphertextBytes, range, asked => dag.exportFile(cid, asked));
      return;
    }
    const ciphertext = ofLength(dag.exportFile(subject.cid), subject);
    yield* cipher.decrypt(subject.key, ciphertext);
  }

  /** True when this node's copy opens to exactly this content; false for every fault of the copy or of what is said of it. */
  async hasContent(subject: FileSubject, { plaintextBytes, plaintextHash }: FileContent): Promise<boolean> {
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      for await (const chunk of this.get(subject)) {
        bytes += chunk.length;
        if (bytes > plaintextBytes) return false;
        hash.update(chunk);
      }
    } catch (error) {
      if (error instanceof OperatingError && COPY_FAULTS.has(error.code)) return false;
      throw error;
    }
    return bytes === plaintextBytes && hash.digest('hex') === plaintextHash;
  }

  /** Reads and hashes every block again. */
  async verify(root: string): Promise<Verification> {
    const { blobs, dag } = this.config;
    const bad: string[] = [];
    let blocks = 0;
    const seen = new Set([root]);
    const waiting = [root];
    for (let cid = waiting.pop(); cid !== undefined; cid = waiting.pop()) {
      const bytes = await blobs.get(cid);
      const node = bytes === null ? null : dag.parseBlock(cid, bytes);
      if (node === null) {
        if (bad.length < BAD_BLOCKS_NAMED_MAX) bad.push(cid);
        continue;
      }
      blocks += 1;
      const fresh = node.children.filter(child => !seen.has(child.cid));
      for (const child of fresh.reverse()) {
        seen.add(child.cid);
        waiting.push(child.cid);
      }
    }
    return { sound: bad.length === 0, blocks, bad };
  }

  /** Forgets a file and deletes the blocks that no other file has. */
  async drop(root: string): Promise<void> {
    const { blobs, clock, index } = this.config;
    this.works += 1;
    const finish = await index.beginUnclean(`${clock.nowMs()}-${this.works}`);
    for await (const cid of index.remove(root)) await blobs.delete(cid);
    await finish();
  }

  /**
   * Deletes what an interrupted put left, and imports that no record ever named. Only while nothing is put or fetched.
   * @param isReferenced true for roots that a record names
   */
  async collectGarbage(isReferenced: (root: string) => boolean): Promise<void> {
    const { blobs, index, clock, unreferencedMs } = this.config;
    const expired = clock.nowMs() - unreferencedMs;
    const unreferenced: string[] = [];
    for await (const [root, record] of index.roots()) {
      if (record.sinceMs < expired && !isReferenced(root)) unreferenced.push(root);
    }
    for (const root of unreferenced) await this.drop(root);
    const marks = await index.uncleanMarks();
    if (marks.length === 0) return;
    for await (const cid of blobs.list()) if (!(await index.isOwned(cid))) await blobs.delete(cid);
    for (const remove of marks) await remove();
  }
}

/** A tree may claim any size: reading ends with an error as soon as it differs from the signed one. */
async function* ofLength(source: AsyncIterable<Uint8Array>, subject: FileSubject): AsyncIterable<Uint8Array> {
  let received = 0;
  for await (const chunk of source) {
    received += chunk.length;
    if (received > subject.ciphertextBytes) break;
    yield chunk;
  }
  if (received !== subject.ciphertextBytes) {
    throw new OperatingError('file_corrupt', `file ${subject.cid} has not the length that its record says`);
  }
}
