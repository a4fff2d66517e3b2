import { assert, assertDefined } from '../../core/base/assert.ts';
import { utf8Decode } from '../../core/base/bytes.ts';
import type { Hash, LogId, Sha256, TransactionId } from '../../core/base/ids.ts';
import { isReject, type Reject } from '../../core/base/reject.ts';
import { decodeValidatorSet, encodeValidatorSet } from '../../core/codec/chain.ts';
import { contentCodec } from '../../core/codec/content.ts';
import { decodePhaseState, decodeProjectState, decodeSystemState } from '../../core/codec/state.ts';
import { decodeLeaf, decodeTransaction } from '../../core/codec/transaction.ts';
import { decodeForkEvidence, encodeForkEvidence, type ForkEvidence } from '../../core/light/fork.ts';
import type { LogItem as WireItem } from '../../core/light/log-update.ts';
import type { SetChange, Trust } from '../../core/light/trust.ts';
import type { ValidatorSet } from '../../core/types/chain.ts';
import type { PhaseState, ProjectState, SystemState } from '../../core/types/state.ts';
import type { KeyValueStore, KvOperation } from '../../ports/kv.ts';
import type { LogItem } from '../records/ports.ts';
import {
  decodeHeldLog,
  decodeSetChange,
  decodeStoredItem,
  decodeTrust,
  encodeHeldLog,
  encodeSetChange,
  encodeStoredItem,
  encodeTrust,
  type HeldLog,
} from './held-log.ts';

/** The head up to which everything is held. */
export interface Published {
  readonly height: number;
  readonly timeMs: number;
}

const { encode: encodePublished, decode: decodePublished } = contentCodec<Published>(
  'published head',
  (writer, { height, timeMs }) => {
    writer.u64(height).u64(timeMs);
  },
  reader => ({ height: reader.u64(), timeMs: reader.u64() }),
);

/** With the version of what is stored: what another version has left is fetched again. */
const PREFIX = 'light/2/';
const digits = (position: number) => String(position).padStart(16, '0');

const KEYS = {
  trust: `${PREFIX}trust`,
  published: `${PREFIX}published`,
  fork: `${PREFIX}fork`,
  change: (height: number) => `${PREFIX}change/${digits(height)}`,
  set: (id: number) => `${PREFIX}set/${digits(id)}`,
  log: (logId: LogId) => `${PREFIX}log/${logId}`,
  state: (logId: LogId) => `${PREFIX}state/${logId}`,
  item: (logId: LogId, position: number) => `${PREFIX}item/${logId}/${digits(position)}`,
  position: (logId: LogId, id: TransactionId) => `${PREFIX}id/${logId}/${id}`,
} as const;

function stored<T>(value: T | Reject, what: string): T {
  assert(!isReject(value), `stored ${what} decodes`);
  return value;
}

/** The light client's keys in its key-value store. Everything of one answer is written in one batch. */
export class LightStore {
  private readonly states = new Map<LogId, { readonly digest: Hash; readonly value: object }>();

  constructor(
    private readonly kv: KeyValueStore,
    private readonly sha256: Sha256,
  ) {}

  trust(): Trust | null {
    const bytes = this.kv.get(KEYS.trust);
    return bytes === null ? null : stored(decodeTrust(bytes), 'trust');
  }

  published(): Published | null {
    const bytes = this.kv.get(KEYS.published);
    return bytes === null ? null : stored(decodePublished(bytes), 'published head');
  }

  validatorSet(id: number): ValidatorSet | null {
    const bytes = this.kv.get(KEYS.set(id));
    return bytes === null ? null : stored(decodeValidatorSet(bytes), 'validator set');
  }

  /** Evidence that ended all trust; null while there is none. */
  fork(): ForkEvidence | null {
    const bytes = this.kv.get(KEYS.fork);
    return bytes === null ? null : stored(decodeForkEvidence(bytes), 'evidence of a fork');
  }

  /** All since genesis, verified, oldest first. */
  async setChanges(): Promise<SetChange[]> {
    const changes: SetChange[] = [];
    const range = { from: `${PREFIX}change/`, to: `${PREFIX}change0` };
    for await (const [, bytes] of this.kv.entries(range)) {
      changes.push(stored(decodeSetChange(bytes), 'set change'));
    }
    return changes;
  }

