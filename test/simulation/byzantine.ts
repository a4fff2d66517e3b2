import { isReject } from '../../src/core/base/reject.ts';
import { headerHash } from '../../src/core/codec/chain.ts';
import { executeBlock } from '../../src/core/ledger/execute.ts';
import { decodeMessage, encodeContent } from '../../src/core/pbft/message-codec.ts';
import type { MessageContent, NewView, SignedMessage, ViewChange } from '../../src/core/pbft/messages.ts';
import { chooseWindow } from '../../src/core/pbft/new-view-window.ts';
import { signedBytes } from '../../src/core/pbft/signing.ts';
import type { Block } from '../../src/core/types/chain.ts';
import type { Executor } from '../../src/services/consensus/executor.ts';
import { CONSENSUS_PROTOCOL } from '../../src/services/consensus/limits.ts';
import { LIGHT_PROTOCOL } from '../../src/services/light-server/limits.ts';
import { blockFetchedCodec, consensusMessageCodec } from '../../src/wire/consensus.ts';
import { Hoard } from './byzantine-hoard.ts';
import { signedLie } from './byzantine-lies.ts';
import { censor, dawdle } from './byzantine-primary.ts';
import type { Identity } from './consortium.ts';
import { LightLies } from './light-lies.ts';
import type { World } from './machine.ts';
import type { SimulatedNode } from './node.ts';
import type { Random } from './random.ts';
import { simulatedSuite as suite } from './suite.ts';
import type { Disguise } from './transport.ts';

/** What kinds of faulty nodes there are. `twin`: two machines with one key, each honest and ignorant of the other. */
export const BEHAVIOURS = [
  'equivocator',
  'withholder',
  'amnesiac',
  'capricious',
  'replayer',
  'forger',
  'liar',
  'colluder',
  'whisperer',
  'censor',
  'dawdler',
  'twin',
] as const;
/**
 * `conspirator`: one of more than f, who show one block to some and another to the others they chose (SCENARIOS 36). `hoarder`: one of f
 * side by side, who keep to themselves what is prepared, and show it when other blocks are.
 */
export type BehaviourKind = (typeof BEHAVIOURS)[number] | 'conspirator' | 'hoarder';

/** Turns one message that the honest inside would send to one receiver into what is sent. */
type Trick = (message: SignedMessage, content: MessageContent, to: number) => readonly SignedMessage[];

/** What faulty nodes know together. */
export interface Conspiracy {
  /** The other block for each block of theirs, by hash. */
  readonly twins: Map<string, Block>;
  /** Indices of the nodes that conspirators show the other block. */
  readonly misled: Set<number>;
  /** Colluders that voted for another block, by its hash. */
  readonly backers: Map<string, Set<number>>;
  /** As many as the others must bear. */
  readonly faultsMax: number;
  readonly validators: number;
  /** Their indices. */
  readonly hoarders: Set<number>;
  /** Which of two machines with one key spoke last, by the name of both. */
  readonly spoke: Map<string, SimulatedNode>;
}

/** So many colluders and more are a conspiracy. */
const TOGETHER_MIN = 2;

/** A faulty node's outside; its inside is the honest program. */
export class ByzantineDisguise implements Disguise {
  /** Set when the node is made. */
  node: SimulatedNode | null = null;
  private readonly old: SignedMessage[] = [];
  private readonly lies: LightLies;
  readonly hoard: Hoard;

  constructor(
    private readonly kind: BehaviourKind,
    private readonly identity: Identity,
    private readonly world: World,
    readonly conspiracy: Conspiracy,
  ) {
    this.lies = new LightLies(world);
    const { hoarders, validators } = conspiracy;
    if (kind === 'hoarder') hoarders.add(identity.index);
    this.hoard = new Hoard(identity.index, validators, index => hoarders.has(index));
  }

