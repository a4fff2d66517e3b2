import type { MessageContent } from '../../src/core/pbft/messages.ts';
import type { WalRecord } from '../../src/core/pbft/wal-record.ts';
import type { Block } from '../../src/core/types/chain.ts';
import { hashOfHeader } from './checker-certificate.ts';
import { trimOldest } from './checker-log.ts';

/** Blocks that a node may still vote for. */
const BODIES_MAX = 4096;

interface Voter {
  readonly name: string;
  stored(key: string): Uint8Array | null;
}

/** The block is in the log and its bodies are on disk before anybody hears that this node would commit it. */
export class BodyRules {
  /** Hashes of the bodies of blocks that logs hold. */
  private readonly bodies = new Map<string, readonly string[]>();

  constructor(private readonly fail: (what: string) => never) {}

  /** @returns what the log holds with this record, as a promise; null for no block */
  durable(record: WalRecord): string | null {
    if (record.type === 'block') return this.held(record.block);
    const isProposal = record.type === 'message' && record.message.content.kind === 'prePrepare';
    return isProposal ? this.held(record.message.content.block) : null;
  }

  private held({ header, entries }: Block): string {
    const hash = hashOfHeader(header);
    if (!this.bodies.has(hash)) {
      const names = entries.map(({ wrapperHash }) => wrapperHash);
      this.bodies.set(hash, names);
      trimOldest(this.bodies, BODIES_MAX);
    }
    return `block=${hash}`;
  }

  /** @param height of the chain on the node's disk: nobody votes for what is committed */
  sent(node: Voter, content: MessageContent, promises: ReadonlySet<string>, height: number): void {
    if (content.kind !== 'prepare' && content.kind !== 'prePrepare') return;
    const isProposal = content.kind === 'prePrepare';
    const hash = isProposal ? hashOfHeader(content.block.header) : content.blockHash;
    const at = isProposal ? content.block.header.height : content.height;
    if (at <= height) return;
    const sends = `${node.name} sends a ${content.kind} of ${at}`;
    if (!promises.has(`block=${hash}`)) this.fail(`${sends} without the block in its log`);
    if (this.bodies.get(hash)?.some(body => node.stored(`tx/${body}`) === null) ?? true)
      this.fail(`${sends} before the bodies are on its disk`);
  }
}
