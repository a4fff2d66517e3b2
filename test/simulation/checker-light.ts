import type { LogId, MemberId, TransactionId } from '../../src/core/base/ids.ts';
import { isReject, type Reject } from '../../src/core/base/reject.ts';
import * as codec from '../../src/core/codec/operation.ts';
import { decodeLeaf, decodeTransaction } from '../../src/core/codec/transaction.ts';
import { GRANTS, KINDS } from '../../src/core/types/operation.ts';
import type { Transaction } from '../../src/core/types/transaction.ts';
import { InvariantBroken } from './invariant.ts';
import type { SimulatedLightNode } from './light-node.ts';
import { simulatedSuite as suite } from './suite.ts';

/** A transaction of a block, as honest nodes made it durable. */
export interface Executed {
  readonly height: number;
  readonly id: TransactionId;
  readonly outcome: number;
  readonly bytes: Uint8Array;
}

interface Step extends Executed {
  /** In the order of the chain. */
  readonly order: number;
  readonly transaction: Transaction;
}

/** What a member may read of a phase, by the order of the chain: from, up to and including. */
interface Stay {
  readonly from: number;
  to: number;
}

const PAYLOAD_PROBE = 16;

function contentOf<T extends object>(
  { transaction }: Step,
  scope: number,
  decode: (bytes: Uint8Array) => T | Reject,
): T | null {
  const at = transaction.body.parts.findIndex(part => part.scope === scope);
  const part = transaction.signed.parts[at] ?? null;
  const content = part === null ? null : decode(part.content);
  return content === null || isReject(content) ? null : content;
}

/** The logs of phases and who may read them, told from the blocks alone. */
export class LightHistory {
  private readonly steps: Step[];
  private readonly byId = new Map<TransactionId, Step>();
  /** Of each phase's log: everything that names it. */
  readonly phases = new Map<LogId, Step[]>();
  /** Of records that were handed over: where they came, and by which step. */
  private readonly handed = new Map<TransactionId, { readonly logId: LogId; readonly order: number }[]>();

  constructor(executed: readonly Executed[]) {
    this.steps = executed.map((entry, order) => {
      const transaction = decodeTransaction(suite.sha256, entry.bytes);
      if (isReject(transaction)) throw new InvariantBroken(`what ${entry.height} executed cannot be decoded`);
      return { ...entry, order, transaction };
    });
    for (const step of this.steps) {
      this.byId.set(step.id, step);
      const { body } = step.transaction;
      if (body.kind === KINDS.phaseAdd && step.outcome === 0) this.phases.set(body.scopes[1] as LogId, []);
      for (const logId of body.scopes) this.phases.get(logId)?.push(step);
      // Also of one that was refused: whoever sent it gave it to those who read that log.
      if (body.kind === KINDS.phaseHandover) this.handOver(step);
    }
  }

  private handOver(step: Step): void {
    const logId = step.transaction.body.scopes[1] as LogId;
    for (const { id } of contentOf(step, 0, codec.decodePhaseHandoverSource)?.records ?? [])
      this.handed.set(id, [...(this.handed.get(id) ?? []), { logId, order: step.order }]);
  }

  /** Whether a member was in a phase that received the record. */
  received(id: TransactionId, member: MemberId): boolean {
    const places = this.handed.get(id) ?? [];
    return places.some(({ logId, order }) => isWithin(this.stays(logId, member), order));
  }

  step(id: TransactionId): Step {
    const step = this.byId.get(id);
    if (step === undefined) throw new InvariantBroken(`transaction ${id} is in no block`);
    return step;
  }

  /** @returns order at which a member's rights ended for good; infinite where they did not */
  revokedAt(member: MemberId): number {
    const isIt = (step: Step) =>
      step.transaction.body.kind === KINDS.memberRevoke &&
      step.outcome === 0 &&
      contentOf(step, 0, codec.decodeMemberRevoke)?.member === member;
    return this.steps.find(isIt)?.order ?? Number.POSITIVE_INFINITY;
  }