  message(protocol: string, frame: Uint8Array, peer: string): readonly Uint8Array[] {
    if (protocol !== CONSENSUS_PROTOCOL) return [frame];
    if (this.kind === 'twin') {
      this.countTwin();
      return [frame];
    }
    const signed = consensusMessageCodec.decode(frame);
    if (isReject(signed)) return [frame];
    const decoded = decodeMessage(signed);
    if (isReject(decoded)) return [frame];
    if (this.kind === 'forger' && this.random.chance(0.005)) {
      this.world.coverage.hit('byzantine: forger');
      return [garbled(frame, this.random)];
    }
    const trick = TRICKS[this.kind];
    const to = Number(peer.slice(peer.lastIndexOf('n') + 1));
    const sent = trick(this).call(null, signed, decoded.content, to);
    if (sent.length !== 1 || sent[0] !== signed) this.world.coverage.hit(`byzantine: ${this.kind}`);
    return sent.map(each => (each === signed ? frame : consensusMessageCodec.encode(each)));
  }

  /** Two machines take turns to speak with one key. */
  private countTwin(): void {
    const { node, world, conspiracy, identity } = this;
    if (node === null) return;
    const last = conspiracy.spoke.get(identity.name) ?? node;
    conspiracy.spoke.set(identity.name, node);
    if (last !== node) world.coverage.hit('byzantine: twin');
  }

  begins(): void {
    const { node, kind, world } = this;
    const program = node?.program ?? null;
    if (node === null || program === null) return;
    const hit = () => world.coverage.hit(`byzantine: ${kind}`);
    if (kind === 'censor') censor(program, hit);
    if (kind === 'dawdler') dawdle(program, node.machine, hit);
  }

  answer(protocol: string, frame: Uint8Array): Uint8Array | null {
    const { random, coverage } = this.world;
    if (protocol === LIGHT_PROTOCOL.id && this.kind !== 'twin' && random.chance(0.4))
      return this.lies.tell(frame);
    if (this.kind === 'whisperer' && protocol === CONSENSUS_PROTOCOL) return this.anotherBlock(frame);
    if (this.kind !== 'liar' || random.chance(0.4)) return frame;
    coverage.hit('byzantine: liar');
    if (random.chance(0.2)) return null;
    const lie = garbled(frame, random);
    return lie;
  }

  /** A sound block, and not the one that was asked for. */
  private anotherBlock(frame: Uint8Array): Uint8Array {
    const asked = blockFetchedCodec.decode(frame);
    const block = this.node?.program?.store.head()?.block ?? null;
    return isReject(asked) || block === null ? frame : blockFetchedCodec.encode({ block });
  }

  forge(original: SignedMessage, content: MessageContent): SignedMessage {
    const chainId = this.node?.chainId ?? '';
    const bytes = signedBytes(suite.sha256, chainId as never, original.validatorSetId, content);
    return {
      ...original,
      kind: content.kind,
      body: encodeContent(content),
      signature: this.identity.signer.sign(bytes),
    };
  }

  get random(): World['random'] {
    return this.world.random;
  }

  get coverage(): World['coverage'] {
    return this.world.coverage;
  }

  remember(message: SignedMessage): void {
    if (this.old.length < 64) this.old.push(message);
    else this.old[this.random.between(0, 63)] = message;
  }

  anOldOne(): SignedMessage | null {
    return this.old.length === 0 ? null : this.random.pick(this.old);
  }

  /** Another block with the same transactions at another time, executed as it should be. */
  twinOf(block: Block): Block | null {
    const hash = headerHash(suite.sha256, block.header);
    const known = this.conspiracy.twins.get(hash);
    if (known !== undefined) return known;
    // The faulty node looks into its own program.
    const executor = (this.node?.program?.consensus as unknown as { executor: Executor } | undefined)
      ?.executor;
    const overlay = executor?.get(hash) ?? null;
    const base = executor?.base(block.header.parentHash) ?? null;
    if (overlay === null || base === null) return null;
    const transactions = overlay.entries.map(({ transaction }) => transaction);
    const timeMs = block.header.timeMs + 1;
    const made = executeBlock(suite, base.view, base, { timeMs, transactions });
    if (isReject(made)) return null;
    this.conspiracy.twins.set(hash, made.block);
    return made.block;
  }

