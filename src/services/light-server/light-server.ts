import { mayAct } from '../../core/access/standing.ts';
import { assertDefined } from '../../core/base/assert.ts';
import type { BlockHash, MemberId, Suite, TransactionId } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { memberOfPeer, readSystem } from '../../core/ledger/read.ts';
import { freshHeadBytes } from '../../core/light/fresh-head.ts';
import { EntryTree, makeReceipt } from '../../core/light/receipt.ts';
import type { Block, CertifiedHeader } from '../../core/types/chain.ts';
import type { Diff, Member } from '../../core/types/state.ts';
import type { ChainStore } from '../../ports/chain-store.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import {
  type HeadQuery,
  type LightFrame,
  type LightRequest,
  lightFrameCodec,
  lightRequestCodec,
} from '../../wire/light.ts';
import { type LightAnswer, lightAnswerCodec, type TransactionStatus } from '../../wire/light-answer.ts';
import { LIGHT_PROTOCOL, LIGHT_SERVER_LIMITS, type LightServerLimits } from './limits.ts';
import { certifiedOf, LogReader } from './log-reader.ts';
import { type Guest, Notices, touchedMembers } from './notices.ts';

export interface LightServerConfig {
  readonly store: ChainStore;
  readonly suite: Suite;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The pool: resolves once it took the encoded wrapper, or with its refusal. */
  readonly submit: (signed: Uint8Array) => Promise<object | Reject>;
  readonly isPending: (id: TransactionId) => boolean;
  /** Signs with this validator's key; null when this node is not in the current set. */
  readonly vouch: (bytes: Uint8Array) => { readonly signer: number; readonly signature: Uint8Array } | null;
  readonly limits?: Partial<LightServerLimits>;
}

/**
 * Serves the nodes of members from the committed chain: heads, their own logs, addresses of members, submission. Who asks
 * is whom the connection proves; who may read what is decided at the committed head, on every question [82] [94].
 */
export class LightServer {
  private readonly limits: LightServerLimits;
  private readonly logs: LogReader;
  /** Connected members' nodes and where they listen; whoever is in here gets notices. */
  private readonly guests = new Map<
    PeerId,
    { readonly member: MemberId; readonly addresses: readonly string[] }
  >();
  private readonly notices: Notices;
  /** Transaction trees of blocks by height, oldest first. */
  private readonly trees = new Map<number, EntryTree>();

  constructor(private readonly config: LightServerConfig) {
    this.limits = { ...LIGHT_SERVER_LIMITS, ...config.limits };
    this.logs = new LogReader(config.store, config.suite, this.limits);
    this.notices = new Notices(config.clock, this.limits, () => this.toTell());
  }

  /** Before the transport starts. */
  register(): void {
    const { transport } = this.config;
    transport.register(LIGHT_PROTOCOL, {
      message: (from, frame) => this.onFrame(from, frame),
      request: (from, frame) => this.onRequest(from, frame),
    });
    transport.onEvents({ connected: () => {}, disconnected: peer => this.guests.delete(peer) });
  }

  /** After each commit. @param diff what the block has changed; all guests are told where it is left out */
  onCommitted(diff?: Diff): void {
    this.notices.committed(diff === undefined ? null : touchedMembers(this.config.store.state, diff));
  }

  stop(): void {
    this.notices.stop();
  }

  private *toTell(): Generator<Guest> {
    const { height } = this.head().block.header;
    const frame = lightFrameCodec.encode({ kind: 'notice', height });
    for (const [peer, { member }] of this.guests) {
      // A guest that does not keep up misses notices and asks when it can.
      yield { member, tell: () => this.config.transport.send(peer, LIGHT_PROTOCOL.id, frame) };
    }
  }

  private head() {
    return assertDefined(this.config.store.head(), 'the chain has its genesis block');
  }

  private system() {
    return readSystem(this.config.store.state);
  }

  private onFrame(from: PeerId, bytes: Uint8Array): Reject | null {
    const frame = lightFrameCodec.decode(bytes);
    if (isReject(frame)) return frame;
    return frame.kind === 'hello' ? this.onHello(from, frame) : null;
  }

  /** The claimed member must be the one that the connection proves [94]. */
  private onHello(from: PeerId, hello: LightFrame & { kind: 'hello' }): Reject | null {
    const member = memberOfPeer(this.system(), from);
    if (member === null) return reject('not_a_member', from, 'ignore');
    if (member.id !== hello.member) return reject('wrong_member', `${from} is not a node of ${hello.member}`);
    this.guests.set(from, { member: member.id, addresses: hello.addresses });
    return null;
  }

