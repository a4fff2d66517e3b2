import type { Reign } from '../../src/core/pbft/config.ts';
import type { MessageContent, SignedMessage } from '../../src/core/pbft/messages.ts';
import type { WalRecord } from '../../src/core/pbft/wal-record.ts';
import { hashOfHeader } from './checker-certificate.ts';
import { digestOf, Judge } from './checker-judge.ts';

interface Prepared {
  readonly view: number;
  readonly hash: string;
  readonly parentHash: string;
}

/** What the log of a node has held of one set. */
interface Logged {
  readonly set: number;
  /** The highest view with a NEW-VIEW. */
  lastView: number;
  /** The highest proof at each height. */
  readonly proofs: Map<number, Prepared>;
  /** `view:height` of every proof. */
  readonly prepared: Set<string>;
}

/** What an honest node may put on the wire. */
export class MessageRules {
  private readonly reigns = new Map<number, Reign>();
  private readonly logs = new Map<string, Logged>();
  private readonly judge: Judge;

  /**
   * @param agreedOn hash of the block that is committed at a height; undefined while none is known
   * @param contentOf decodes; null for what cannot be
   */
  constructor(
    private readonly fail: (what: string) => never,
    private readonly agreedOn: (height: number) => string | undefined,
    contentOf: (signed: SignedMessage) => MessageContent | null,
  ) {
    this.judge = new Judge(contentOf);
  }

  /** An honest node sends it, or rests its votes on it. */
  mustBeGood(name: string, signed: SignedMessage): void {
    const reign = this.reigns.get(signed.validatorSetId);
    const fault = reign === undefined ? null : this.judge.faultOf(reign, signed);
    if (fault !== null) this.fail(`${name} has a ${signed.kind} that is not good: ${fault}`);
  }

  opens(reign: Reign): void {
    this.reigns.set(reign.set.id, reign);
  }

  /** What names the view that a NEW-VIEW opens; empty for one of a set that nobody has met. */
  viewName(signed: SignedMessage, view: number): string {
    const reign = this.reigns.get(signed.validatorSetId);
    return reign === undefined ? '' : `view:${reign.set.id}:${view}:${digestOf(reign, signed)}`;
  }

  forget(name: string): void {
    this.logs.delete(name);
  }

  /** Drops what no later message can be judged by. */
  forgetBelow(least: number): void {
    for (const { proofs, prepared } of this.logs.values()) {
      for (const height of proofs.keys()) if (height < least) proofs.delete(height);
      for (const slot of prepared) if (Number(slot.split(':')[1]) < least) prepared.delete(slot);
    }
  }

  private logged(name: string, set: number): Logged {
    let logged = this.logs.get(name);
    if (logged === undefined || logged.set < set) {
      logged = { set, lastView: 0, proofs: new Map(), prepared: new Set() };
      this.logs.set(name, logged);
    }
    return logged;
  }

  /** A record of the node's log became durable. */
  durable(name: string, record: WalRecord): void {
    if (record.type === 'message' && record.message.content.kind === 'newView') {
      const { signed, content } = record.message;
      const logged = this.logged(name, signed.validatorSetId);
      if (logged.set === signed.validatorSetId) logged.lastView = Math.max(logged.lastView, content.view);
    }
    if (record.type !== 'prepared') return;
    const { header, certificate } = record.proof;
    const { validatorSetId, view, height, blockHash: hash } = certificate;
    const logged = this.logged(name, validatorSetId);
    if (logged.set !== validatorSetId) return;
    logged.prepared.add(`${view}:${height}`);
    if (view >= (logged.proofs.get(height)?.view ?? 0))
      logged.proofs.set(height, { view, hash, parentHash: header.parentHash });
  }

  /** @param diskHeight of the node's chain */
  sent(name: string, signed: SignedMessage, content: MessageContent, diskHeight: number): void {
    this.mustBeGood(name, signed);
    const logged = this.logged(name, signed.validatorSetId);
    if (logged.set !== signed.validatorSetId) return;
    if (content.kind === 'commit') {
      const { view, height } = content;
      if (diskHeight < height - 1 && !logged.prepared.has(`${view}:${height - 1}`))
        this.fail(`${name} commits ${height} in view ${view} without a proof of the height below`);
    }
    if (content.kind !== 'viewChange') return;
    const shown = new Map(
      content.prepared.map(({ header, certificate }) => [header.height, certificate.view]),
    );
    let below: string = hashOfHeader(content.head.header);
    for (let height = content.head.header.height + 1; ; height += 1) {
      const proof = logged.proofs.get(height);
      if (proof === undefined || proof.parentHash !== below) return;
      // Before the last NEW-VIEW: that may have cut it. In the view asked for or later: prepared after this was signed.
      if (proof.view < logged.lastView || proof.view >= content.view) return;
      // Another block is committed there: whoever has seen that needs this proof no more, nor what stands on its block.
      if ((this.agreedOn(height) ?? proof.hash) !== proof.hash) return;
      if ((shown.get(height) ?? -1) < proof.view)
        this.fail(`${name} asks for view ${content.view} and hides what it prepared at ${height}`);
      below = proof.hash;
    }
  }
}
