import { equalBytes } from '../../core/base/bytes.ts';
import type { LogId, MemberId, PhaseId, Suite, TransactionId } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { decodePhaseState, type ScopeRef } from '../../core/codec/state.ts';
import { decodeLeaf, logIdOf } from '../../core/codec/transaction.ts';
import type { Claim, EarlierLog, RangeUnit } from '../../core/light/claims.ts';
import { type Dossier, NOTHING_SHOWN, recipientInfo, type SealedOpening } from '../../core/light/dossier.ts';
import { provenEntries } from '../../core/light/evidence.ts';
import { proveField } from '../../core/light/fields.ts';
import type { Span } from '../../core/types/span.ts';
import type { Leaf } from '../../core/types/transaction.ts';
import type { PhaseCrypto } from '../../ports/phase-crypto.ts';
import type { Hpke } from '../../ports/sealing.ts';
import type { LightClient } from '../light-client/light-client.ts';
import type { DisclosableRecord } from '../records/disclosure.ts';
import { payloadFields } from '../records/payload.ts';
import type { Records } from '../records/service.ts';
import { type Collected, type DossierCollector, type LogWish, WHOLE_LOG } from './collector.ts';

/** What of the records is shown to others. */
export interface Showing {
  /** For everybody who gets the file. */
  readonly payloads: boolean;
  /** For these sealing keys only, 33 bytes each. */
  readonly recipients: readonly Uint8Array[];
  /** Fields for everybody, by name; each record must have them all. */
  readonly fields: readonly string[];
}

export const SHOW_NOTHING: Showing = { payloads: false, recipients: [], fields: [] };

export interface ProverConfig {
  readonly suite: Suite;
  readonly light: LightClient;
  readonly records: Pick<Records, 'disclose' | 'openedCard'>;
  readonly crypto: Pick<PhaseCrypto, 'fieldSalts'>;
  readonly hpke: Hpke;
  readonly collector: DossierCollector;
}

/** A question to which a proof is the answer. */
export type Question =
  | {
      readonly type: 'record';
      readonly phase: PhaseId;
      readonly key: TransactionId | number;
      readonly show: Showing;
    }
  | {
      readonly type: 'range';
      readonly phase: PhaseId;
      readonly unit: RangeUnit;
      readonly from: number;
      /** First position, height or time (ms) that is not asked for; null for the end of the log. */
      readonly to: number | null;
      readonly show: Showing;
    }
  | { readonly type: 'noRecord'; readonly phase: PhaseId; readonly id: TransactionId }
  | { readonly type: 'noLog'; readonly ref: ScopeRef }
  | { readonly type: 'consistency'; readonly earlier: Dossier }
  | { readonly type: 'participants'; readonly phase: PhaseId; readonly height: number }
  | { readonly type: 'epoch'; readonly phase: PhaseId; readonly height: number }
  | { readonly type: 'memberKey'; readonly member: MemberId; readonly height: number };

const NO_LEAVES = { span: () => ({ from: 0, to: 0 }), parts: 'none', state: false } as const;

/** Makes dossiers and proofs of what a member's node holds; whoever hands one out verifies it first. */
export class Prover {
  constructor(private readonly config: ProverConfig) {}

  /** A whole phase as far as this member may read it. */
  async phase(phase: PhaseId, show: Showing): Promise<Dossier | Reject> {
    const collected = await this.config.collector.collect([{ ...this.ref(phase), ...WHOLE_LOG }]);
    if (isReject(collected)) return collected;
    const shown = await this.withRecords(collected, phase, null, show);
    if (isReject(shown) || !show.payloads) return shown;
    const claims = await this.cardClaims(phase, collected.content.logs[0]!.state);
    return { ...shown, claims: [...shown.claims, ...claims] };
  }

  /** Who is shown the payloads may know what the phase is called, where that is known here. */
  private async cardClaims(phase: PhaseId, certified: Uint8Array | null): Promise<Claim[]> {
    const opened = await this.config.records.openedCard(phase);
    const state = certified === null ? null : decodePhaseState(certified);
    // A member that was removed has a card that may not be current any more.
    if (opened === null || state === null || isReject(state)) return [];
    if (!equalBytes(opened.sealed, state.card.bytes)) return [];
    return [{ type: 'card', logId: this.logId(phase), contentKey: opened.contentKey }];
  }

  async answer(question: Question): Promise<Dossier | Reject> {
    switch (question.type) {
      case 'record':
        return this.record(question);
      case 'range':
        return this.range(question);
      case 'noRecord':
        return this.noRecord(question.phase, question.id);
      case 'noLog':
        return this.noLog(question.ref);
      case 'consistency':
        return this.consistency(question.earlier);
      case 'participants':
        return this.participants(question.phase, question.height);
      case 'epoch':
        return this.epoch(question.phase, question.height);
      case 'memberKey':
        return this.memberKey(question.member, question.height);
    }
  }

