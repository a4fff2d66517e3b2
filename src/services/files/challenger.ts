import { equalBytes } from '../../core/base/bytes.ts';
import type { MemberId, PhaseId, Sha256 } from '../../core/base/ids.ts';
import { Reader } from '../../core/codec/reader.ts';
import { Writer } from '../../core/codec/writer.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import type { KeyValueStore } from '../../ports/kv.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { Logger } from '../../ports/logger.ts';
import type { RandomBytes } from '../../ports/random.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import { entryOf } from './access.ts';
import type { HolderProof } from './api.ts';
import type { FileIndex } from './file-index.ts';
import type { FileEntry, FileLedger } from './ledger.ts';
import type { FilesLimits } from './limits.ts';
import { possessionDigest } from './possession.ts';
import type { Sources } from './sources.ts';

export interface ChallengerConfig {
  readonly blobs: BlobStore;
  readonly index: FileIndex;
  readonly kv: KeyValueStore;
  readonly ledger: FileLedger;
  readonly sources: Sources;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: RandomBytes;
  readonly sha256: Sha256;
  readonly limits: FilesLimits;
  readonly onDamage: (root: string) => void;
  /** What is known of a file's holders has changed. */
  readonly onChange: (root: string) => void;
}

const NONCE_BYTES = 32;
/** Files that are looked at for one that can be asked for. */
const PICKS_MAX = 16;
/** Proofs that are remembered; the oldest go first. */
const PROOFS_MAX = 65_536;
const PREFIX = 'files/proof';

interface Chosen {
  readonly entry: FileEntry;
  readonly member: MemberId;
  readonly peer: PeerId;
}

/**
 * Asks holders at random to prove that they have what they signed for. The challenger has the file itself and compares; a
 * receipt whose holder fails counts no more in the placement, so that another participant takes a copy.
 */
export class Challenger {
  /** By phase and root, then member; in the order of the last answer. */
  private readonly proofs = new Map<string, HolderProof & { readonly fileKey: string }>();
  private readonly byFile = new Map<string, Map<MemberId, HolderProof>>();
  private readonly abort = new AbortController();
  private timer: Timer | null = null;
  private work: Promise<unknown> = Promise.resolve();

  constructor(private readonly config: ChallengerConfig) {}

  async start(): Promise<void> {
    const forgotten: string[] = [];
    for await (const [key, value] of this.config.kv.entries({ from: `${PREFIX}/`, to: `${PREFIX}0` })) {
      const [phase, cid, member] = key.slice(PREFIX.length + 1).split('/') as [PhaseId, string, MemberId];
      // the record is gone, or the file was purged
      if (this.config.ledger.entries(phase, cid).length === 0) {
        forgotten.push(key);
        continue;
      }
      const reader = new Reader(value);
      const [provenMs, failedSinceMs] = [reader.u64(), reader.u64()];
      this.remember(`${phase}/${cid}`, {
        member,
        provenMs: provenMs === 0 ? null : provenMs,
        failedSinceMs: failedSinceMs === 0 ? null : failedSinceMs,
      });
    }
    await this.forget(forgotten);
    this.schedule();
  }

  async stop(): Promise<void> {
    this.abort.abort();
    this.timer?.cancel();
    this.timer = null;
    await this.work;
  }

  proofsOf(phase: PhaseId, cid: string): readonly HolderProof[] {
    const found = [...(this.byFile.get(`${phase}/${cid}`)?.values() ?? [])];
    return found.sort((a, b) => (b.provenMs ?? 0) - (a.provenMs ?? 0));
  }

  /** Members that did not show the file when they were asked last. */
  failing(phase: PhaseId, cid: string): readonly MemberId[] {
    const proofs = this.byFile.get(`${phase}/${cid}`);
    if (proofs === undefined) return [];
    return [...proofs.values()].filter(proof => proof.failedSinceMs !== null).map(({ member }) => member);
  }

  /** Asks every connected holder of a file that this node has whole. */
  async challengeHolders(phase: PhaseId, cid: string): Promise<void> {
    const { index, ledger } = this.config;
    const record = index.root(cid);
    const entry = record?.whole ? entryOf(ledger, phase, cid, record) : null;
    if (entry === null) return;
    for (const chosen of this.holdersOf(entry)) await this.challenge(chosen);
  }

  /** Asks one member for one file now; null when it cannot be asked. @returns true when it proved possession */
  async challenge({ entry, member, peer }: Chosen): Promise<boolean | null> {
    const { blobs, clock, random, sha256, sources, transport } = this.config;
    const cids = await this.sample(entry.cid);
    const blocks: Uint8Array[] = [];
    for (const cid of cids) {
      const bytes = await blobs.get(cid);
      if (bytes === null) {
        this.config.onDamage(entry.cid);
        return null;
      }
      blocks.push(bytes);
    }
    if (blocks.length === 0 || peer === transport.peerId) return null;
    const nonce = random(NONCE_BYTES);
    const address = { phase: entry.phase, root: entry.cid };
    const answer = await sources.proof(peer, address, cids, nonce, this.abort.signal);
    // a node that does not answer is not reached; whether it lost the file nobody knows
    if (answer === 'silent' || this.abort.signal.aborted) return null;
    const expected = possessionDigest(sha256, nonce, peer, blocks);
    const proven = answer !== 'refused' && answer !== null && equalBytes(answer, expected);
    await this.note(entry, member, proven, clock.nowMs());
    return proven;
  }

