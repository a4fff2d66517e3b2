import { isReject } from '../../src/core/base/reject.ts';
import { OperatingError } from '../../src/ports/lifecycle.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import type { PeerId } from '../../src/ports/transport.ts';
import { LightClient } from '../../src/services/light-client/light-client.ts';
import { LIGHT_PROTOCOL } from '../../src/services/light-server/limits.ts';
import { lightAnswerCodec } from '../../src/wire/light-answer.ts';
import type { Actor, Consortium, Identity } from './consortium.ts';
import { Machine, type World } from './machine.ts';
import type { SimulatedNetwork } from './network.ts';
import { simulatedSuite } from './suite.ts';
import { SimulatedTransport } from './transport.ts';

/** Shorter than in production, where simulated minutes would pass. */
const LIMITS = { requestTimeoutMs: 1500, crossCheckMs: 1500, liarMs: 3000, failedMs: 200 };

/** Tells what sources answered. */
class TappedTransport extends SimulatedTransport {
  onAnswer: (peer: PeerId, frame: Uint8Array) => void = () => {};

  override async request(
    ...[peer, protocol, frame, options]: Parameters<SimulatedTransport['request']>
  ): ReturnType<SimulatedTransport['request']> {
    const answer = await super.request(peer, protocol, frame, options);
    if (!isReject(answer) && protocol === LIGHT_PROTOCOL.id) this.onAnswer(peer, answer);
    return answer;
  }
}

/** A member's node: the real light client on a simulated machine. */
export class SimulatedLightNode {
  readonly machine: Machine;
  client: LightClient | null = null;
  /** Items that honest sources served, as `log:transaction`. */
  readonly served = new Set<string>();
  private isRetired = false;
  private transport: SimulatedTransport | null = null;

  constructor(
    readonly actor: Actor,
    readonly place: number,
    private readonly world: World,
    private readonly consortium: Consortium,
    private readonly network: SimulatedNetwork,
    private readonly sources: readonly Identity[],
    private readonly isHonestPeer: (peer: PeerId) => boolean,
  ) {
    const options = { name: this.name, place, eventMs: 0, flushMs: [0.1, 0.5] as const };
    const ignored = { logDurable: () => {}, namesDurable: () => {}, batchDurable: () => {}, done: () => {} };
    const events = {
      ...ignored,
      crashed: (error: unknown) => this.fatal(error),
      powerLost: () => this.crash(),
    };
    this.machine = new Machine(world, options, events, new Map());
  }

  get name(): string {
    return `light-${this.actor.id}`;
  }

  get peerId(): PeerId {
    return this.actor.card.peerIds[0] ?? '';
  }

  /** The power goes for good. */
  retire(): void {
    this.isRetired = true;
    this.crash();
  }

  start(): void {
    if (this.machine.isOn || this.isRetired) return;
    const { machine, world } = this;
    machine.boot();
    world.trace.line(`${this.name} starts`);
    const fatal = (error: unknown) => this.fatal(error);
    const transport = new TappedTransport(this.network, machine, this.peerId, null, fatal);
    transport.onAnswer = (peer, frame) => this.heard(peer, frame);
    const client = new LightClient({
      genesis: this.consortium.genesis,
      member: this.actor.id,
      suite: simulatedSuite,
      kv: machine.disk,
      transport,
      clock: machine.clock(),
      random: length => Uint8Array.from({ length }, () => world.random.between(0, 255)),
      logger: silentLogger,
      sources: this.sources.map(({ peerId }) => ({ peer: peerId, addresses: [] })),
      fail: fatal,
      limits: LIMITS,
    });
    client.register();
    this.transport = transport;
    this.client = client;
    const begin = async () => {
      await transport.start();
      await client.start();
    };
    begin().catch(error => {
      if (this.client === client) this.fatal(error);
    });
  }

  /** The power goes. */
  crash(): void {
    if (!this.machine.isOn) return;
    this.world.trace.line(`${this.name} loses power at ${this.client?.head().height}`);
    this.client = null;
    this.transport?.leave();
    this.transport = null;
    this.machine.halt(true);
  }

  private heard(peer: PeerId, frame: Uint8Array): void {
    if (!this.isHonestPeer(peer)) return;
    const answer = lightAnswerCodec.decode(frame);
    if (isReject(answer)) {
      this.world.broken(new Error(`honest ${peer} answers ${this.name} with what cannot be decoded`));
      return;
    }
    if (answer.kind !== 'logs') return;
    for (const log of answer.logs)
      if (log.kind === 'part')
        for (const { leaf } of log.part.items)
          this.served.add(`${log.logId}:${Buffer.from(leaf).toString('base64')}`);
  }

  private fatal(error: unknown): void {
    if (!this.machine.isOn) return;
    const isDisk =
      error instanceof OperatingError && (error.code === 'write_failed' || error.code === 'corrupt');
    if (isDisk && this.machine.disk.faults > 0) {
      this.world.coverage.hit(`light: stops: ${error.code}`);
      this.crash();
    } else this.world.broken(error instanceof Error ? error : new Error(String(error)));
  }
}