  /** Where a member was in a phase, from its transactions (SCENARIOS 82, 83). */
  stays(logId: LogId, member: MemberId): Stay[] {
    const stays: Stay[] = [];
    const begin = (from: number) => stays.push({ from, to: Number.POSITIVE_INFINITY });
    for (const step of this.phases.get(logId) ?? []) {
      if (step.outcome !== 0) continue;
      const { kind, sender } = step.transaction.body;
      if (kind === KINDS.phaseAdd) {
        const added = contentOf(step, 1, codec.decodePhaseAddPhase);
        if (sender === member) return [{ from: 0, to: this.revokedAt(member) - 1 }];
        if (added?.participants.some(entry => entry.member === member)) begin(0);
      }
      if (kind === KINDS.participantAdd) {
        const added = contentOf(step, 0, codec.decodeParticipantAdd);
        if (added?.member === member) begin(added.grant === GRANTS.none ? step.order : 0);
      }
      if (kind !== KINDS.participantRemove) continue;
      const last = stays.at(-1);
      if (contentOf(step, 0, codec.decodeParticipantRemove)?.member === member && last !== undefined)
        last.to = step.order;
    }
    const end = this.revokedAt(member) - 1;
    return stays.map(({ from, to }) => ({ from, to: Math.min(to, end) }));
  }
}

const isWithin = (stays: readonly Stay[], order: number) =>
  stays.some(({ from, to }) => from <= order && order <= to);

/** What a light node holds, against what the blocks say that it may and must hold. */
export class LightCheck {
  constructor(
    private readonly history: LightHistory,
    private readonly node: SimulatedLightNode,
  ) {}

  private fail(what: string): never {
    throw new InvariantBroken(`${this.node.name} ${what}`);
  }

  /** @param isCurrent it says that it holds everything up to the newest block */
  async run(isCurrent: boolean): Promise<void> {
    for (const logId of this.history.phases.keys()) await this.checkLog(logId, isCurrent);
    this.checkBytes();
    this.checkServed();
  }

  private async checkLog(logId: LogId, isCurrent: boolean): Promise<void> {
    const { client, actor } = this.node;
    if (client === null) return;
    const stays = this.history.stays(logId, actor.id);
    const held = new Set<TransactionId>();
    let before = -1;
    for (const { from, to } of client.held(logId)?.ranges ?? []) {
      const items = await client.items(logId, from, to);
      if (items.length !== to - from) this.fail(`says that it holds ${to - from} and holds ${items.length}`);
      for (const [at, { leaf, transaction }] of items.entries()) {
        const step = this.history.step(leaf.transactionId);
        if (transaction.id !== step.id || leaf.outcome !== step.outcome || leaf.height !== step.height)
          this.fail(`holds a leaf of ${leaf.height} that is not the chain’s`);
        if (leaf.position !== from + at || leaf.logId !== logId)
          this.fail(`holds position ${leaf.position} at ${from + at}`);
        if (step.order <= before) this.fail(`holds ${step.height} out of order`);
        if (!isWithin(stays, step.order))
          this.fail(`holds ${step.height} of a phase that it was not in then`);
        before = step.order;
        held.add(step.id);
      }
    }
    if (!isCurrent) return;
    for (const step of this.history.phases.get(logId) ?? [])
      if (step.outcome === 0 && isWithin(stays, step.order) && !held.has(step.id))
        this.fail(`lacks ${step.id} of ${step.height}, from a phase that it was in`);
  }

  /** Nowhere on its disk is a record of a phase from when it was not in. */
  checkBytes(): void {
    const disk = Buffer.concat([...this.node.machine.disk.values.values()]);
    for (const [logId, steps] of this.history.phases) {
      const stays = this.history.stays(logId, this.node.actor.id);
      for (const { id, transaction, order, height } of steps) {
        const payload = transaction.body.kind === KINDS.recordPut ? transaction.signed.parts[1] : null;
        if (payload === null || payload === undefined || isWithin(stays, order)) continue;
        if (this.history.received(id, this.node.actor.id)) continue;
        if (disk.includes(Buffer.from(payload.content.subarray(0, PAYLOAD_PROBE))))
          this.fail(`has bytes of a record of ${height} on its disk, from a phase that it was not in`);
      }
    }
  }

  private checkServed(): void {
    for (const entry of this.node.served) {
      const leaf = decodeLeaf(Buffer.from(entry.slice(entry.indexOf(':') + 1), 'base64'));
      if (isReject(leaf)) throw new InvariantBroken(`${this.node.name} was served no leaf`);
      if (!this.history.phases.has(leaf.logId)) continue;
      const { order, height } = this.history.step(leaf.transactionId);
      if (!isWithin(this.history.stays(leaf.logId, this.node.actor.id), order))
        this.fail(`was served ${height} of a phase that it was not in`);
    }
  }
}
