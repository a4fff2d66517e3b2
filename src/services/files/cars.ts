import type { PhaseId } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import type { Blob, BlobStore } from '../../ports/blob-store.ts';
import type { CarFormat } from '../../ports/car.ts';
import type { FileDag } from '../../ports/file-dag.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import { FILES_WIRE_LIMITS } from '../../wire/files.ts';
import type { CarImport } from './api.ts';
import { type ClaimsConfig, claim } from './claims.ts';
import type { FetchFault } from './file-fetch.ts';
import { type Imports, until } from './imports.ts';
import type { FileEntry } from './ledger.ts';

export interface CarsConfig extends ClaimsConfig {
  readonly blobs: BlobStore;
  readonly dag: FileDag;
  readonly car: CarFormat;
  readonly imports: Imports;
  readonly fetchNow: (entry: FileEntry) => Promise<FetchFault>;
}

async function* blocksOf({ blobs, dag }: CarsConfig, root: string): AsyncIterable<Blob> {
  for await (const cid of dag.listBlocks(root)) {
    const bytes = await blobs.get(cid);
    if (bytes === null) throw new OperatingError('block_missing', `block ${cid} is missing or damaged`);
    yield { cid, bytes };
  }
}

/** A CAR of the whole copy here; the blocks stand in it as parents before children. */
export function exportCar(
  config: CarsConfig,
  phase: PhaseId,
  cid: string,
): AsyncIterable<Uint8Array> | Reject {
  const refused = unknown(config, phase, cid);
  if (refused !== null) return refused;
  if (config.index.root(cid)?.whole !== true) {
    return reject('not_whole', `this node has no whole copy of file ${cid}`, 'ignore');
  }
  return config.car.write(cid, blocksOf(config, cid));
}

/** Blocks from a CAR in place of a holder: each is taken only where a parent names it, and what lacks is fetched. */
export async function importCar(
  config: CarsConfig,
  phase: PhaseId,
  cid: string,
  source: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<CarImport | Reject> {
  let blocks = 0;
  let fault: FetchFault = null;
  try {
    // under the order's eyes before it is looked for: one that comes later ends this
    const taken = await config.imports.run(cid, ending => {
      const signals = signal === undefined ? [ending] : [ending, signal];
      return takeFor(config, { phase, cid }, until(ending, source), signals);
    });
    if (isReject(taken)) return taken;
    blocks = taken.blocks;
    fault = await config.fetchNow(taken.entry);
  } catch (error) {
    const isPurged = config.ledger.purgeOf(phase, cid) !== null;
    if (!isPurged && error instanceof OperatingError && error.code === 'bad_car')
      return reject('bad_car', error.message, 'ignore');
    if (!isPurged) throw error;
  }
  return unknown(config, phase, cid) ?? { blocks, whole: fault === null, reason: fault?.reason ?? null };
}

async function takeFor(
  config: CarsConfig,
  { phase, cid }: { readonly phase: PhaseId; readonly cid: string },
  source: AsyncIterable<Uint8Array>,
  signals: readonly AbortSignal[],
): Promise<{ readonly entry: FileEntry; readonly blocks: number } | Reject> {
  const refused = unknown(config, phase, cid);
  if (refused !== null) return refused;
  const entry = config.ledger.entries(phase, cid)[0]!;
  const record = await claim(config, entry);
  if ('reason' in record) return reject('not_taken', record.reason, 'ignore');
  return { entry, blocks: await take(config, entry, record, source, signals) };
}

async function take(
  { blobs, car, dag, index }: CarsConfig,
  { cid: root }: FileEntry,
  record: Exclude<Awaited<ReturnType<typeof claim>>, { readonly reason: string }>,
  source: AsyncIterable<Uint8Array>,
  signals: readonly AbortSignal[],
): Promise<number> {
  if (!record.whole) await index.claim([[root, record]]);
  await index.nameRoots(index.belongs(root, root) ? [] : [root]);
  const archive = await car.read(source, FILES_WIRE_LIMITS.blockBytes);
  if (!archive.roots.includes(root))
    throw new OperatingError('bad_car', `the archive is of ${archive.roots[0]}`);
  let taken = 0;
  for await (const { cid, bytes } of archive.blocks) {
    for (const signal of signals) signal.throwIfAborted();
    const node = dag.parseBlock(cid, bytes);
    if (node === null) throw new OperatingError('bad_car', `block ${cid} is not what its CID says`);
    if (!index.belongs(root, cid))
      throw new OperatingError('bad_car', `block ${cid} is no part of file ${root}`);
    taken += 1;
    // a copy that is whole is not written again; the archive is checked all the same
    if (record.whole) continue;
    await index.add(
      root,
      node.children.map(child => child.cid),
    );
    await blobs.put(cid, bytes);
    await index.hold(root, [cid]);
  }
  return taken;
}

function unknown({ ledger }: CarsConfig, phase: PhaseId, cid: string): Reject | null {
  if (ledger.purgeOf(phase, cid) !== null) return reject('purged', `file ${cid} was purged`, 'ignore');
  return ledger.entries(phase, cid).length > 0
    ? null
    : reject('unknown_file', `no record of the phase names the file ${cid}`, 'ignore');
}
