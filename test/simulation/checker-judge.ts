import type { Reign } from '../../src/core/pbft/config.ts';
import type {
  MessageContent,
  MessageKind,
  NewView,
  PrePrepare,
  PreparedProof,
  ShownHead,
  SignedMessage,
  ViewChange,
} from '../../src/core/pbft/messages.ts';
import type { BlockEntry, Certificate, Header } from '../../src/core/types/chain.ts';
import { goodSigners, hashOfHeader, isSigned, quorumOf, tagged, u64 } from './checker-certificate.ts';
import { simulatedSuite as suite } from './suite.ts';

/** Blocks that a message about views may name, and the highest view: docs/PROTOCOL.md. */
const WINDOW_MAX = 256;
const VIEW_MAX = 2 ** 48;

const PURPOSES: Readonly<Record<MessageKind, string>> = {
  prePrepare: 'pbft-pre-prepare',
  prepare: 'pbft-prepare',
  commit: 'pbft-commit',
  checkpoint: 'pbft-checkpoint',
  viewChange: 'pbft-view-change',
  newView: 'pbft-new-view',
  status: 'pbft-status',
  complaint: 'pbft-complaint',
};

type Fault = string | null;

/** View and digest stand before the block in the body of a PRE-PREPARE: u64 and hash. */
const PROPOSAL_START_BYTES = 40;

/** Tag, chain and set, by reign and purpose. */
const beginnings = new WeakMap<Reign, Map<string, Buffer>>();

function beginningOf(reign: Reign, purpose: string): Buffer {
  const known = beginnings.get(reign) ?? new Map<string, Buffer>();
  beginnings.set(reign, known);
  const beginning = known.get(purpose) ?? tagged(purpose, `${reign.chainId}${u64(reign.set.id)}`);
  known.set(purpose, beginning);
  return beginning;
}

/** Every message is signed over its own body, but a PRE-PREPARE: over the hash in place of the block. */
function signedBytes(reign: Reign, { kind, body }: SignedMessage, content: MessageContent): Buffer {
  const beginning = beginningOf(reign, PURPOSES[kind]);
  if (content.kind !== 'prePrepare') return Buffer.concat([beginning, body]);
  const { header } = content.block;
  const named = Buffer.from(`${u64(header.height)}${hashOfHeader(header)}`, 'hex');
  return Buffer.concat([beginning, body.subarray(0, PROPOSAL_START_BYTES), named]);
}

/** What the votes of a view name: the hash of the bytes that its NEW-VIEW is signed over. */
export function digestOf(reign: Reign, { kind, body }: SignedMessage): string {
  return suite.sha256(Buffer.concat([beginningOf(reign, PURPOSES[kind]), body]));
}

const isAscending = (numbers: readonly number[]) =>
  numbers.every((number, at) => at === 0 || number > (numbers[at - 1] as number));

/** Of a quorum under a header of this reign, all good, each signer once and in order. */
function faultOfVotes(
  reign: Reign,
  tag: 'prepare' | 'commit',
  header: Header,
  certificate: Certificate,
): Fault {
  const { set, chainId, startHeight } = reign;
  if (header.chainId !== chainId || header.validatorSetId !== set.id || certificate.validatorSetId !== set.id)
    return 'of another chain or set';
  if (header.height !== certificate.height || hashOfHeader(header) !== certificate.blockHash)
    return 'for another block';
  if (header.height <= startHeight) return 'from before the set';
  if (!isAscending(certificate.signatures.map(({ signer }) => signer))) return 'with signers out of order';
  const good = goodSigners(tag, chainId, certificate, set).size;
  if (good < certificate.signatures.length) return 'with a signature that is not good';
  return good < quorumOf(set.validators.length) ? `with ${good} signatures` : null;
}

function faultOfHead(reign: Reign, { header, certificate }: ShownHead): Fault {
  if (certificate !== null) return faultOfVotes(reign, 'commit', header, certificate);
  const isStart = header.height === reign.startHeight && hashOfHeader(header) === reign.startHash;
  return isStart ? null : 'without a certificate';
}

function faultOfProof(reign: Reign, view: number, { header, certificate }: PreparedProof): Fault {
  if (certificate.view >= view) return `of view ${certificate.view}`;
  return faultOfVotes(reign, 'prepare', header, certificate);
}

function faultOfViewChange(reign: Reign, { view, head, prepared }: ViewChange): Fault {
  if (view < 1 || view > VIEW_MAX) return 'no such view';
  const fault = faultOfHead(reign, head);
  if (fault !== null) return `a head ${fault}`;
  const from = head.header.height;
  const heights = prepared.map(({ header }) => header.height);
  if (!isAscending([from, ...heights]) || (heights.at(-1) ?? 0) > from + WINDOW_MAX)
    return `prepared at ${heights.join()} above ${from}`;
  for (const proof of prepared) {
    const wrong = faultOfProof(reign, view, proof);
    if (wrong !== null) return `a proof of ${proof.header.height} ${wrong}`;
  }
  return null;
}

