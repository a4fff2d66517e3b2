import { assert } from '../../src/core/base/assert.ts';
import type { BlockHash } from '../../src/core/base/ids.ts';
import { isReject } from '../../src/core/base/reject.ts';
import { headerHash } from '../../src/core/codec/chain.ts';
import type { Engine } from '../../src/core/pbft/engine.ts';
import { decodeMessage } from '../../src/core/pbft/message-codec.ts';
import type {
  ConsensusMessage,
  PreparedProof,
  ShownHead,
  SignedMessage,
} from '../../src/core/pbft/messages.ts';
import { viewChangesOf } from '../../src/core/pbft/verify.ts';
import { decodeWalRecord } from '../../src/core/pbft/wal-record.ts';
import type { Block, Certificate } from '../../src/core/types/chain.ts';
import { suite, transactionName } from './ledger.ts';

/** How a transcript names blocks, `HEIGHT:TRANSACTIONS`, and what it says of messages, records and states. */
export class Printer {
  private readonly labels = new Map<BlockHash, string>();
  private readonly hashes = new Map<string, BlockHash>();
  private readonly blocks = new Map<string, Block>();

  /** The block's name; a second block of the same height and transactions gets a prime. */
  name(block: Block, wanted?: string): string {
    const hash = headerHash(suite.sha256, block.header);
    const known = this.labels.get(hash);
    if (known !== undefined) return known;
    const { height } = block.header;
    let label = wanted ?? `${height}:${block.entries.map(({ id }) => transactionName(id)).join('+')}`;
    while (this.hashes.has(label)) label += "'";
    this.labels.set(hash, label);
    this.hashes.set(label, hash);
    this.blocks.set(label, block);
    return label;
  }

  block(label: string): Block {
    const block = this.blocks.get(label);
    assert(block !== undefined, `no block is called ${label}`);
    return block;
  }

  hash(label: string): BlockHash {
    return headerHash(suite.sha256, this.block(label).header);
  }

  label(hash: BlockHash): string {
    return this.labels.get(hash) ?? '?';
  }

  private head({ header }: ShownHead): string {
    return this.label(headerHash(suite.sha256, header));
  }

  private prepared(proofs: readonly PreparedProof[]): string {
    const each = proofs.map(({ certificate }) => `${this.label(certificate.blockHash)}@v${certificate.view}`);
    return each.length === 0 ? 'nothing' : each.join(' ');
  }

  signers({ signatures }: Certificate): string {
    return signatures.map(({ signer }) => `#${signer}`).join(' ');
  }

  content({ content }: ConsensusMessage): string {
    switch (content.kind) {
      case 'prePrepare':
        return `PRE-PREPARE v${content.view} ${this.name(content.block)}`;
      case 'prepare':
      case 'commit':
        return `${content.kind.toUpperCase()} v${content.view} ${this.label(content.blockHash)}`;
      case 'checkpoint':
        return `CHECKPOINT ${this.label(content.blockHash)}`;
      case 'viewChange':
        return `VIEW-CHANGE v${content.view} head ${this.head(content.head)}, prepared ${this.prepared(content.prepared)}`;
      case 'newView': {
        const from = content.viewChanges.map(({ signer }) => `#${signer}`).join(' ');
        const again = content.window.map(hash => this.label(hash)).join(' ');
        const count = viewChangesOf(content)?.length ?? 0;
        return `NEW-VIEW v${content.view} from ${count === 0 ? 'nobody' : from}, again ${again === '' ? 'nothing' : again}`;
      }
      case 'status':
        return `STATUS v${content.view} head ${this.head(content.head)}`;
      case 'complaint':
        return `COMPLAINT v${content.view} at ${content.height}${content.lasting ? ', lasting' : ''}`;
    }
  }

  message(signed: SignedMessage): string {
    const message = decodeMessage(signed);
    return isReject(message) ? `${signed.kind} that cannot be decoded` : this.content(message);
  }

  record(bytes: Uint8Array): string {
    const record = decodeWalRecord(bytes);
    if (isReject(record)) return 'a record that cannot be read';
    switch (record.type) {
      case 'message':
        return this.content(record.message);
      case 'block':
        return `block ${this.name(record.block)}`;
      case 'prepared':
        return `prepared ${this.label(record.proof.certificate.blockHash)}@v${record.proof.certificate.view}`;
      case 'stable':
        return `stable ${record.height}`;
    }
  }

  records(records: readonly Uint8Array[]): string {
    return records.length === 0 ? 'nothing' : records.map(bytes => this.record(bytes)).join('; ');
  }

  /** Where an engine stands, on one line. */
  state(engine: Engine): string {
    const parts = [`height ${engine.head.header.height}`, `view ${engine.view}`];
    if (!engine.active) parts.push('waiting for the NEW-VIEW');
    if (engine.reign.set.id > 0) parts.push(`set ${engine.reign.set.id}`);
    if (engine.stableHeight > engine.reign.startHeight) parts.push(`stable ${engine.stableHeight}`);
    if (engine.seat === null) parts.push('observes');
    if (engine.halted) parts.push('halted');
    for (const slot of [...engine.slots.values()].sort((a, b) => a.height - b.height)) {
      const label = slot.hash === null ? `${slot.height}:?` : this.label(slot.hash);
      const words = [
        slot.decided !== null ? 'decided' : '',
        slot.preparedHere ? 'prepared' : slot.accepted ? 'accepted' : slot.proposed ? 'proposed' : '',
        slot.execution === 'rejected' ? 'rejected' : '',
        slot.block === null ? `${slot.prepares.size} PREPAREs, ${slot.commits.size} COMMITs, no block` : '',
      ];
      const said = words.filter(word => word !== '').join(', ');
      parts.push(said === '' ? label : `${label} ${said}`);
    }
    return parts.join(', ');
  }
}
