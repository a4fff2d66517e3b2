import { type BlockHash, type Hash, type TransactionId, ZERO_HASH } from '../../src/core/base/ids.ts';
import { isReject } from '../../src/core/base/reject.ts';
import { headerHash } from '../../src/core/codec/chain.ts';
import { ENGINE_LIMITS, type Reign } from '../../src/core/pbft/config.ts';
import type { Engine } from '../../src/core/pbft/engine.ts';
import { decodeMessage, encodeContent } from '../../src/core/pbft/message-codec.ts';
import type { MessageContent, NewView, SignedMessage } from '../../src/core/pbft/messages.ts';
import { chooseWindow } from '../../src/core/pbft/new-view-window.ts';
import { verifyVoteCertificate, viewChangesOf } from '../../src/core/pbft/verify.ts';
import { decodeWalRecord } from '../../src/core/pbft/wal-record.ts';
import type { Block, Certificate, Header } from '../../src/core/types/chain.ts';
import type { Submitted } from './ledger.ts';
import type { SimulatedNode } from './node.ts';
import { simulatedSuite as suite } from './suite.ts';

export class InvariantBroken extends Error {
  override readonly name = 'InvariantBroken';
}

/** What the chain of the simulation is, as the first honest node committed it. */
interface Agreed {
  readonly header: Header;
  readonly hash: BlockHash;
  readonly setId: number;
  /** View of the first certificate seen. */
  readonly view: number;
}

/** Watches every step of every honest node from outside, and throws at the first broken property (SCENARIOS 11). */
export class Checker {
  readonly agreed = new Map<number, Agreed>();
  readonly evidenceAgainst = new Set<string>();
  viewsMax = 0;
  private readonly executedAt = new Map<TransactionId, number>();
  /** signer, kind and slot → value, for everything honest that was on the wire. */
  private readonly signed = new Map<string, string>();
  /** What each honest node's log has held durably. */
  private readonly durable = new Map<string, Set<string>>();
  private readonly highestAsked = new Map<string, number>();
  private readonly heads = new Map<string, number>();

  constructor(
    private readonly submitted: Submitted,
    private readonly windowBlocks: number,
    private readonly isHonest: (name: string) => boolean,
  ) {}

  fail(what: string): never {
    throw new InvariantBroken(what);
  }

  isCertified(reign: Reign, header: Header, hash: BlockHash, certificate: Certificate): boolean {
    return (
      header.validatorSetId === reign.set.id &&
      certificate.height === header.height &&
      certificate.blockHash === hash &&
      headerHash(suite.sha256, header) === hash &&
      verifyVoteCertificate(suite, reign, 'commit', certificate)
    );
  }

  /** A node is about to make a block durable. */
  committed(
    node: SimulatedNode,
    block: Block,
    hash: BlockHash,
    certificate: Certificate,
    reign: Reign,
  ): void {
    if (node.behaviour !== null) return;
    const { header } = block;
    const { height } = header;
    const { name } = node.identity;
    if (!this.isCertified(reign, header, hash, certificate))
      this.fail(`${name} commits ${height} with a certificate that does not verify`);
    if (height !== node.disk.height + 1) this.fail(`${name} commits ${height} on ${node.disk.height}`);
    const known = this.agreed.get(height);
    if (known !== undefined) {
      if (known.hash !== hash) this.fail(`two blocks at height ${height}: ${name} commits another`);
      return;
    }
    const parent = this.agreed.get(height - 1);
    if (parent !== undefined && parent.hash !== header.parentHash) this.fail(`${height} has another parent`);
    const { view, validatorSetId: setId } = certificate;
    this.agreed.set(height, { header, hash, setId, view });
    for (const { id } of block.entries) {
      if (!this.submitted.has(id)) this.fail(`${height} holds a transaction that nobody submitted`);
      if (this.executedAt.has(id)) this.fail(`a transaction is executed twice, the second time at ${height}`);
      this.executedAt.set(id, height);
    }
  }

  flushed(node: SimulatedNode, records: readonly Uint8Array[]): void {
    const { name } = node.identity;
    const durable = this.durable.get(name) ?? new Set<string>();
    for (const bytes of records) {
      const record = decodeWalRecord(bytes);
      if (isReject(record)) throw new InvariantBroken(`${name} writes a record that cannot be read`);
      if (record.type === 'message') {
        const { signed, content } = record.message;
        durable.add(`${this.slot(signed, content)}=${this.value(content)}`);
      } else if (record.type === 'prepared') {
        const { validatorSetId, view, height, blockHash } = record.proof.certificate;
        durable.add(`prepared:${validatorSetId}:${view}:${height}=${blockHash}`);
      }
    }
    this.durable.set(name, durable);
  }

  private slot(signed: SignedMessage, content: MessageContent): string {
    const { validatorSetId: set } = signed;
    switch (content.kind) {
      case 'prePrepare':
        return `prePrepare:${set}:${content.view}:${content.block.header.height}`;
      case 'prepare':
      case 'commit':
        return `${content.kind}:${set}:${content.view}:${content.height}`;
      case 'checkpoint':
        return `checkpoint:${set}:${content.height}`;
      case 'viewChange':
      case 'newView':
        return `${content.kind}:${set}:${content.view}`;
      default:
        return '';
    }
  }

