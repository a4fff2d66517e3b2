import { assert } from '../../../src/core/base/assert.ts';
import { utf8 } from '../../../src/core/base/bytes.ts';
import { ZERO_HASH } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { headerHash } from '../../../src/core/codec/chain.ts';
import type { EngineParameters, EngineStart, Reign } from '../../../src/core/pbft/config.ts';
import type { Effect } from '../../../src/core/pbft/effect.ts';
import { createEngine, type Engine, step } from '../../../src/core/pbft/engine.ts';
import type { Input } from '../../../src/core/pbft/input.ts';
import { decodeMessage, encodeContent } from '../../../src/core/pbft/message-codec.ts';
import type {
  ConsensusMessage,
  MessageContent,
  PreparedProof,
  ShownHead,
  SignedMessage,
  Vote,
} from '../../../src/core/pbft/messages.ts';
import { signedBytes } from '../../../src/core/pbft/signing.ts';
import { verifyConsensusMessage } from '../../../src/core/pbft/verify.ts';
import { quorumSize } from '../../../src/core/quorum/quorum.ts';
import type { Block, Certificate, Header, ValidatorSet } from '../../../src/core/types/chain.ts';
import { simulatedKey, simulatedSign, simulatedSuite as suite } from '../../simulation/suite.ts';
import { CHAIN_ID, genesisHeader, makeBlock } from '../../support/toy-ledger.ts';

export { suite };

export const PARAMETERS: EngineParameters = {
  checkpointIntervalBlocks: 2,
  windowBlocks: 4,
  viewTimeoutMs: 100,
  viewTimeoutMsMax: 1000,
  rotationBlocks: 0,
};

/** A validator set of `n` with its genesis, and the means to speak as each of its members. */
export class Consortium {
  readonly set: ValidatorSet;
  readonly genesis: Header;
  readonly reign: Reign;

  /** @param later a set that comes after genesis, and the block that brings it in, in place of `genesis` */
  constructor(
    readonly n: number,
    later: { readonly set: ValidatorSet; readonly header: Header } | null = null,
  ) {
    const validators = Array.from({ length: n }, (_, index) => {
      const name = `v${index}`;
      return { name, publicKey: simulatedKey(name), peerId: `peer-${index}` };
    });
    this.set = later?.set ?? { id: 0, validators };
    this.genesis = later?.header ?? genesisHeader(this.set);
    const startHash = headerHash(suite.sha256, this.genesis);
    this.reign = { chainId: CHAIN_ID, set: this.set, startHeight: this.genesis.height, startHash };
  }

  start(): EngineStart {
    const { genesis: header, reign } = this;
    return { header, blockHash: reign.startHash, certificate: null, reign, parameters: PARAMETERS };
  }

  engine(index: number, records: readonly Uint8Array[] = [], parameters = PARAMETERS): Engine {
    const findSeat = (set: ValidatorSet) => {
      const validator = set.validators[index];
      if (validator === undefined) return null;
      return { index, sign: (bytes: Uint8Array) => simulatedSign(validator.publicKey, bytes) };
    };
    const engine = createEngine(
      { suite, chainId: CHAIN_ID, findSeat },
      { ...this.start(), parameters },
      records,
    );
    assert(!isReject(engine), 'the log can be read');
    return engine;
  }

  /** A block on `parent` with one transaction named by `label`. */
  block(parent: Header, label: string, nextValidators: ValidatorSet['validators'] | null = null): Block {
    const id = suite.sha256(utf8(`${label} on ${parent.height}`));
    const hash = headerHash(suite.sha256, parent);
    const at = { header: parent, hash };
    return makeBlock(at, this.set, this.genesis.height, parent.timeMs + 10, [id], nextValidators).block;
  }

  sign<Content extends MessageContent>(signer: number, content: Content): ConsensusMessage<Content> {
    const key = this.set.validators[signer]?.publicKey ?? simulatedKey('stranger');
    const bytes = signedBytes(suite.sha256, CHAIN_ID, this.set.id, content);
    const signature = simulatedSign(key, bytes);
    const { id: validatorSetId } = this.set;
    return {
      signed: { kind: content.kind, validatorSetId, signer, body: encodeContent(content), signature },
      content,
    };
  }

  vote(signer: number, kind: Vote['kind'], block: Block, view = 0, newViewDigest = ZERO_HASH) {
    const blockHash = headerHash(suite.sha256, block.header);
    const { height } = block.header;
    return this.sign<Vote>(signer, { kind, view, newViewDigest, height, blockHash });
  }

