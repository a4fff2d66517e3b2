import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import { POOL_WIRE_LIMITS, poolFrameCodec } from '../../wire/pool.ts';
import { POOL_PROTOCOL } from './limits.ts';

/**
 * Collects the bodies that this node accepted during one turn of the event loop and hands them to the transport in few frames.
 * A peer that is not connected, or whose outbox is full, is skipped: it hears of the ids when it connects, and fetches
 * what a proposal names.
 */
export class Outgoing {
  private waiting: Uint8Array[] = [];
  private flushed: Promise<void> | null = null;

  constructor(
    private readonly transport: Transport,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly frameBytesTarget: number,
    private readonly receivers: () => readonly PeerId[],
  ) {}

  /** Resolves when the body has been handed to the transport. */
  add(bytes: Uint8Array): Promise<void> {
    this.waiting.push(bytes);
    this.flushed ??= new Promise(resolve => {
      this.clock.defer(() => {
        this.flushed = null;
        this.flush();
        resolve();
      });
    });
    return this.flushed;
  }

  private flush(): void {
    const bodies = this.waiting;
    this.waiting = [];
    const peers = this.receivers();
    for (const group of groupBodies(bodies, this.frameBytesTarget)) {
      const frame = poolFrameCodec.encode({ kind: 'bodies', transactions: group });
      for (const peer of peers) {
        if (!this.transport.send(peer, POOL_PROTOCOL, frame)) {
          this.logger.debug({ peer, transactions: group.length }, 'bodies not sent: the peer fetches them');
        }
      }
    }
  }
}

/** Splits bodies into frames by size and number; a body above the target travels alone. */
function groupBodies(bodies: readonly Uint8Array[], bytesTarget: number): Uint8Array[][] {
  const groups: Uint8Array[][] = [];
  let group: Uint8Array[] = [];
  let bytes = 0;
  for (const body of bodies) {
    const full = bytes + body.length > bytesTarget || group.length >= POOL_WIRE_LIMITS.bodiesPerFrame;
    if (full && group.length > 0) {
      groups.push(group);
      group = [];
      bytes = 0;
    }
    group.push(body);
    bytes += body.length;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}
