import { fromHex, hashBytes, toHex } from '../core/base/bytes.ts';
import type { Hash, TransactionId } from '../core/base/ids.ts';
import { isReject, type Reject, reject } from '../core/base/reject.ts';
import { ownBytes, wireCodec } from './codec.ts';
import { phaseline } from './generated/messages.js';

export const POOL_WIRE_LIMITS = {
  /** Wrappers in one frame or answer. */
  bodiesPerFrame: 1024,
  /** Ids in one announcement. */
  idsPerFrame: 4096,
  /** References in one fetch. */
  referencesPerFetch: 1024,
} as const;

export type PoolFrame =
  | { readonly kind: 'bodies'; readonly transactions: readonly Uint8Array[] }
  | { readonly kind: 'have'; readonly ids: readonly TransactionId[] };

/** A transaction as a proposal names it; a null wrapper hash asks for any wrapper of the id. */
export interface PoolReference {
  readonly id: TransactionId;
  readonly wrapperHash: Hash | null;
}

function hashOf(bytes: Uint8Array | null | undefined): Hash | null {
  return bytes?.length === 32 ? (toHex(bytes) as Hash) : null;
}

function hashesOf(list: readonly Uint8Array[] | null | undefined, countMax: number): Hash[] | Reject {
  const hashes: Hash[] = [];
  if ((list?.length ?? 0) > countMax) return reject('undecodable', `more than ${countMax} ids`);
  for (const bytes of list ?? []) {
    const hash = hashOf(bytes);
    if (hash === null) return reject('undecodable', 'an id is not 32 bytes');
    hashes.push(hash);
  }
  return hashes;
}

function bodiesOf(list: readonly Uint8Array[] | null | undefined): Uint8Array[] | Reject {
  if ((list?.length ?? 0) > POOL_WIRE_LIMITS.bodiesPerFrame) {
    return reject('undecodable', `more than ${POOL_WIRE_LIMITS.bodiesPerFrame} transactions`);
  }
  return (list ?? []).map(ownBytes);
}

export const poolFrameCodec = wireCodec<phaseline.PoolFrame.$Properties, PoolFrame>(
  'pool frame',
  phaseline.PoolFrame,
  frame =>
    frame.kind === 'bodies'
      ? { bodies: { transactions: [...frame.transactions] } }
      : { have: { ids: frame.ids.map(hashBytes) } },
  wire => {
    if (wire.bodies) {
      const transactions = bodiesOf(wire.bodies.transactions);
      return isReject(transactions) ? transactions : { kind: 'bodies', transactions };
    }
    if (!wire.have) return reject('undecodable', 'pool frame: empty');
    const ids = hashesOf(wire.have.ids, POOL_WIRE_LIMITS.idsPerFrame);
    return isReject(ids) ? ids : { kind: 'have', ids };
  },
);

function referenceOf(wire: phaseline.PoolReference.$Properties): PoolReference | Reject {
  const id = hashOf(wire.id);
  const wrapperHash = hashOf(wire.wrapperHash);
  if (id === null || (wrapperHash === null && (wire.wrapperHash?.length ?? 0) > 0)) {
    return reject('undecodable', 'pool fetch: a reference is not 32 bytes');
  }
  return { id, wrapperHash };
}

export const poolFetchCodec = wireCodec<phaseline.PoolFetch.$Properties, readonly PoolReference[]>(
  'pool fetch',
  phaseline.PoolFetch,
  references => ({
    references: references.map(({ id, wrapperHash }) => ({
      id: hashBytes(id),
      wrapperHash: wrapperHash === null ? new Uint8Array(0) : (fromHex(wrapperHash) as Uint8Array),
    })),
  }),
  wire => {
    const list = wire.references ?? [];
    if (list.length > POOL_WIRE_LIMITS.referencesPerFetch) {
      return reject('undecodable', `pool fetch: more than ${POOL_WIRE_LIMITS.referencesPerFetch} references`);
    }
    const references: PoolReference[] = [];
    for (const entry of list) {
      const reference = referenceOf(entry);
      if (isReject(reference)) return reference;
      references.push(reference);
    }
    return references;
  },
);

export const poolFetchedCodec = wireCodec<phaseline.PoolFetched.$Properties, readonly Uint8Array[]>(
  'pool fetched',
  phaseline.PoolFetched,
  transactions => ({ transactions: [...transactions] }),
  wire => bodiesOf(wire.transactions),
);
