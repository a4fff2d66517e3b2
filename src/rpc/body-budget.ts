import type { IncomingHttpHeaders } from 'node:http';
import type { RpcLimits } from './limits.ts';

/**
 * Bounds what strangers can make the server hold at the same time: large bodies are admitted by their announced length (by
 * the limit when they announce none); small ones always are, their number being bounded by the connections.
 */
export class BodyBudget {
  private heldBytes = 0;

  constructor(private readonly limits: RpcLimits) {}

  /** @returns how to give the share back, or null when there is none left */
  take(headers: IncomingHttpHeaders): (() => void) | null {
    const { bodyBytesMax, bodyBytesSmall, bodyBytesInFlightMax } = this.limits;
    const announced =
      headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : bodyBytesMax;
    // Longer than the limit is refused before it is read.
    if (!(announced > bodyBytesSmall) || announced > bodyBytesMax) return () => {};
    if (this.heldBytes + announced > bodyBytesInFlightMax) return null;
    this.heldBytes += announced;
    return () => {
      this.heldBytes -= announced;
    };
  }
}