  private schedule(): void {
    const { clock, limits } = this.config;
    if (limits.challengeMs === 0 || this.abort.signal.aborted) return;
    this.timer = clock.setTimer(limits.challengeMs, () => {
      this.work = this.challengeOne().finally(() => this.schedule());
    });
  }

  private async challengeOne(): Promise<void> {
    const chosen = this.choose();
    if (chosen === null) return;
    try {
      await this.challenge(chosen);
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      this.config.logger.warn({ code: error.code, cid: chosen.entry.cid }, 'a challenge could not be made');
    }
  }

  /** A file that this node has whole, and a connected member that signed for it. */
  private choose(): Chosen | null {
    const { index, ledger } = this.config;
    const phases = ledger.phases().map(phase => ({ phase, files: ledger.files(phase, 0) }));
    const total = phases.reduce((sum, { files }) => sum + files.length, 0);
    for (let pick = 0; total > 0 && pick < PICKS_MAX; pick += 1) {
      let at = this.below(total);
      const { files } = phases.find(({ files: list }) => {
        if (at < list.length) return true;
        at -= list.length;
        return false;
      })!;
      const entry = files[at]!;
      const record = index.root(entry.cid);
      if (!record?.whole || entryOf(ledger, entry.phase, entry.cid, record) === null) continue;
      const holders = this.holdersOf(entry);
      if (holders.length > 0) return holders[this.below(holders.length)]!;
    }
    return null;
  }

  private holdersOf(entry: FileEntry): readonly Chosen[] {
    const { ledger, transport } = this.config;
    const connected = new Set(transport.peers().flatMap(info => (info.connected ? [info.peer] : [])));
    const current = ledger.phase(entry.phase)?.participants ?? [];
    return ledger
      .receipts(entry.phase, entry.cid)
      .filter(member => member !== ledger.member && current.includes(member))
      .flatMap(member => ledger.peersOf(member).map(peer => ({ entry, member, peer })))
      .filter(({ peer }) => connected.has(peer));
  }

  /** A few blocks of the file, each as likely as any other. */
  private async sample(root: string): Promise<readonly string[]> {
    const cids: string[] = [];
    for await (const cid of this.config.index.blocksOf(root)) cids.push(cid);
    const chosen: string[] = [];
    const count = Math.min(cids.length, this.config.limits.blocksPerChallenge);
    while (chosen.length < count) chosen.push(...cids.splice(this.below(cids.length), 1));
    return chosen;
  }

  /** Evenly random enough: 2^32 is far above every count here. */
  private below(count: number): number {
    return new DataView(this.config.random(4).slice().buffer).getUint32(0) % count;
  }

  private async note(entry: FileEntry, member: MemberId, proven: boolean, nowMs: number): Promise<void> {
    const { kv, logger, onChange } = this.config;
    const fileKey = `${entry.phase}/${entry.cid}`;
    const earlier = this.byFile.get(fileKey)?.get(member) ?? { provenMs: null, failedSinceMs: null };
    const provenMs = proven ? nowMs : earlier.provenMs;
    const failedSinceMs = proven ? null : (earlier.failedSinceMs ?? nowMs);
    const evicted = this.remember(fileKey, { member, provenMs, failedSinceMs });
    const value = new Writer()
      .u64(provenMs ?? 0)
      .u64(failedSinceMs ?? 0)
      .finish();
    await kv.batch([{ type: 'put', key: `${PREFIX}/${fileKey}/${member}`, value }], { sync: false });
    await this.forget(evicted === null ? [] : [`${PREFIX}/${evicted}`]);
    if ((earlier.failedSinceMs === null) === proven) return;
    const { phase, cid } = entry;
    if (proven) logger.info({ phase, cid, member }, 'a holder proves possession again');
    else logger.warn({ phase, cid, member }, 'a holder did not prove possession');
    onChange(cid);
  }

  private forget(keys: readonly string[]): Promise<void> {
    return this.config.kv.batch(
      keys.map(key => ({ type: 'delete', key })),
      { sync: false },
    );
  }

  /** @returns what is not remembered any more for it */
  private remember(fileKey: string, proof: HolderProof): string | null {
    const key = `${fileKey}/${proof.member}`;
    this.proofs.delete(key);
    this.proofs.set(key, { ...proof, fileKey });
    const ofFile = this.byFile.get(fileKey) ?? new Map<MemberId, HolderProof>();
    this.byFile.set(fileKey, ofFile);
    ofFile.set(proof.member, proof);
    if (this.proofs.size <= PROOFS_MAX) return null;
    const [oldest, { fileKey: oldFile, member }] = this.proofs.entries().next().value!;
    this.proofs.delete(oldest);
    this.byFile.get(oldFile)?.delete(member);
    if (this.byFile.get(oldFile)?.size === 0) this.byFile.delete(oldFile);
    return oldest;
  }
}
