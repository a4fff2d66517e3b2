import type { BlockHash } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import { headerHash } from '../../core/codec/chain.ts';
import type { Reign } from '../../core/pbft/config.ts';
import { decodeMessage } from '../../core/pbft/message-codec.ts';
import type { ConsensusMessage, NewView, SignedMessage } from '../../core/pbft/messages.ts';
import { verifyBlockEntries, verifyConsensusMessage } from '../../core/pbft/verify.ts';
import type { Block } from '../../core/types/chain.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { Logger } from '../../ports/logger.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import type { WireCodec } from '../../wire/codec.ts';
import {
  blockFetchedCodec,
  type ConsensusRequest,
  consensusMessageCodec,
  consensusRequestCodec,
  type NewViewFetch,
  newViewFetchedCodec,
} from '../../wire/consensus.ts';
import type { ChainReader } from './chain-reader.ts';
import {
  CONSENSUS_FRAME_BYTES_MAX,
  CONSENSUS_OUTBOX_BYTES_MAX,
  CONSENSUS_PROTOCOL,
  CONSENSUS_REQUESTS_IN_FLIGHT_MAX,
} from './limits.ts';

export interface NetworkConfig {
  readonly chain: ChainReader;
  readonly transport: Transport;
  readonly logger: Logger;
  /** Null while the engine is not running: messages are dropped, the others send them again. */
  reign(): Reign | null;
  /** A message of the current set with verified signatures. */
  verified(message: ConsensusMessage): void;
  otherSet(validatorSetId: number, peerId: PeerId): void;
  connected(peerId: PeerId): void;
  /** A block in flight. */
  block(hash: BlockHash): Block | null;
  /** The NEW-VIEW of this node's view; null in the first view of a set, and while one is awaited. */
  newView(): ConsensusMessage<NewView> | null;
}

/** PBFT messages and block requests on `/phaseline/consensus/1`. */
export class ConsensusNetwork {
  constructor(private readonly config: NetworkConfig) {}

  /** Before the transport starts. */
  register(): void {
    const { transport, chain } = this.config;
    transport.register(
      {
        id: CONSENSUS_PROTOCOL,
        frameBytesMax: CONSENSUS_FRAME_BYTES_MAX,
        outboxBytesMax: CONSENSUS_OUTBOX_BYTES_MAX,
        requestsInFlightMax: CONSENSUS_REQUESTS_IN_FLIGHT_MAX,
      },
      {
        message: (from, frame) => this.receive(from, frame),
        request: (from, frame) => this.answer(from, frame),
      },
    );
    transport.onEvents({
      connected: peer => {
        if (this.config.reign() !== null && chain.validatorPeers().includes(peer))
          this.config.connected(peer);
      },
      disconnected: () => {},
    });
  }

  send(to: 'all' | { readonly peerId: string }, message: SignedMessage): void {
    const frame = consensusMessageCodec.encode(message);
    const { transport, chain, logger } = this.config;
    for (const peer of to === 'all' ? chain.connectedValidators() : [to.peerId]) {
      if (!transport.send(peer, CONSENSUS_PROTOCOL, frame)) {
        logger.debug({ peer, kind: message.kind }, 'message not sent: no connection or outbox full');
      }
    }
  }

  /**
   * Asks the connected validators in turn for a block by its hash, the preferred ones first; null when none has it. Whoever
   * answers with another block has not answered: it must not keep the others from being asked.
   */
  async fetchBlock(
    blockHash: BlockHash,
    height: number,
    preferred: readonly PeerId[],
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<Block | null> {
    const { chain, logger } = this.config;
    const { suite } = chain;
    const connected = chain.connectedValidators();
    const peers = new Set([...preferred.filter(peer => connected.includes(peer)), ...connected]);
    for (const peer of peers) {
      const request = { type: 'block', blockHash, height } as const;
      const { block } = (await this.ask(peer, request, blockFetchedCodec, options)) ?? { block: null };
      if (block === null) continue;
      if (headerHash(suite.sha256, block.header) === blockHash && verifyBlockEntries(suite, block))
        return block;
      logger.warn({ peer, height }, 'another block than the one asked for');
    }
    return null;
  }

  /** Asks the connected ones of these peers for a later NEW-VIEW, all at once; what verifies comes as a message. */
  async fetchNewView(
    view: number,
    peers: readonly PeerId[],
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<void> {
    const reign = this.config.reign();
    const connected = this.config.chain.connectedValidators();
    if (reign === null) return;
    const request = { type: 'newView', validatorSetId: reign.set.id, view } as const;
    const asked = peers.filter(peer => connected.includes(peer));
    const ask = async (peer: PeerId) => {
      const answer = await this.ask(peer, request, newViewFetchedCodec, options);
      if (answer != null && answer.newView !== null) this.take(peer, answer.newView);
    };
    await Promise.all(asked.map(ask));
  }

  /** Null when there is no answer. */
  private async ask<T>(
    peer: PeerId,
    request: ConsensusRequest,
    codec: WireCodec<T>,
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<T | null> {
    if (options.signal.aborted) return null;
    const frame = consensusRequestCodec.encode(request);
    try {
      const answer = await this.config.transport.request(peer, CONSENSUS_PROTOCOL, frame, options);
      const decoded = isReject(answer) ? answer : codec.decode(answer);
      return isReject(decoded) ? null : decoded;
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      return null;
    }
  }

  private receive(from: PeerId, frame: Uint8Array): Reject | null {
    if (this.config.reign() === null) return null;
    if (!this.config.chain.validatorPeers().includes(from)) {
      return reject('not_validator', 'the consensus protocol is for validators', 'ignore');
    }
    const signed = consensusMessageCodec.decode(frame);
    return isReject(signed) ? signed : this.take(from, signed);
  }

  private take(from: PeerId, signed: SignedMessage): Reject | null {
    const reign = this.config.reign();
    if (reign === null) return null;
    if (signed.validatorSetId !== reign.set.id) {
      this.config.otherSet(signed.validatorSetId, from);
      return null;
    }
    const message = decodeMessage(signed);
    if (isReject(message)) return message;
    if (!verifyConsensusMessage(this.config.chain.suite, reign, message)) {
      this.config.logger.warn({ peer: from, kind: signed.kind }, 'consensus message refused');
      return reject('bad_message', `${signed.kind} of signer ${signed.signer}`);
    }
    this.config.verified(message);
    return null;
  }

  private async answer(from: PeerId, frame: Uint8Array): Promise<Uint8Array | Reject> {
    const { chain } = this.config;
    if (!chain.validatorPeers().includes(from)) {
      return reject('not_validator', 'the consensus protocol is for validators', 'ignore');
    }
    const request = consensusRequestCodec.decode(frame);
    if (isReject(request)) return request;
    if (request.type === 'newView') return this.answerNewView(request);
    const committed = chain.store.block(request.height);
    const block =
      committed?.hash === request.blockHash ? committed.block : this.config.block(request.blockHash);
    return blockFetchedCodec.encode({ block });
  }

  private answerNewView({ validatorSetId, view }: NewViewFetch): Uint8Array {
    const newView = this.config.newView();
    const isLater = newView?.signed.validatorSetId === validatorSetId && newView.content.view > view;
    return newViewFetchedCodec.encode({ newView: isLater ? newView.signed : null });
  }
}