  /** The first held position whose leaf is at or above a position, height or time (ms); the end of what is held otherwise. */
  firstPosition(phase: PhaseId, unit: RangeUnit, value: number): number | Reject {
    const logId = this.logId(phase);
    const held = this.config.light.held(logId);
    if (held === null) return reject('not_readable', 'nothing of this log is held', 'ignore');
    if (unit === 'position') return Math.min(value, held.to);
    const last = held.ranges.at(-1) ?? held;
    return this.firstAt(logId, last, leaf => (unit === 'height' ? leaf.height : leaf.timeMs) >= value);
  }

  private ref(phase: PhaseId): ScopeRef {
    return { scope: 'phase', id: phase };
  }

  private logId(phase: PhaseId): LogId {
    return logIdOf(this.config.suite.sha256, this.config.light.chainId, 'phase', phase);
  }

  private async record({ phase, key, show }: Question & { type: 'record' }): Promise<Dossier | Reject> {
    const everywhere = { from: 0, to: Number.MAX_SAFE_INTEGER };
    const found = await this.config.records.disclose(phase, everywhere, key);
    if (isReject(found)) return found;
    const [{ id, position, item, fileReferences }] = found as readonly [DisclosableRecord];
    const described = show.fields.length > 0 || fileReferences.length > 0;
    const opened = show.payloads || show.recipients.length > 0;
    const parts = opened ? 'all' : described ? 'metadata' : 'none';
    const span = () => ({ from: position, to: position + 1 });
    const collected = await this.collect([{ ...this.ref(phase), span, parts, state: false }]);
    if (isReject(collected)) return collected;
    const shown = await this.withRecords(collected, phase, id, show);
    const place = { logId: this.logId(phase), position, item };
    return isReject(shown) ? shown : { ...shown, claims: [{ type: 'record', place }] };
  }

  private async range(question: Question & { type: 'range' }): Promise<Dossier | Reject> {
    const { phase, unit, from, to, show } = question;
    const logId = this.logId(phase);
    const parts = show.payloads || show.recipients.length > 0 ? 'all' : 'metadata';
    const span = (held: Span) => this.covering(logId, held, unit, from, to);
    const collected = await this.collect([{ ...this.ref(phase), span, parts, state: false }]);
    if (isReject(collected)) return collected;
    const shown = await this.withRecords(collected, phase, null, show);
    if (isReject(shown)) return shown;
    const { size, frontier, items } = collected.content.logs[0]!;
    const end = frontier.size + items.length;
    // A member that was removed cannot say when the leaf came that it does not have.
    if (to === null && end < size && unit !== 'position') {
      return reject(
        'not_readable',
        'the log goes on after what this member may read: name the end',
        'ignore',
      );
    }
    const { header } = collected.content.head;
    const last = { position: end, height: header.height + 1, time: header.timeMs + 1 }[unit];
    return { ...shown, claims: [{ type: 'range', logId, unit, from, to: to ?? last }] };
  }

  /** What must be shown so that nothing of the range can be missing: the leaves next to it on both sides too. */
  private covering(logId: LogId, held: Span, unit: RangeUnit, from: number, to: number | null): Span {
    if (unit === 'position') return { from, to: to ?? held.to };
    const measure = (leaf: Leaf) => (unit === 'height' ? leaf.height : leaf.timeMs);
    const first = this.firstAt(logId, held, leaf => measure(leaf) >= from);
    const end = to === null ? held.to : this.firstAt(logId, held, leaf => measure(leaf) >= to);
    return { from: first - 1, to: end + 1 };
  }