/** Where a view begins, and what it must propose again above that. */
export interface Opening {
  readonly base: number;
  readonly window: readonly string[];
  /** The highest block that anybody showed as prepared. */
  readonly highest: number;
}

/** The highest commit shown; above it, as long as each stands on the one below, what was prepared in the highest view. */
export function openingOf(viewChanges: readonly ViewChange[]): Opening {
  const heads = viewChanges.map(({ head }) => head.header);
  const base = heads.reduce((best, header) => (header.height > best.height ? header : best));
  const proofs = viewChanges.flatMap(({ prepared }) => prepared);
  const window: string[] = [];
  let below = hashOfHeader(base);
  for (let height = base.height + 1; ; height += 1) {
    let best: PreparedProof | null = null;
    for (const proof of proofs)
      if (proof.header.height === height && proof.certificate.view > (best?.certificate.view ?? -1))
        best = proof;
    if (best === null || best.header.parentHash !== below) break;
    below = hashOfHeader(best.header);
    window.push(below);
  }
  const highest = proofs.reduce((most, { header }) => Math.max(most, header.height), 0);
  return { base: base.height, window, highest };
}

const hashed = (prefix: number, ...parts: Uint8Array[]) =>
  suite.sha256(Buffer.concat([Uint8Array.of(prefix), ...parts]));

function entryHash({ id, wrapperHash, outcome }: BlockEntry): string {
  return hashed(0, tagged('block-entry', `${id}${wrapperHash}${outcome.toString(16).padStart(4, '0')}`));
}

/** RFC 9162, section 2.1.1. */
export function rootOf(leaves: readonly string[]): string {
  if (leaves.length < 2) return leaves[0] ?? suite.sha256(new Uint8Array(0));
  let left = 1;
  while (2 * left < leaves.length) left *= 2;
  const halves = [leaves.slice(0, left), leaves.slice(left)].map(half => Buffer.from(rootOf(half), 'hex'));
  return hashed(1, ...halves);
}

function faultOfProposal({ chainId, set }: Reign, signer: number, { view, block }: PrePrepare): Fault {
  const { header, entries } = block;
  if (signer !== view % set.validators.length) return 'by one who is not the primary';
  if (header.chainId !== chainId || header.validatorSetId !== set.id) return 'of another chain or set';
  return rootOf(entries.map(entryHash)) === header.transactionsRoot
    ? null
    : 'with other entries than its header';
}

/**
 * What is wrong with a message, judged without the code that the nodes judge by; only what was decoded is taken from them.
 */
export class Judge {
  private readonly verdicts = new WeakMap<SignedMessage, Fault>();

  /** @param contentOf decodes; null for what cannot be */
  constructor(private readonly contentOf: (signed: SignedMessage) => MessageContent | null) {}

  faultOf(reign: Reign, signed: SignedMessage): Fault {
    const known = this.verdicts.get(signed);
    if (known !== undefined) return known;
    const fault = this.judge(reign, signed);
    this.verdicts.set(signed, fault);
    return fault;
  }

  private judge(reign: Reign, signed: SignedMessage): Fault {
    const content = this.contentOf(signed);
    const { set } = reign;
    const validator = set.validators[signed.signer];
    if (content === null) return 'cannot be read';
    if (validator === undefined || signed.validatorSetId !== set.id) return 'is of nobody in the set';
    if (!isSigned(validator.publicKey, signedBytes(reign, signed, content), signed.signature))
      return 'has a bad signature';
    switch (content.kind) {
      case 'prePrepare':
        return faultOfProposal(reign, signed.signer, content);
      case 'viewChange':
        return faultOfViewChange(reign, content);
      case 'newView':
        return this.faultOfNewView(reign, signed.signer, content);
      case 'status':
        return faultOfHead(reign, content.head);
      case 'complaint':
        return isAscending([-1, ...content.gone, set.validators.length]) ? null : 'misses who is not there';
      default:
        return null;
    }
  }

  private faultOfNewView(reign: Reign, signer: number, { view, viewChanges, window }: NewView): Fault {
    const { length } = reign.set.validators;
    if (view < 1 || signer !== view % length) return 'by one who is not the primary';
    if (viewChanges.length < quorumOf(length)) return `after ${viewChanges.length} who asked for it`;
    if (!isAscending(viewChanges.map(nested => nested.signer))) return 'after signers out of order';
    const asked: ViewChange[] = [];
    for (const nested of viewChanges) {
      const content = this.contentOf(nested);
      if (content?.kind !== 'viewChange' || content.view !== view) return 'after what asks for no such view';
      const fault = this.faultOf(reign, nested);
      if (fault !== null) return `after a VIEW-CHANGE of ${nested.signer} with ${fault}`;
      asked.push(content);
    }
    const { window: due } = openingOf(asked);
    return due.join() === window.join() ? null : `proposes ${window.length} again, due are ${due.length}`;
  }
}