  private value(content: MessageContent): Hash {
    if (content.kind === 'prePrepare') return headerHash(suite.sha256, content.block.header);
    if (content.kind === 'prepare' || content.kind === 'commit') return content.blockHash;
    return suite.sha256(encodeContent(content));
  }

  /** An honest node puts a message on the wire. */
  sent(node: SimulatedNode, signed: SignedMessage): void {
    const message = decodeMessage(signed);
    if (isReject(message)) throw new InvariantBroken('an honest message cannot be decoded');
    const { content } = message;
    const { name } = node.identity;
    const slot = this.slot(signed, content);
    if (slot === '') return;
    const author = node.engine?.reign.set;
    const own = author?.id === signed.validatorSetId && author.validators[signed.signer]?.name === name;
    if (!own) return;
    const value = this.value(content);
    const key = `${name}:${slot}`;
    const before = this.signed.get(key);
    if (before !== undefined && before !== value) this.fail(`${key} is signed for two values`);
    this.signed.set(key, value);
    this.checkDurable(name, signed, content, slot, value);
    if (content.kind === 'newView') this.checkNewView(node, content);
  }

  private checkDurable(
    name: string,
    signed: SignedMessage,
    content: MessageContent,
    slot: string,
    value: Hash,
  ): void {
    const durable = this.durable.get(name) ?? new Set<string>();
    const set = signed.validatorSetId;
    if (content.kind !== 'checkpoint' && !durable.has(`${slot}=${value}`))
      this.fail(`${name} sends ${slot} before it is durable`);
    if (content.kind === 'commit') {
      const at = `${set}:${content.view}:${content.height}`;
      if (!durable.has(`prepare:${at}=${value}`))
        this.fail(`${name} commits ${at} without a durable PREPARE`);
      if (!durable.has(`prepared:${at}=${value}`))
        this.fail(`${name} commits ${at} without a prepared proof`);
    }
    if (content.kind === 'viewChange') {
      this.viewsMax = Math.max(this.viewsMax, content.view);
      const asked = `${name}:${set}`;
      this.highestAsked.set(asked, Math.max(this.highestAsked.get(asked) ?? 0, content.view));
    }
    if (content.kind === 'prepare' || content.kind === 'commit' || content.kind === 'prePrepare')
      if (content.view < (this.highestAsked.get(`${name}:${set}`) ?? 0))
        this.fail(`${name} sends ${slot} after it asked for a higher view`);
  }

  /** Whatever an honest node committed in an earlier view is the base of this one or proposed again by it. */
  private checkNewView(node: SimulatedNode, newView: NewView): void {
    const viewChanges = viewChangesOf(newView);
    if (viewChanges === null || node.engine === null)
      throw new InvariantBroken('an honest NEW-VIEW is malformed');
    const chosen = chooseWindow(suite.sha256, viewChanges);
    const base = chosen.base.header.height;
    for (const [height, { hash, setId, view }] of this.agreed) {
      if (setId !== node.engine.reign.set.id || view >= newView.view || height <= base) continue;
      if (chosen.blocks[height - base - 1]?.hash !== hash)
        this.fail(`the NEW-VIEW of ${newView.view} leaves out committed ${height}`);
    }
  }

  /** Names of convicted validators must be Byzantine ones. */
  evidence(reign: Reign, first: SignedMessage, second: SignedMessage): void {
    const bodies = [first, second].map(({ kind, body }) => `${kind}:${suite.sha256(body)}`);
    if (bodies[0] === bodies[1] || first.signer !== second.signer) this.fail('evidence that convicts nobody');
    const name = reign.set.validators[first.signer]?.name ?? '';
    if (this.isHonest(name)) this.fail(`evidence against honest ${name}`);
    this.evidenceAgainst.add(name);
  }

  afterStep(node: SimulatedNode, engine: Engine): void {
    if (node.behaviour !== null) return;
    const { name } = node.identity;
    const height = engine.head.header.height;
    if (height < (this.heads.get(name) ?? 0)) this.fail(`${name}'s head goes back to ${height}`);
    this.heads.set(name, height);
    const stable = Math.max(engine.stableHeight, engine.reign.startHeight);
    if (stable > height) this.fail(`${name}'s low watermark is above its head`);
    const { validators } = engine.reign.set;
    if (engine.slots.size > this.windowBlocks + ENGINE_LIMITS.windowBlocksMax) this.fail('slots unbounded');
    if (engine.future.count > ENGINE_LIMITS.futureMessagesTotal) this.fail('future messages unbounded');
    for (const { messages } of engine.future.bySigner.values())
      if (messages.length > ENGINE_LIMITS.futurePerSignerWindows * this.windowBlocks)
        this.fail('a signer fills more than its share');
    if (engine.viewChanges.size > validators.length) this.fail('view changes unbounded');
    if (engine.signedValues.size > 16 * this.windowBlocks + 64) this.fail('signed values unbounded');
    if (node.disk.log.length > 64 * this.windowBlocks + 256) this.fail(`${name}'s log is not trimmed`);
    if (!engine.active && engine.digest !== ZERO_HASH) this.fail('a view that is not open has a digest');
  }
}