  async logs(): Promise<HeldLog[]> {
    const logs: HeldLog[] = [];
    const range = { from: `${PREFIX}log/`, to: `${PREFIX}log0` };
    for await (const [, bytes] of this.kv.entries(range)) logs.push(stored(decodeHeldLog(bytes), 'log'));
    return logs;
  }

  state(logId: LogId): Uint8Array | null {
    return this.kv.get(KEYS.state(logId));
  }

  systemState(log: HeldLog): SystemState | null {
    return this.decodedState(log, decodeSystemState);
  }

  projectState(log: HeldLog): ProjectState | null {
    return this.decodedState(log, decodeProjectState);
  }

  phaseState(log: HeldLog): PhaseState | null {
    return this.decodedState(log, decodePhaseState);
  }

  item(logId: LogId, position: number): LogItem | null {
    const bytes = this.kv.get(KEYS.item(logId, position));
    return bytes === null ? null : this.decodeItem(bytes);
  }

  rawItem(logId: LogId, position: number): WireItem | null {
    const bytes = this.kv.get(KEYS.item(logId, position));
    return bytes === null ? null : stored(decodeStoredItem(bytes), 'item');
  }

  async items(logId: LogId, from: number, to: number): Promise<LogItem[]> {
    const items: LogItem[] = [];
    const range = { from: KEYS.item(logId, from), to: KEYS.item(logId, to) };
    for await (const [, bytes] of this.kv.entries(range)) items.push(this.decodeItem(bytes));
    return items;
  }

  positionOf(logId: LogId, id: TransactionId): number | null {
    const bytes = this.kv.get(KEYS.position(logId, id));
    return bytes === null ? null : Number(assertDefined(utf8Decode(bytes), 'a stored position is text'));
  }

  write(operations: readonly KvOperation[]): Promise<void> {
    return this.kv.batch(operations, { sync: true });
  }

  putTrust(trust: Trust): KvOperation[] {
    const { set } = trust;
    return [
      { type: 'put', key: KEYS.trust, value: encodeTrust(trust) },
      { type: 'put', key: KEYS.set(set.id), value: encodeValidatorSet(set) },
    ];
  }

  putSetChanges(changes: readonly SetChange[]): KvOperation[] {
    return changes.map(change => {
      const { height } = change.certified.header;
      return { type: 'put', key: KEYS.change(height), value: encodeSetChange(change) };
    });
  }

  putFork(evidence: ForkEvidence): KvOperation {
    return { type: 'put', key: KEYS.fork, value: encodeForkEvidence(evidence) };
  }

  putPublished(published: Published): KvOperation {
    return { type: 'put', key: KEYS.published, value: encodePublished(published) };
  }

  putLog(log: HeldLog, state: Uint8Array | null): KvOperation[] {
    const operations: KvOperation[] = [{ type: 'put', key: KEYS.log(log.logId), value: encodeHeldLog(log) }];
    if (state !== null) operations.push({ type: 'put', key: KEYS.state(log.logId), value: state });
    else operations.push({ type: 'delete', key: KEYS.state(log.logId) });
    return operations;
  }

  putItem(logId: LogId, position: number, id: TransactionId, item: WireItem): KvOperation[] {
    const text = new TextEncoder().encode(String(position));
    return [
      { type: 'put', key: KEYS.item(logId, position), value: encodeStoredItem(item) },
      { type: 'put', key: KEYS.position(logId, id), value: text },
    ];
  }

  /** A scope's state is decoded once for each digest. */
  private decodedState<T extends object>(log: HeldLog, decode: (bytes: Uint8Array) => T | Reject): T | null {
    const { logId, digest } = log;
    const known = this.states.get(logId);
    if (known !== undefined && known.digest === digest) return known.value as T;
    const bytes = digest === null ? null : this.state(logId);
    if (digest === null || bytes === null) return null;
    const value = stored(decode(bytes), 'state');
    this.states.set(logId, { digest, value });
    return value;
  }

  private decodeItem(bytes: Uint8Array): LogItem {
    const { leaf, transaction } = stored(decodeStoredItem(bytes), 'item');
    return {
      leaf: stored(decodeLeaf(leaf), 'leaf'),
      transaction: stored(decodeTransaction(this.sha256, transaction), 'transaction'),
    };
  }
}