  /** The first held position for whose leaf `reached` is true; it stays true from there on. */
  private firstAt(logId: LogId, { from, to }: Span, reached: (leaf: Leaf) => boolean): number {
    let [low, high] = [from, to];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const leaf = decodeLeaf(this.config.light.rawItem(logId, middle)!.leaf);
      if (!isReject(leaf) && reached(leaf)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  private async noRecord(phase: PhaseId, id: TransactionId): Promise<Dossier | Reject> {
    const collected = await this.collect([{ ...this.ref(phase), ...WHOLE_LOG, parts: 'none', state: false }]);
    return this.claiming(collected, { type: 'noRecord', logId: this.logId(phase), id });
  }

  private async noLog(ref: ScopeRef): Promise<Dossier | Reject> {
    const absent = await this.config.collector.absence(ref);
    if (isReject(absent)) return absent;
    return { ...absent.content, ...NOTHING_SHOWN, claims: [{ type: 'noLog', ref, proof: absent.proof }] };
  }

  /** That what an earlier dossier spoke of is the beginning of what there is now. */
  private async consistency(earlier: Dossier): Promise<Dossier | Reject> {
    const wishes = earlier.logs.map(({ scope, id }): LogWish => ({ scope, id, ...NO_LEAVES }));
    const collected = await this.collect(wishes);
    if (isReject(collected)) return collected;
    const before = provenEntries(this.config.suite, earlier);
    if (isReject(before)) return before;
    const logs: EarlierLog[] = [];
    for (const { scope, id } of earlier.logs) {
      const logId = logIdOf(this.config.suite.sha256, this.config.light.chainId, scope, id);
      const proven = before.get(logId)!;
      const path = collected.trees.get(logId)!.consistency(proven.entry.size);
      if (isReject(path)) return path;
      logs.push({ scope, id, ...proven, path });
    }
    return this.claiming(collected, { type: 'consistency', earlier: earlier.head, logs });
  }

  private async participants(phase: PhaseId, height: number): Promise<Dossier | Reject> {
    const logId = this.logId(phase);
    // Where nothing came later the state of the head says it; otherwise the leaves up to the first later one do.
    const span = (held: Span) => {
      const later = this.firstAt(logId, held, leaf => leaf.height > height);
      return later === held.to ? { from: held.to - 1, to: held.to } : { from: held.from, to: later + 1 };
    };
    const collected = await this.collect([{ ...this.ref(phase), span, parts: 'none', state: true }]);
    return this.claiming(collected, { type: 'participants', logId, height });
  }

  private async epoch(phase: PhaseId, height: number): Promise<Dossier | Reject> {
    const collected = await this.collect([{ ...this.ref(phase), ...NO_LEAVES, state: true }]);
    return this.claiming(collected, { type: 'epoch', logId: this.logId(phase), height });
  }

  private async memberKey(member: MemberId, height: number): Promise<Dossier | Reject> {
    const collected = await this.collect([], [member]);
    return this.claiming(collected, { type: 'memberKey', member, height });
  }

  private collect(wishes: readonly LogWish[], members: readonly string[] = []): Promise<Collected | Reject> {
    return this.config.collector.collect(wishes, members);
  }

  private claiming(collected: Collected | Reject, claim: Claim): Dossier | Reject {
    if (isReject(collected)) return collected;
    return { ...collected.content, ...NOTHING_SHOWN, claims: [claim] };
  }

  /** @param only id of the one record that is shown; null for all those in the dossier */
  private async withRecords(
    collected: Collected,
    phase: PhaseId,
    only: TransactionId | null,
    show: Showing,
  ): Promise<Dossier | Reject> {
    const { content } = collected;
    const log = content.logs[0]!;
    const span = { from: log.frontier.size, to: log.frontier.size + log.items.length };
    const records = await this.config.records.disclose(phase, span, only);
    if (isReject(records)) return records;
    const shown: Shown = { claims: [], openings: [], sealed: [], fields: [], files: [] };
    const logId = this.logId(phase);
    for (const record of records) {
      const fault = await this.show(logId, record, show, only !== null, shown);
      if (fault !== null) return fault;
    }
    return { ...content, ...shown };
  }

  /** @param wanted the record was asked for by name: what cannot be shown of it is a fault */
  private async show(
    logId: LogId,
    record: DisclosableRecord,
    show: Showing,
    wanted: boolean,
    shown: Shown,
  ): Promise<Reject | null> {
    const { position, item, fileReferences, content, contentKey } = record;
    const place = { logId, position, item };
    for (const { cid, ciphertextBytes } of fileReferences)
      shown.files.push({ ...place, cid, ciphertextBytes });
    const asked = show.payloads || show.recipients.length > 0 || show.fields.length > 0;
    if (contentKey === null || content === null) {
      return wanted && asked
        ? reject('key_missing', `record ${record.id.slice(0, 12)} does not open here`, 'ignore')
        : null;
    }
    if (show.payloads) shown.openings.push({ ...place, contentKey });
    for (const recipient of show.recipients) {
      const info = recipientInfo(this.config.light.chainId, place);
      shown.sealed.push({
        ...place,
        recipient,
        sealed: await this.config.hpke.seal(recipient, info, contentKey),
      });
    }
    const fields = show.fields.length === 0 ? [] : payloadFields(content);
    for (const name of show.fields) {
      const field = proveField(
        this.config.suite.sha256,
        fields,
        this.config.crypto.fieldSalts(contentKey),
        name,
      );
      if (field !== null) shown.fields.push({ ...place, field });
      else if (wanted) {
        const there = fields.map(each => each.name).join(', ');
        return reject('unknown_field', `the record has no field ${name}; it has ${there}`, 'ignore');
      }
    }
    return null;
  }
}

interface Shown {
  readonly claims: Claim[];
  readonly openings: Dossier['openings'][number][];
  readonly sealed: SealedOpening[];
  readonly fields: Dossier['fields'][number][];
  readonly files: Dossier['files'][number][];
}
