import { assert, assertDefined } from '../../src/core/base/assert.ts';
import { isReject } from '../../src/core/base/reject.ts';
import { voteBytes } from '../../src/core/codec/chain.ts';
import { decodeMessage, encodeContent } from '../../src/core/pbft/message-codec.ts';
import type {
  ConsensusMessage,
  MessageContent,
  PreparedProof,
  ShownHead,
  SignedMessage,
} from '../../src/core/pbft/messages.ts';
import { signedBytes } from '../../src/core/pbft/signing.ts';
import type { Certificate, ValidatorSet } from '../../src/core/types/chain.ts';
import { simulatedSign } from '../simulation/suite.ts';
import { CHAIN_ID } from '../support/toy-ledger.ts';
import { makeBlock, suite, validatorNamed } from './ledger.ts';
import type { World } from './world.ts';

const FORGED = new Uint8Array(64).fill(7);

/** Makes what only a faulty validator sends, from words like `PREPARE v0 1:a`. */
export class Forge {
  constructor(private readonly world: World) {}

  private get set(): ValidatorSet {
    return this.world.nodes[0]!.head.reign.set;
  }

  private index(name: string): number {
    const index = this.set.validators.findIndex(validator => validator.name === name);
    return index < 0 ? this.set.validators.length : index;
  }

  /**
   * A block that no honest primary proposed: `block 1:x on 0 tx=x [time=MS] [root=wrong] [set=wrong]`; a transaction that
   * begins with `bad` does not execute.
   */
  block(label: string, parentLabel: string, options: ReadonlyMap<string, string>): void {
    const { printer } = this.world;
    const parent = printer.block(parentLabel);
    const names = (options.get('tx') ?? '').split('+').filter(name => name !== '');
    const at = { header: parent.header, hash: printer.hash(parentLabel) };
    const { startHeight } = this.world.nodes[0]!.head.reign;
    const time = options.get('time');
    const made = makeBlock(at, this.set, startHeight, names, time === undefined ? undefined : Number(time));
    const wrongRoot = options.get('root') === 'wrong' ? { mapRoot: suite.sha256(FORGED) } : {};
    const wrongSet = options.get('set') === 'wrong' ? { validatorSetId: this.set.id + 1 } : {};
    const wrongParent = options.get('parent') === 'wrong' ? { parentHash: suite.sha256(FORGED) } : {};
    const wrongHeight = options.has('height') ? { height: Number(options.get('height')) } : {};
    const header = { ...made.block.header, ...wrongRoot, ...wrongSet, ...wrongParent, ...wrongHeight };
    const entries =
      options.get('order') === 'changed' ? [...made.block.entries].reverse() : made.block.entries;
    printer.name({ header, entries }, label);
  }

  /** `n0,n1,n2!`: signatures of these validators, those with `!` forged. */
  private certificate(tag: 'prepare' | 'commit', label: string, view: number, signers: string): Certificate {
    const { printer } = this.world;
    const subject = {
      validatorSetId: this.set.id,
      view,
      newViewDigest: this.world.digest(this.set.id, view),
      height: printer.block(label).header.height,
      blockHash: printer.hash(label),
    };
    const bytes = voteBytes(tag, { chainId: CHAIN_ID, ...subject });
    const signatures = signers.split(',').map(word => {
      const name = word.replace('!', '');
      const signature = word.endsWith('!') ? FORGED : simulatedSign(validatorNamed(name).publicKey, bytes);
      return { signer: this.index(name), signature };
    });
    return { ...subject, signatures };
  }

  /** `1:a@v0/n0,n1,n2` and, for a head, `0` alone. */
  private proof(tag: 'prepare' | 'commit', word: string): PreparedProof {
    const [, label, view, signers] = assertDefined(
      /^(.+)@v(\d+)\/(.+)$/.exec(word),
      `a proof like 1:a@v0/n0,n1: ${word}`,
    );
    const { header } = this.world.printer.block(label!);
    return { header, certificate: this.certificate(tag, label!, Number(view), signers!) };
  }

  private head(word: string | undefined): ShownHead {
    if (word === undefined || word === '0') {
      return { header: this.world.printer.block('0').header, certificate: null };
    }
    if (!word.includes('@')) return { header: this.world.printer.block(word).header, certificate: null };
    return this.proof('commit', word);
  }