  twinHash(hash: string): string | null {
    const twin = this.conspiracy.twins.get(hash);
    return twin === undefined ? null : headerHash(suite.sha256, twin.header);
  }

  /** It votes for the other block: with all the other colluders, when they do so too. */
  backs(twin: string): void {
    const { backers, faultsMax } = this.conspiracy;
    const together = backers.get(twin) ?? new Set();
    backers.set(twin, together.add(this.identity.index));
    if (this.kind === 'colluder' && faultsMax >= TOGETHER_MIN && together.size === faultsMax)
      this.world.coverage.hit('byzantine: f colluders');
  }
}

/** With one bit that is wrong. */
function garbled(frame: Uint8Array, random: Random): Uint8Array {
  const bytes = frame.slice();
  const at = random.between(0, Math.max(0, bytes.length - 1));
  if (bytes.length > 0) bytes[at] = (bytes[at] as number) ^ (1 << random.between(0, 7));
  return bytes;
}

/** Proposes another block to half of the others and votes for each half's block (SCENARIOS 19, 29). */
function equivocate(self: ByzantineDisguise, both: boolean, isMisled = (to: number) => to % 2 === 1): Trick {
  return (message, content, to) => {
    if (!isMisled(to)) return [message];
    const other = both ? otherThanVotes(self, message, content) : null;
    if (other !== null) return [other, message];
    if (content.kind === 'prePrepare') {
      const block = self.twinOf(content.block);
      if (block === null) return [message];
      const forged = self.forge(message, { ...content, block });
      return both && self.random.chance(0.2) ? [forged, message] : [forged];
    }
    if (content.kind !== 'prepare' && content.kind !== 'commit') return [message];
    const twin = self.twinHash(content.blockHash);
    if (twin === null) return [message];
    self.backs(twin);
    const forged = self.forge(message, { ...content, blockHash: twin as typeof content.blockHash });
    return both ? [forged, message] : [forged];
  };
}

/** A second value for a slot that is no vote's; null where there is none, and now and then. */
function otherThanVotes(
  self: ByzantineDisguise,
  message: SignedMessage,
  content: MessageContent,
): SignedMessage | null {
  if (content.kind === 'checkpoint' && self.random.chance(0.3))
    return self.forge(message, { ...content, blockHash: 'cd'.repeat(32) as typeof content.blockHash });
  if (content.kind === 'viewChange' && content.prepared.length > 0)
    return self.forge(message, { ...content, prepared: [] });
  return content.kind === 'newView' ? otherNewView(self, message, content) : null;
}

/** As sound as the first: its signer's own VIEW-CHANGE in it hides what was prepared. */
function otherNewView(
  self: ByzantineDisguise,
  message: SignedMessage,
  content: NewView,
): SignedMessage | null {
  const asked: ViewChange[] = [];
  const viewChanges = content.viewChanges.map(signed => {
    const known = decodeMessage(signed);
    if (isReject(known) || known.content.kind !== 'viewChange') return signed;
    const hides = signed.signer === message.signer && known.content.prepared.length > 0;
    const shown = hides ? { ...known.content, prepared: [] } : known.content;
    asked.push(shown);
    return hides ? self.forge(signed, shown) : signed;
  });
  if (viewChanges.every((signed, at) => signed === content.viewChanges[at])) return null;
  const window = chooseWindow(suite.sha256, asked).blocks.map(({ hash }) => hash);
  return self.forge(message, { ...content, viewChanges, window });
}

/** Takes part in everything but the votes (SCENARIOS 35). */
function withhold(): Trick {
  return (message, { kind }) => (kind === 'prepare' || kind === 'commit' ? [] : [message]);
}