  proposal(block: Block, view = 0, newViewDigest = ZERO_HASH) {
    return this.sign(view % this.n, { kind: 'prePrepare', view, newViewDigest, block });
  }

  certificate(kind: Vote['kind'], block: Block, view = 0, newViewDigest = ZERO_HASH): Certificate {
    const votes = Array.from({ length: quorumSize(this.n) }, (_, signer) =>
      this.vote(signer, kind, block, view, newViewDigest),
    );
    return {
      validatorSetId: this.set.id,
      view,
      newViewDigest,
      height: block.header.height,
      blockHash: headerHash(suite.sha256, block.header),
      signatures: votes.map(({ signed }) => ({ signer: signed.signer, signature: signed.signature })),
    };
  }

  prepared(block: Block, view = 0): PreparedProof {
    return { header: block.header, certificate: this.certificate('prepare', block, view) };
  }

  head(block: Block | null, view = 0): ShownHead {
    if (block === null) return { header: this.genesis, certificate: null };
    return { header: block.header, certificate: this.certificate('commit', block, view) };
  }

  viewChange(signer: number, view: number, prepared: readonly PreparedProof[] = [], head = this.head(null)) {
    return this.sign(signer, { kind: 'viewChange', view, head, prepared });
  }

  verifies(message: ConsensusMessage): boolean {
    return verifyConsensusMessage(suite, this.reign, message);
  }
}

/** What an engine gave: its effects in order, with those inside `then`; the log is what has been flushed. */
export class Driver {
  readonly effects: Effect[] = [];
  readonly log: Uint8Array[] = [];
  /** Answers persist, execute and commit at once when true. */
  autoPersist = true;
  autoCommit = true;
  private readonly held: Extract<Effect, { type: 'persist' }>[] = [];

  constructor(
    readonly engine: Engine,
    public autoExecute = true,
  ) {
    this.give({ type: 'start' });
  }

  give(...inputs: readonly Input[]): void {
    for (const input of inputs) for (const effect of step(this.engine, input)) this.perform(effect);
  }

  receive(...messages: readonly ConsensusMessage[]): void {
    for (const message of messages) this.give({ type: 'message', message });
  }

  private perform(effect: Effect): void {
    this.effects.push(effect);
    if (effect.type === 'persist') {
      this.held.push(effect);
      if (this.autoPersist) this.flush();
    } else if (effect.type === 'trim') this.log.splice(0, this.log.length, ...effect.records);
    else if (effect.type === 'execute' && this.autoExecute)
      this.give({ type: 'executed', executionId: effect.executionId, verdict: null, nextSet: null });
    else if (effect.type === 'commit' && this.autoCommit) {
      const { height } = effect.block.header;
      this.give({ type: 'committed', height, parameters: this.engine.parameters });
    }
  }

  /** Makes everything durable that waits for it. */
  flush(): void {
    for (let next = this.held.shift(); next !== undefined; next = this.held.shift()) {
      this.log.push(...next.records);
      for (const effect of next.then) this.perform(effect);
      this.give({ type: 'persisted', ticket: next.ticket });
    }
  }

  all<Type extends Effect['type']>(type: Type): Extract<Effect, { type: Type }>[] {
    return this.effects.filter((effect): effect is Extract<Effect, { type: Type }> => effect.type === type);
  }

  /** Decoded messages of one kind that were sent, to whomever. */
  sent<Kind extends MessageContent['kind']>(kind: Kind): Extract<MessageContent, { kind: Kind }>[] {
    return this.sentSigned(kind).map(signed => {
      const message = decodeMessage(signed);
      assert(!isReject(message), 'own messages decode');
      return message.content as Extract<MessageContent, { kind: Kind }>;
    });
  }

  sentSigned(kind: MessageContent['kind']): SignedMessage[] {
    return this.all('send')
      .map(({ message }) => message)
      .filter(message => message.kind === kind);
  }

  /** Fires the running timer of that name. */
  fire(name: 'view' | 'resend'): void {
    const last = this.all('setTimer')
      .filter(effect => effect.name === name)
      .at(-1);
    if (last !== undefined) this.give({ type: 'timer', name, generation: last.generation });
  }

  forget(): void {
    this.effects.length = 0;
  }
}
