import { createHash } from 'node:crypto';
import type { Hash } from '../../core/base/ids.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { Clock } from '../../ports/clock.ts';
import type { FileCipher } from '../../ports/file-cipher.ts';
import type { ByteRange, FileDag } from '../../ports/file-dag.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { GarbageReport, PutOptions } from './api.ts';
import { BlockBuffer } from './block-buffer.ts';
import type { FileIndex, WholeFile } from './file-index.ts';
import type { Reservation, Usage } from './usage.ts';

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
  /** The true length; the ciphertext is longer than it needs. */
  readonly plaintextBytes: number;
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
  readonly usage: Usage;
  readonly clock: Clock;
  /** Largest file, in bytes. */
  readonly fileBytesMax: number;
}

function tooLarge(bytesMax: number): OperatingError {
  const hint = 'Cut it into several files.';
  return new OperatingError('file_too_large', `the file has more than ${bytesMax} bytes`, hint);
}

/** The files of this node's own store: put, get, verify, drop. */
export class LocalFiles {
  /** Puts and drops that are under way: blocks may be without a file meanwhile. */
  private works = 0;
  /** From a crash until the search for what it left. */
  private mayHaveStrays = true;

  constructor(private readonly config: LocalFilesConfig) {}

  /**
   * Encrypts and stores files, each under a fresh key, in constant memory: all of them or none, durable when it resolves,
   * invisible before. Throws OperatingError `file_too_large`, `quota_exceeded` or `disk_full`.
   */
  async put(
    plaintexts: readonly AsyncIterable<Uint8Array>[],
    options: PutOptions = {},
  ): Promise<readonly PutResult[]> {
    const { blobs, index, usage } = this.config;
    const charge = options.phase ?? null;
    const reservation = await usage.reserve(charge, options.bytes ?? null);
    const buffer = new BlockBuffer(blobs);
    const stored: string[] = [];
    this.works += 1;
    try {
      await index.markUnclean();
      const results: PutResult[] = [];
      const files: WholeFile[] = [];
      const progress = { bytes: 0 };
      for (const plaintext of plaintexts) {
        const from = stored.length;
        const source = this.counted(plaintext, options, reservation, progress);
        const result = await this.encrypt(source, buffer, stored);
        results.push(result);
        const { cid: root, keyCommitment, ciphertextBytes } = result;
        const known = { phase: null, keyCommitment, ciphertextBytes, sinceMs: this.config.clock.nowMs() };
        files.push({ root, record: { ...known, charge }, cids: new Set(stored.slice(from)) });
      }
      await buffer.flush();
      await index.addWhole(files);
      for (const { record } of files) usage.add(record);
      return results;
    } catch (error) {
      await buffer.settle();
      for (const cid of stored) if (!(await index.isOwned(cid))) await blobs.delete(cid);
      throw error;
    } finally {
      reservation.close();
      this.works -= 1;
    }
  }

  private async *counted(
    plaintext: AsyncIterable<Uint8Array>,
    { onProgress, signal }: PutOptions,
    reservation: Reservation,
    progress: { bytes: number },
  ): AsyncIterable<Uint8Array> {
    const { fileBytesMax } = this.config;
    let bytes = 0;
    for await (const chunk of plaintext) {
      signal?.throwIfAborted();
      bytes += chunk.length;
      if (bytes > fileBytesMax) throw tooLarge(fileBytesMax);
      await reservation.grow(chunk.length);
      yield chunk;
      progress.bytes += chunk.length;
      onProgress?.(progress.bytes);
    }
  }

