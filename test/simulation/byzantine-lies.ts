import { type Hash, ZERO_HASH } from '../../src/core/base/ids.ts';
import { isReject } from '../../src/core/base/reject.ts';
import { headerHash } from '../../src/core/codec/chain.ts';
import { decodeMessage } from '../../src/core/pbft/message-codec.ts';
import type {
  MessageContent,
  NewView,
  PrePrepare,
  PreparedProof,
  SignedMessage,
  ViewChange,
  Vote,
} from '../../src/core/pbft/messages.ts';
import { chooseWindow } from '../../src/core/pbft/new-view-window.ts';
import type { Header } from '../../src/core/types/chain.ts';
import type { Random } from './random.ts';
import { simulatedSuite as suite } from './suite.ts';

/** Who tells it: `message` is what its honest inside would send, `sign` signs with its own key. */
interface Liar {
  readonly message: SignedMessage;
  readonly sign: (content: MessageContent) => SignedMessage;
}

/** Well signed, and wrong in one thing that its receivers must look at; null where there is nothing to be wrong in. */
type Lie<Content> = (content: Content, liar: Liar) => Content | null;
type Lies<Content> = Readonly<Record<string, Lie<Content>>>;

/** More than any quorum here. */
const TIMES = 16;
const DAY_MS = 86_400_000;
const NOBODYS = 'ab'.repeat(32) as Hash;

/** On the head that is shown: a new view would propose it first. */
function neverPrepared({ head }: ViewChange, { message }: Liar): Header {
  const { height, timeMs } = head.header;
  return {
    ...head.header,
    height: height + 1,
    parentHash: headerHash(suite.sha256, head.header),
    timeMs: timeMs + 1,
    validatorSetId: message.validatorSetId,
  };
}

/** One vote, so many times; in the highest view that a proof may be of: it would go before all others. */
function certifiedByOne(kind: Vote['kind'], content: ViewChange, liar: Liar, times: number): PreparedProof {
  const header = neverPrepared(content, liar);
  const blockHash = headerHash(suite.sha256, header);
  const vote = { view: content.view - 1, newViewDigest: ZERO_HASH, height: header.height, blockHash };
  const { signature } = liar.sign({ kind, ...vote });
  const { signer, validatorSetId } = liar.message;
  const signatures = Array.from({ length: times }, () => ({ signer, signature }));
  return { header, certificate: { ...vote, validatorSetId, signatures } };
}

/** In place of what it knows of that height. */
function showing(content: ViewChange, proof: PreparedProof): ViewChange {
  const others = content.prepared.filter(({ header }) => header.height !== proof.header.height);
  return { ...content, prepared: [proof, ...others] };
}

const OF_VIEW_CHANGES: Lies<ViewChange> = {
  'a proof by one': (content, liar) => showing(content, certifiedByOne('prepare', content, liar, 1)),
  'a proof by one, many times': (content, liar) =>
    showing(content, certifiedByOne('prepare', content, liar, TIMES)),
  'a proof of another block': content => {
    const [proof, ...others] = content.prepared;
    if (proof === undefined) return null;
    const header = { ...proof.header, timeMs: proof.header.timeMs + 1 };
    return { ...content, prepared: [{ ...proof, header }, ...others] };
  },
  'a head certified by one': (content, liar) => ({
    ...content,
    head: certifiedByOne('commit', content, liar, 1),
    prepared: [],
  }),
};

/** With the window that these VIEW-CHANGEs lead to, so that nothing else is wrong. */
function opening(content: NewView, viewChanges: readonly SignedMessage[]): NewView {
  const asked = viewChanges.flatMap(signed => {
    const known = decodeMessage(signed);
    return isReject(known) || known.content.kind !== 'viewChange' ? [] : [known.content];
  });
  return {
    ...content,
    viewChanges,
    window: chooseWindow(suite.sha256, asked).blocks.map(({ hash }) => hash),
  };
}

const OF_NEW_VIEWS: Lies<NewView> = {
  'a NEW-VIEW after too few': content =>
    opening(content, content.viewChanges.slice(0, Math.floor(content.viewChanges.length / 2))),
  'a NEW-VIEW after one who asks twice': content => {
    const [first, , ...others] = content.viewChanges;
    return first === undefined ? null : opening(content, [first, first, ...others]);
  },
  'a NEW-VIEW after one who never asked': (content, { message }) => {
    const forged = content.viewChanges.map(signed =>
      signed.signer === message.signer ? signed : { ...signed, signature: message.signature },
    );
    return { ...content, viewChanges: forged };
  },
  'a NEW-VIEW of another window': content => ({ ...content, window: [...content.window, NOBODYS as never] }),
};

const changed = (content: PrePrepare, change: Partial<Header>): PrePrepare => {
  const { header, entries } = content.block;
  return { ...content, block: { header: { ...header, ...change }, entries } };
};

const OF_PROPOSALS: Lies<PrePrepare> = {
  'a block of another state': content => changed(content, { mapRoot: NOBODYS }),
  'a block on another parent': content => changed(content, { parentHash: NOBODYS as never }),
  'a block of another height': content => changed(content, { height: content.block.header.height + 1 }),
  'a block from before its parent': content => changed(content, { timeMs: 1 }),
  'a block of tomorrow': content => changed(content, { timeMs: content.block.header.timeMs + DAY_MS }),
};

const TOLD = 'lie: ';

export const SIGNED_LIE_NAMES = [OF_VIEW_CHANGES, OF_NEW_VIEWS, OF_PROPOSALS]
  .flatMap(lies => Object.keys(lies))
  .map(name => `${TOLD}${name}`);

/** Views change seldom, and blocks come all the time: a primary that lies of each is soon none. */
const CHANCE = { prePrepare: 0.02, viewChange: 0.5, newView: 0.5 } as const;

function lieOf<Content extends MessageContent>(
  lies: Lies<Content>,
  content: Content,
  liar: Liar,
  random: Random,
): { readonly name: string; readonly content: MessageContent } | null {
  const [name, lie] = random.pick(Object.entries(lies));
  const told = lie(content, liar);
  return told === null ? null : { name: `${TOLD}${name}`, content: told };
}

/** @returns what is told in place of the truth, by its name in the coverage; null: the truth */
export function signedLie(content: MessageContent, liar: Liar, random: Random) {
  const { kind } = content;
  if (kind !== 'prePrepare' && kind !== 'viewChange' && kind !== 'newView') return null;
  if (!random.chance(CHANCE[kind])) return null;
  if (kind === 'viewChange') return lieOf(OF_VIEW_CHANGES, content, liar, random);
  return kind === 'newView'
    ? lieOf(OF_NEW_VIEWS, content, liar, random)
    : lieOf(OF_PROPOSALS, content, liar, random);
}