  /** The VIEW-CHANGEs for a view that these validators sent last. */
  private viewChanges(view: number, names: string): SignedMessage[] {
    return names.split(',').map(name => {
      const sent = [...this.world.history].reverse().find(({ from, message }) => {
        if (from !== name || message.kind !== 'viewChange') return false;
        const decoded = decodeMessage(message);
        return !isReject(decoded) && decoded.content.kind === 'viewChange' && decoded.content.view === view;
      });
      return assertDefined(sent, `${name} sent no VIEW-CHANGE for ${view}`).message;
    });
  }

  private content(
    kind: string,
    view: number,
    label: string,
    options: ReadonlyMap<string, string>,
  ): MessageContent {
    const { printer } = this.world;
    const digest = this.world.digest(this.set.id, view);
    switch (kind) {
      case 'PRE-PREPARE':
        return { kind: 'prePrepare', view, newViewDigest: digest, block: printer.block(label) };
      case 'PREPARE':
      case 'COMMIT': {
        const height = Number(options.get('height') ?? printer.block(label).header.height);
        const named = kind === 'PREPARE' ? 'prepare' : 'commit';
        return { kind: named, view, newViewDigest: digest, height, blockHash: printer.hash(label) };
      }
      case 'CHECKPOINT':
        return {
          kind: 'checkpoint',
          height: printer.block(label).header.height,
          blockHash: printer.hash(label),
        };
      case 'VIEW-CHANGE': {
        const proofs = (options.get('prepared') ?? '').split(';').filter(word => word !== '');
        const prepared = proofs.map(word => this.proof('prepare', word));
        return { kind: 'viewChange', view, head: this.head(options.get('head')), prepared };
      }
      case 'NEW-VIEW': {
        const window = (options.get('again') ?? '').split(',').filter(word => word !== '');
        const viewChanges = this.viewChanges(view, options.get('from') ?? '');
        return { kind: 'newView', view, viewChanges, window: window.map(each => printer.hash(each)) };
      }
      case 'COMPLAINT': {
        const height = Number(options.get('at') ?? 0);
        return { kind: 'complaint', view, height, lasting: options.has('lasting'), gone: [] };
      }
      default:
        assert(kind === 'STATUS', `no message is called ${kind}`);
        return {
          kind: 'status',
          view,
          active: true,
          head: this.head(options.get('head')),
          acceptedHeight: 0,
          stableHeight: 0,
          reply: true,
        };
    }
  }

  /** Signed by `author`, whoever it claims to be of. */
  message(author: string, words: readonly string[], options: ReadonlyMap<string, string>): SignedMessage {
    const [kind = '', ...rest] = words;
    const view = Number(rest.find(word => /^v\d+$/.test(word))?.slice(1) ?? 0);
    const label = rest.find(word => /^\d+(:|$)/.test(word)) ?? '';
    const content = this.content(kind, view, label, options);
    const signer = this.index(options.get('as') ?? author);
    return this.sign(author, signer, content);
  }

  private sign(author: string, signer: number, content: MessageContent): SignedMessage {
    const validatorSetId = this.set.id;
    const bytes = signedBytes(suite.sha256, CHAIN_ID, validatorSetId, content);
    const signature = simulatedSign(validatorNamed(author).publicKey, bytes);
    return { kind: content.kind, validatorSetId, signer, body: encodeContent(content), signature };
  }

  private changed(content: MessageContent, options: ReadonlyMap<string, string>): MessageContent {
    const view = Number(options.get('view') ?? (content.kind === 'checkpoint' ? 0 : content.view));
    if (content.kind === 'prePrepare') return { ...content, view };
    assert(content.kind === 'prepare' || content.kind === 'commit', 'proposals and votes are altered');
    const label = options.get('block');
    return {
      ...content,
      view,
      kind: options.get('kind') === 'COMMIT' ? 'commit' : content.kind,
      height: Number(options.get('height') ?? content.height),
      blockHash: label === undefined ? content.blockHash : this.world.printer.hash(label),
    };
  }

  /** A message of the past with its own signature, something else in it changed. */
  altered(original: SignedMessage, options: ReadonlyMap<string, string>): SignedMessage {
    const decoded = decodeMessage(original);
    assert(!isReject(decoded), 'what was sent can be decoded');
    const { content } = decoded as ConsensusMessage;
    const changed = this.changed(content, options);
    const signer = options.has('as') ? this.index(options.get('as')!) : original.signer;
    const validatorSetId = Number(options.get('set') ?? original.validatorSetId);
    return { ...original, kind: changed.kind, signer, validatorSetId, body: encodeContent(changed) };
  }
}
