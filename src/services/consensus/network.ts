import type { BlockHash } from '../../core/base/ids.ts';
import { isReject, type Reject, reject } from '../../core/base/reject.ts';
import type { Reign } from '../../core/pbft/config.ts';
import { decodeMessage } from '../../core/pbft/message-codec.ts';
import type { ConsensusMessage, SignedMessage } from '../../core/pbft/messages.ts';
import { verifyConsensusMessage } from '../../core/pbft/verify.ts';
import type { Block } from '../../core/types/chain.ts';
import { OperatingError } from '../../ports/lifecycle.ts';
import type { Logger } from '../../ports/logger.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import { blockFetchCodec, blockFetchedCodec, consensusMessageCodec } from '../../wire/consensus.ts';
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

  /** Asks the connected validators in turn for a block by its hash, the preferred ones first; null when none has it. */
  async fetchBlock(
    blockHash: BlockHash,
    height: number,
    preferred: readonly PeerId[],
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<Block | null> {
    const { transport, chain } = this.config;
    const connected = chain.connectedValidators();
    const peers = new Set([...preferred.filter(peer => connected.includes(peer)), ...connected]);
    const request = blockFetchCodec.encode({ blockHash, height });
    for (const peer of peers) {
      if (options.signal.aborted) return null;
      try {
        const answer = await transport.request(peer, CONSENSUS_PROTOCOL, request, options);
        const fetched = isReject(answer) ? answer : blockFetchedCodec.decode(answer);
        if (!isReject(fetched) && fetched.block !== null) return fetched.block;
      } catch (error) {
        if (!(error instanceof OperatingError)) throw error;
      }
    }
    return null;
  }

  private receive(from: PeerId, frame: Uint8Array): Reject | null {
    const reign = this.config.reign();
    if (reign === null) return null;
    if (!this.config.chain.validatorPeers().includes(from)) {
      return reject('not_validator', 'the consensus protocol is for validators', 'ignore');
    }
    const signed = consensusMessageCodec.decode(frame);
    if (isReject(signed)) return signed;
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
    const request = blockFetchCodec.decode(frame);
    if (isReject(request)) return request;
    const committed = chain.store.block(request.height);
    const block =
      committed?.hash === request.blockHash ? committed.block : this.config.block(request.blockHash);
    return blockFetchedCodec.encode({ block });
  }
}