  private async onRequest(from: PeerId, bytes: Uint8Array): Promise<Uint8Array | Reject> {
    const request = lightRequestCodec.decode(bytes);
    if (isReject(request)) return request;
    const member = memberOfPeer(this.system(), from);
    if (member === null) return reject('not_a_member', 'only registered members are served', 'ignore');
    const answer = await this.answer(member, request);
    return isReject(answer) ? answer : lightAnswerCodec.encode(answer);
  }

  private async answer(member: Member, request: LightRequest): Promise<LightAnswer | Reject> {
    switch (request.kind) {
      case 'head':
        return this.headSince(request);
      case 'logs':
        return { kind: 'logs', ...this.logs.answer(member.id, request) };
      case 'addresses':
        return this.addresses(mayAct(member) ? new Set(request.members) : new Set());
      case 'submit':
        return { kind: 'verdicts', verdicts: await this.submit(request.transactions) };
      case 'status':
        return { kind: 'statuses', statuses: await this.statuses(request.ids) };
      case 'fresh':
        return this.fresh(request.nonce);
    }
  }

  /** Set changes since genesis are kept, so that a light node may have slept through any number of them [79]. */
  private async headSince({ knownHeight, knownHash }: HeadQuery): Promise<LightAnswer> {
    const { store } = this.config;
    const { setChangesPerAnswer } = this.limits;
    const head = this.head();
    const { height } = head.block.header;
    const found = await store.setChanges(knownHeight, height, setChangesPerAnswer + 1);
    const changes = found.slice(0, setChangesPerAnswer);
    const isCut = found.length > changes.length;
    const certified = isCut ? changes.at(-1)!.certified : certifiedOf(head);
    return { kind: 'head', changes, certified, conflicting: this.conflicting(knownHeight, knownHash) };
  }

  /** The asker has another history: one of both is forked, and the asker can show it [76]. */
  private conflicting(height: number, hash: BlockHash | null): CertifiedHeader | null {
    const own = hash === null ? null : this.config.store.block(height);
    return own === null || own.hash === hash ? null : certifiedOf(own);
  }

  private addresses(members: ReadonlySet<string>): LightAnswer {
    const asked = this.system().members.filter(member => members.has(member.id) && mayAct(member));
    const peers = asked.flatMap(member =>
      member.peerIds.flatMap(peer => {
        const guest = this.guests.get(peer);
        return guest === undefined ? [] : [{ member: member.id, peer, addresses: guest.addresses }];
      }),
    );
    return { kind: 'addresses', peers };
  }

  /** All of a batch at once: what the pool takes in one turn of the event loop travels to the validators in one frame. */
  private async submit(transactions: readonly Uint8Array[]): Promise<(Reject | null)[]> {
    // The request bounds how many these are (`transactionsPerSubmit`).
    const verdicts = await Promise.all(transactions.map(transaction => this.config.submit(transaction)));
    return verdicts.map(verdict => (isReject(verdict) ? verdict : null));
  }

  /** Building the tree of a full block takes milliseconds: others get their turn between two. */
  private async statuses(ids: readonly TransactionId[]): Promise<TransactionStatus[]> {
    const statuses: TransactionStatus[] = [];
    for (const id of ids) statuses.push(await this.status(id));
    return statuses;
  }

  private async status(id: TransactionId): Promise<TransactionStatus> {
    const { store } = this.config;
    const at = store.locate(id);
    const stored = at === null ? null : store.block(at.height);
    if (at === null || stored === null || stored.certificate === null) {
      return { status: this.config.isPending(id) ? 'pending' : 'unknown' };
    }
    const tree = await this.entryTree(stored.block);
    return { status: 'block', receipt: makeReceipt(stored.block, stored.certificate, tree, at.index) };
  }

  private async entryTree(block: Block): Promise<EntryTree> {
    const { height } = block.header;
    const known = this.trees.get(height);
    if (known !== undefined) return known;
    await new Promise<void>(resolve => this.config.clock.setTimer(0, resolve));
    const tree = new EntryTree(this.config.suite.sha256, block);
    this.trees.set(height, tree);
    if (this.trees.size > this.limits.entryTreesKept)
      this.trees.delete(this.trees.keys().next().value as number);
    return tree;
  }

  private fresh(nonce: Uint8Array): LightAnswer | Reject {
    const { block, hash } = this.head();
    const subject = {
      validatorSetId: this.system().validatorSet.id,
      height: block.header.height,
      blockHash: hash,
    };
    const signed = this.config.vouch(freshHeadBytes(block.header.chainId, nonce, subject));
    if (signed === null) return reject('not_a_validator', 'this node is not in the current set', 'ignore');
    return { kind: 'fresh', statement: { ...subject, ...signed } };
  }
}
