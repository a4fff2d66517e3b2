import { assert } from '../../src/core/base/assert.ts';
import { equalBytes } from '../../src/core/base/bytes.ts';
import { type Hash, ZERO_HASH } from '../../src/core/base/ids.ts';
import { isReject } from '../../src/core/base/reject.ts';
import { headerHash } from '../../src/core/codec/chain.ts';
import type { EngineParameters, EngineStart } from '../../src/core/pbft/config.ts';
import { createEngine, type Engine } from '../../src/core/pbft/engine.ts';
import { decodeMessage } from '../../src/core/pbft/message-codec.ts';
import type { ConsensusMessage, PreparedProof, ShownHead, Vote } from '../../src/core/pbft/messages.ts';
import { newViewDigest } from '../../src/core/pbft/signing.ts';
import { changesSet } from '../../src/core/pbft/state.ts';
import type { Block, Certificate, Header, ValidatorSet } from '../../src/core/types/chain.ts';
import { simulatedSign } from '../simulation/suite.ts';
import { CHAIN_ID } from '../support/toy-ledger.ts';
import { Consortium, PARAMETERS, suite } from '../unit/pbft/kit.ts';

/** Seats: one engine under test, f that are hostile, the others honest. */
export interface Seats {
  readonly n: number;
  /** −1: it observes. */
  readonly own: number;
  readonly hostile: readonly number[];
}

export interface WorldOptions {
  readonly rotationBlocks?: number;
  /** The chain ends with a change of the set to the first so many validators, who have these seats. */
  readonly next?: Seats;
}

const CHAIN_BLOCKS = 6;
export const VIEWS = 5;

/**
 * What could have happened round one engine while one set decides: honest validators voted for one chain and nothing else, whatever hostile ones
 * say. Certificates exist for that chain only, signed by everybody but the engine under test.
 */
export class EngineWorld {
  readonly consortium: Consortium;
  readonly parameters: EngineParameters;
  /** The same under the set that the last block of the chain brings in; null for none. */
  readonly next: EngineWorld | null;
  readonly honest: readonly number[];
  /** The chain that honest validators vote for, above the block that brought the set in. */
  readonly chain: readonly Block[];
  /** Blocks that only hostile ones propose and vote for, on any parent. */
  readonly twins: readonly Block[];
  private readonly made = new Map<string, unknown>();
  private readonly verdicts = new WeakMap<ConsensusMessage, boolean>();

  constructor(
    readonly seats: Seats,
    options: WorldOptions = {},
    later: { readonly set: ValidatorSet; readonly header: Header } | null = null,
  ) {
    this.consortium = new Consortium(seats.n, later);
    this.parameters = { ...PARAMETERS, rotationBlocks: options.rotationBlocks ?? 0 };
    const all = Array.from({ length: seats.n }, (_, index) => index);
    this.honest = all.filter(index => index !== seats.own && !seats.hostile.includes(index));
    const validators =
      options.next === undefined ? null : this.consortium.set.validators.slice(0, options.next.n);
    const chain: Block[] = [];
    for (let count = 1; count <= CHAIN_BLOCKS; count += 1) {
      const parent = chain.at(-1)?.header ?? this.consortium.genesis;
      chain.push(this.consortium.block(parent, `chain ${count}`, count === CHAIN_BLOCKS ? validators : null));
    }
    this.chain = chain;
    const header = chain.at(-1)!.header;
    const set = validators === null ? null : { id: this.consortium.set.id + 1, validators };
    this.next =
      options.next === undefined || set === null ? null : new EngineWorld(options.next, {}, { set, header });
    const parents = [this.consortium.genesis, ...chain.map(({ header }) => header)];
    const twins = parents.map((header, height) => this.consortium.block(header, `twin ${height}`));
    this.twins = [...twins, ...twins.map(({ header }) => this.consortium.block(header, 'on a twin'))];
  }

  get blocks(): readonly Block[] {
    return [...this.chain, ...this.twins];
  }

  /** The block of the chain at a height; undefined below and above. */
  blockAt(height: number): Block | undefined {
    return this.chain[height - 1 - this.consortium.genesis.height];
  }

  /** What executing this block gives besides its header. */
  nextSetOf({ header }: Block): ValidatorSet | null {
    return changesSet(header) ? (this.next?.consortium.set ?? null) : null;
  }

  isChain(block: Block): boolean {
    return this.placeOf(block, this.chain) >= 0;
  }

  private hashesOf(blocks: readonly Block[]): readonly Hash[] {
    const name = blocks === this.chain ? 'chain' : 'twins';
    return this.once(name, () => blocks.map(({ header }) => headerHash(suite.sha256, header)));
  }