  private async encrypt(
    source: AsyncIterable<Uint8Array>,
    buffer: BlockBuffer,
    stored: string[],
  ): Promise<PutResult> {
    const { cipher, dag } = this.config;
    const key = cipher.generateKey();
    const hash = createHash('sha256');
    let plaintextBytes = 0;
    const hashed = async function* () {
      for await (const chunk of source) {
        hash.update(chunk);
        plaintextBytes += chunk.length;
        yield chunk;
      }
    };
    const imported = await dag.importFile(cipher.encrypt(key, hashed()), async (cid, bytes) => {
      stored.push(cid);
      await buffer.put(cid, bytes);
    });
    return {
      cid: imported.cid,
      key,
      keyCommitment: cipher.keyCommitment(key),
      ciphertextBytes: imported.bytes,
      plaintextBytes,
      plaintextHash: hash.digest('hex') as Hash,
    };
  }

  /**
   * Plaintext while it is read: each chunk is authentic, but only the end says that the file is whole. Throws OperatingError
   * `key_mismatch`, `block_missing`, `file_malformed` or `file_corrupt`.
   * @param range of the plaintext; it ends with the file. Only the segments that it touches are read
   * @param read the ciphertext or a range of it; this node's own copy when it is not given
   */
  async *get(
    subject: FileSubject,
    range: ByteRange | null = null,
    read: (range: ByteRange | null) => AsyncIterable<Uint8Array> = asked =>
      this.config.dag.exportFile(subject.cid, asked ?? undefined),
  ): AsyncIterable<Uint8Array> {
    const { cipher } = this.config;
    if (cipher.keyCommitment(subject.key) !== subject.keyCommitment) {
      throw new OperatingError(
        'key_mismatch',
        `the key of file ${subject.cid} is not the one that its record commits to`,
      );
    }
    if (range !== null) {
      const { key, ciphertextBytes, plaintextBytes } = subject;
      yield* cipher.decryptRange({ key, ciphertextBytes, plaintextBytes }, range, read);
      return;
    }
    const ciphertext = ofLength(read(null), subject);
    yield* cipher.decrypt(subject.key, subject.plaintextBytes, ciphertext);
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
    const { blobs, index, usage } = this.config;
    const record = index.root(root);
    this.works += 1;
    try {
      await index.markUnclean();
      for await (const cid of index.remove(root)) await blobs.delete(cid);
      if (record !== null) usage.remove(record);
    } finally {
      this.works -= 1;
    }
  }

  /** At a stop with no file under way: the next start need not look for strays. */
  async close(): Promise<void> {
    if (this.works === 0 && !this.mayHaveStrays) await this.config.index.clearUnclean();
  }

  /** Drops files that came before `beforeMs` and that nobody needs. @param isKept true for roots that a record names, or is to */
  async dropUnreferenced(
    beforeMs: number,
    isKept: (root: string) => boolean,
  ): Promise<Omit<GarbageReport, 'strayBlocks'>> {
    const { index } = this.config;
    const unreferenced: { readonly root: string; readonly bytes: number }[] = [];
    for await (const [root, { sinceMs, ciphertextBytes: bytes }] of index.roots()) {
      if (sinceMs < beforeMs && !isKept(root)) unreferenced.push({ root, bytes });
    }
    const dropped = { files: 0, bytes: 0 };
    for (const { root, bytes } of unreferenced) {
      // again: somebody may have come to need it while others were dropped
      if (isKept(root) || index.isPinned(root)) continue;
      await this.drop(root);
      dropped.files += 1;
      dropped.bytes += bytes;
    }
    return dropped;
  }

  /**
   * Deletes blocks that no file has: what an interrupted put or drop left. Nothing is done while something is put or dropped,
   * when its blocks cannot be told from strays, or when no crash can have left any.
   */
  async dropStrays(): Promise<number> {
    const { blobs, index } = this.config;
    if (!index.wasUnclean()) this.mayHaveStrays = false;
    if (this.works > 0 || !index.wasUnclean()) return 0;
    let strays = 0;
    for await (const cid of blobs.list()) {
      // a put that begins now marks its blocks' files only at its end
      if (this.works > 0) return strays;
      if (await index.isOwned(cid)) continue;
      await blobs.delete(cid);
      strays += 1;
    }
    this.mayHaveStrays = false;
    if (this.works === 0) await index.clearUnclean();
    return strays;
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
