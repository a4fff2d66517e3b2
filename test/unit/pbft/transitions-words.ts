import { assert } from '../../../src/core/base/assert.ts';
import { type Hash, ZERO_HASH } from '../../../src/core/base/ids.ts';
import { headerHash } from '../../../src/core/codec/chain.ts';
import type { ConsensusMessage, NewView } from '../../../src/core/pbft/messages.ts';
import { newViewDigest } from '../../../src/core/pbft/signing.ts';
import { quorumSize } from '../../../src/core/quorum/quorum.ts';
import type { Block, ValidatorSet } from '../../../src/core/types/chain.ts';
import { CHAIN_ID } from '../../support/toy-ledger.ts';
import { Consortium, suite } from './kit.ts';

const CHAIN_LENGTH = 6;

/** Names of all blocks, by hash. */
const names = new Map<string, string>();

export const nameOf = (hash: string | null) => (hash === null ? '?' : (names.get(hash) ?? 'genesis'));

/** The blocks and messages that rows of transitions.txt speak of, in a network of `n`. */
export class Words {
  readonly consortium: Consortium;
  /** What `change` brings in as set 1: four validators without the last, or one with another. */
  readonly nextSet: ValidatorSet;
  private readonly blocks = new Map<string, Block>();
  private readonly newView1: ConsensusMessage<NewView>;
  private readonly digest1: Hash;

  constructor(readonly n: number) {
    this.consortium = new Consortium(n);
    const { validators } = n === 1 ? new Consortium(2).set : this.consortium.set;
    this.nextSet = { id: 1, validators: n === 1 ? validators : validators.slice(0, n - 1) };
    this.makeBlocks();
    const asked = this.quorum.map(signer => this.viewChange(signer, 1, '1').signed);
    const window = [headerHash(suite.sha256, this.block('1').header)];
    this.newView1 = this.consortium.sign(1 % n, { kind: 'newView', view: 1, viewChanges: asked, window });
    this.digest1 = newViewDigest(suite.sha256, CHAIN_ID, 0, this.newView1.content);
  }

  /** Heights 1 to 6, other blocks on the same parents, and one that changes the set. */
  private makeBlocks(): void {
    const { consortium } = this;
    let parent = consortium.genesis;
    this.name('change', consortium.block(parent, 'change', this.nextSet.validators));
    for (let height = 1; height <= CHAIN_LENGTH; height += 1) {
      this.name(`twin ${height}`, consortium.block(parent, `twin ${height}`));
      const block = consortium.block(parent, `block ${height}`);
      this.name(`${height}`, block);
      parent = block.header;
    }
  }

  private name(name: string, block: Block): void {
    this.blocks.set(name, block);
    names.set(headerHash(suite.sha256, block.header), name);
  }

  private get quorum(): number[] {
    return Array.from({ length: quorumSize(this.n) }, (_, signer) => signer);
  }

  block(word: string): Block {
    const block = this.blocks.get(word);
    assert(block !== undefined, `there is a block ${word}`);
    return block;
  }

  /** `headed 2`, `headed twin 1 of view 2` */
  private head(words: string) {
    const [, head, view = '0'] = / headed ((?:twin )?\d)(?: of view (\d))?/.exec(words) ?? [];
    return this.consortium.head(head === undefined ? null : this.block(head), Number(view));
  }

  private viewChange(signer: number, view: number, shown: string | undefined, words = '') {
    const prepared = shown === undefined ? [] : [this.consortium.prepared(this.block(shown))];
    return this.consortium.viewChange(signer, view, prepared, this.head(words));
  }

  private emptyNewView(view: number, signers: readonly number[]) {
    return this.consortium.sign(view % this.n, {
      kind: 'newView',
      view,
      viewChanges: signers.map(signer => this.consortium.viewChange(signer, view).signed),
      window: [],
    });
  }

  /** `newView 1 headed 2 showing 3` */
  private newViewAbove(words: string) {
    const shown = / showing (\d)/.exec(words)![1]!;
    const viewChanges = this.quorum.map(signer => this.viewChange(signer, 1, shown, words).signed);
    const window = [headerHash(suite.sha256, this.block(shown).header)];
    return this.consortium.sign(1 % this.n, { kind: 'newView', view: 1, viewChanges, window });
  }

  /** `prepare 1 by 2`, `viewChange 3 showing 1 by 0`, …: a message whose signatures hold. */
  message(words: string): ConsensusMessage {
    const { consortium } = this;
    const signer = Number(/ by (\d)/.exec(words)?.[1] ?? 0);
    const view = Number(/ in view (\d+)/.exec(words)?.[1] ?? 0);
    const [, kind, what] = /^(\w+) ?((?:twin )?\d+|change)?/.exec(words)!;
    const digest = view === 1 && !words.includes('other') ? this.digest1 : ZERO_HASH;
    switch (kind) {
      case 'prePrepare':
        return consortium.sign(signer, { kind, view, newViewDigest: digest, block: this.block(what!) });
      case 'prepare':
      case 'commit':
        return consortium.vote(signer, kind, this.block(what!), view, digest);
      case 'checkpoint': {
        const { header } = this.block(what!);
        const blockHash = headerHash(suite.sha256, header);
        return consortium.sign(signer, { kind, height: header.height, blockHash });
      }
      case 'viewChange':
        return this.viewChange(signer, Number(what), / showing (\d)/.exec(words)?.[1], words);
      case 'newView':
        if (words.includes(' headed ')) return this.newViewAbove(words);
        if (what === '1') return words.includes('other') ? this.emptyNewView(1, [0, 2, 3]) : this.newView1;
        return this.emptyNewView(Number(what), this.quorum);
      case 'status': {
        const head = this.head(words);
        return consortium.sign(signer, {
          kind,
          view,
          active: !words.includes('waiting'),
          head,
          acceptedHeight: Number(/ accepted (\d)/.exec(words)?.[1] ?? head.header.height),
          stableHeight: Number(/ stable (\d)/.exec(words)?.[1] ?? 0),
          reply: words.includes('reply'),
        });
      }
      default: {
        const gone = [...(/ gone ([\d ]+)/.exec(words)?.[1] ?? '')].filter(word => word !== ' ').map(Number);
        const height = Number(/ at (\d)/.exec(words)?.[1] ?? 0);
        const lasting = words.includes('lasting');
        return consortium.sign(signer, { kind: 'complaint', view, height, lasting, gone });
      }
    }
  }
}