  /** By its hash: a block comes back from the log as another object. */
  private placeOf({ header }: Block, blocks: readonly Block[]): number {
    return this.hashesOf(blocks).indexOf(headerHash(suite.sha256, header));
  }

  /** Every other block of the hostile ones has a header that execution does not give. */
  isWrong(block: Block): boolean {
    return !this.isChain(block) && this.placeOf(block, this.twins) % 2 !== 0;
  }

  signers(): number[] {
    return [...this.honest, ...this.seats.hostile].sort((a, b) => a - b);
  }

  /** Signing and verifying are most of a run: each message is made once. */
  once<Value>(key: string, make: () => Value): Value {
    const known = this.made.get(key);
    if (known !== undefined) return known as Value;
    const value = make();
    this.made.set(key, value);
    return value;
  }

  /** The border that every message passes: it decodes to what was signed, and verifies. */
  verifies(message: ConsensusMessage): boolean {
    const known = this.verdicts.get(message);
    if (known !== undefined) return known;
    const decoded = decodeMessage(message.signed);
    const verdict = !isReject(decoded) && this.consortium.verifies(decoded);
    this.verdicts.set(message, verdict);
    return verdict;
  }

  /** @param count of blocks of the chain, up to that which is certified */
  certificate(kind: Vote['kind'], count: number, view: number): Certificate {
    return this.once(`${kind} ${count} ${view}`, () => this.certify(kind, count, view));
  }

  private certify(kind: Vote['kind'], count: number, view: number): Certificate {
    const block = this.chain[count - 1]!;
    const digest = this.digest(view);
    const signatures = this.signers().map(signer => {
      const { signed } = this.consortium.vote(signer, kind, block, view, digest);
      return { signer, signature: signed.signature };
    });
    const { header } = block;
    const blockHash = headerHash(suite.sha256, header);
    const { id: validatorSetId } = this.consortium.set;
    return { validatorSetId, view, newViewDigest: digest, height: header.height, blockHash, signatures };
  }

  /** @param count of blocks of the chain, up to the head */
  head(count: number, view: number): ShownHead {
    if (count === 0) return { header: this.consortium.genesis, certificate: null };
    return { header: this.chain[count - 1]!.header, certificate: this.certificate('commit', count, view) };
  }

  prepared(count: number, view: number): PreparedProof {
    return { header: this.chain[count - 1]!.header, certificate: this.certificate('prepare', count, view) };
  }

  /** Honest ones show that they prepared the whole chain, so that no view of theirs leaves a block out. */
  viewChange(signer: number, view: number): ConsensusMessage {
    return this.once(`view change ${signer} ${view}`, () => {
      const proofs = this.chain.map((_, index) => this.prepared(index + 1, 0));
      return this.consortium.viewChange(signer, view, proofs);
    });
  }

  /** The one NEW-VIEW of a view under which honest validators vote. */
  newView(view: number, signers = this.signers()): ConsensusMessage {
    return this.once(`new view ${view} ${signers}`, () => {
      const viewChanges = signers.map(signer => this.viewChange(signer, view).signed);
      const window = this.chain.map(({ header }) => headerHash(suite.sha256, header));
      return this.consortium.sign(view % this.seats.n, { kind: 'newView', view, viewChanges, window });
    });
  }

  digest(view: number): Hash {
    if (view === 0 || view % this.seats.n === this.seats.own) return ZERO_HASH;
    return this.once(`digest ${view}`, () => {
      const { content } = this.newView(view);
      assert(content.kind === 'newView', 'a NEW-VIEW is one');
      return newViewDigest(suite.sha256, CHAIN_ID, this.consortium.set.id, content);
    });
  }

  /** The engine under test, from a head and a log. It has one key, whatever its seat in a set. */
  engine(start: EngineStart, records: readonly Uint8Array[]): Engine {
    const key = this.consortium.set.validators[this.seats.own]?.publicKey ?? null;
    const findSeat = ({ validators }: ValidatorSet) => {
      const index = validators.findIndex(({ publicKey }) => key !== null && equalBytes(publicKey, key));
      if (key === null || index < 0) return null;
      return { index, sign: (bytes: Uint8Array) => simulatedSign(key, bytes) };
    };
    const engine = createEngine({ suite, chainId: CHAIN_ID, findSeat }, start, records);
    assert(!isReject(engine), 'the log can be read');
    return engine;
  }

  /** Where a node starts that has so many blocks of the chain, and what state transfer brings. */
  start(count: number): EngineStart {
    const { header, certificate } = this.head(count, 0);
    const { reign } =
      changesSet(header) && count > 0 && this.next !== null ? this.next.consortium : this.consortium;
    const { parameters } = this;
    return { header, certificate, blockHash: headerHash(suite.sha256, header), reign, parameters };
  }
}