/** Hides what it prepared, and asks for views far ahead (SCENARIOS 39, 42, 45). */
function forget(self: ByzantineDisguise): Trick {
  return (message, content) => {
    const { random } = self;
    if (content.kind === 'viewChange') {
      const view = content.view + (random.chance(0.2) ? random.between(1, 1000) : 0);
      return [self.forge(message, { ...content, view, prepared: [] })];
    }
    if (content.kind !== 'status' || random.chance(0.7)) return [message];
    const { view } = content;
    return [message, self.forge(message, { kind: 'complaint', view, height: 1e6, lasting: true, gone: [] })];
  };
}

/** Sends each message to some only, old and future votes among them (SCENARIOS 23, 70). */
function beCapricious(self: ByzantineDisguise): Trick {
  return (message, content) => {
    const { random } = self;
    if (random.chance(0.3)) return [];
    if ((content.kind !== 'prepare' && content.kind !== 'commit') || random.chance(0.7)) return [message];
    const view = content.view + random.between(0, 3);
    const height = content.height + random.between(0, 40);
    return [message, self.forge(message, { ...content, view, height })];
  };
}

/** Shows its blocks to some, commits none, and gives others to those who ask for them: what it left prepared must come through. */
function whisper(): Trick {
  return (message, { kind }, to) =>
    kind === 'commit' || (kind === 'prePrepare' && to % 3 === 0) ? [] : [message];
}

/** Two blocks of one height are prepared in two views, and a third view must choose; or one has no proof below it (SCENARIOS 39). */
function keepProofs(self: ByzantineDisguise): Trick {
  return (message, content, to) => {
    if (!self.hoard.shows(content, to)) return [];
    return content.kind === 'viewChange' ? [self.forge(message, self.hoard.asks(content))] : [message];
  };
}

/** Says again what it said before (SCENARIOS 37, 41). */
function replay(self: ByzantineDisguise): Trick {
  return message => {
    self.remember(message);
    const old = self.random.chance(0.3) ? self.anOldOne() : null;
    return old === null ? [message] : [message, old];
  };
}

/** Speaks for others, signs nothing, garbles bodies, signs what is wrong (SCENARIOS 30, 31, 32, 33). */
function forgeAnything(self: ByzantineDisguise): Trick {
  return (message, content) => {
    const { random } = self;
    const sign = (signed: MessageContent) => self.forge(message, signed);
    const lie = signedLie(content, { message, sign }, random);
    if (lie !== null) {
      self.coverage.hit(lie.name);
      return [sign(lie.content)];
    }
    // Whoever finds it out hears nothing of it for a while.
    if (random.chance(0.98)) return [message];
    const dice = random.between(0, 4);
    if (dice === 0) return [{ ...message, signer: random.between(0, 20) }];
    if (dice === 1) return [{ ...message, signature: new Uint8Array(64).fill(random.between(0, 255)) }];
    if (dice === 2)
      return [{ ...message, kind: random.pick(['prepare', 'commit', 'newView', 'status'] as const) }];
    if (dice === 3)
      return [{ ...message, body: message.body.slice(0, random.between(0, message.body.length)) }];
    if (content.kind === 'newView') return [self.forge(message, { ...content, window: [] })];
    if (content.kind === 'viewChange')
      return [self.forge(message, { ...content, prepared: [...content.prepared].reverse() })];
    return [
      self.forge(message, {
        kind: 'checkpoint',
        height: random.between(1, 500),
        blockHash: 'ab'.repeat(32) as never,
      }),
    ];
  };
}

/** What it says is true: what it answers, proposes or when is not. */
const honestly = (): Trick => message => [message];

const TRICKS: Record<Exclude<BehaviourKind, 'twin'>, (self: ByzantineDisguise) => Trick> = {
  equivocator: self => equivocate(self, true),
  colluder: self => equivocate(self, false),
  conspirator: self => equivocate(self, false, to => self.conspiracy.misled.has(to)),
  withholder: () => withhold(),
  amnesiac: forget,
  capricious: beCapricious,
  replayer: replay,
  forger: forgeAnything,
  whisperer: whisper,
  hoarder: keepProofs,
  liar: honestly,
  censor: honestly,
  dawdler: honestly,
};
