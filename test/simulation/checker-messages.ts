import type { BlockHash, Hash } from '../../src/core/base/ids.ts';
import { headerHash } from '../../src/core/codec/chain.ts';
import type { Reign } from '../../src/core/pbft/config.ts';
import type { ConsensusMessage, SignedMessage } from '../../src/core/pbft/messages.ts';
import { verifyConsensusMessage } from '../../src/core/pbft/verify.ts';
import type { WalRecord } from '../../src/core/pbft/wal-record.ts';
import type { ValidatorSet } from '../../src/core/types/chain.ts';
import { simulatedSuite as suite } from './suite.ts';

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

/**
 * What an honest node may put on the wire, judged by the code as it should be: `npm run mutants` gives modules that are named
 * `checker…` the right source whatever the nodes run.
 */
export class MessageRules {
  private readonly reigns = new Map<number, Reign>();
  private readonly logs = new Map<string, Logged>();

  /** @param agreedOn hash of the block that is committed at a height; undefined while none is known */
  constructor(
    private readonly fail: (what: string) => never,
    private readonly agreedOn: (height: number) => string | undefined,
  ) {}

  /** @param startHeight of the block after which the set decides: 0, or that of the one that brought it in */
  opens(set: ValidatorSet, chainId: Hash, startHeight: number, startHash: BlockHash): void {
    if (!this.reigns.has(set.id)) this.reigns.set(set.id, { chainId, set, startHeight, startHash });
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
  sent(name: string, signed: SignedMessage, content: ConsensusMessage['content'], diskHeight: number): void {
    const reign = this.reigns.get(signed.validatorSetId);
    if (reign !== undefined && !verifyConsensusMessage(suite, reign, { signed, content }))
      this.fail(`${name} sends a ${content.kind} that does not verify`);
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
    let below: string = headerHash(suite.sha256, content.head.header);
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
