import type { Socket } from 'node:net';
import type { Direction } from './direction.ts';

/** Bytes under way from one socket to the other before the sender is made to wait, as the buffers of a real path do. */
const IN_FLIGHT_BYTES_MAX = 1 << 20;

type Item = { readonly bytes: Buffer; readonly dueMs: number } | 'end' | 'reset';

/**
 * One direction of one connection. What a socket says, its end included, reaches the other in order and only as the
 * direction permits: a peer that dies behind a cut is not heard to die.
 */
export class Pipe {
  private readonly items: Item[] = [];
  private bytes = 0;
  private waiting = false;
  private timer: NodeJS.Timeout | null = null;
  private closed = false;
  private lastDueMs = 0;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly direction: Direction,
  ) {
    from.on('data', bytes => this.take(bytes));
    let saidAll = false;
    from.once('end', () => {
      saidAll = true;
      this.push('end');
    });
    from.once('close', () => {
      if (!saidAll) this.push('reset');
    });
    from.on('error', () => {});
    to.on('drain', () => {
      this.waiting = false;
      this.pump();
    });
    direction.pipes.add(this);
  }

  /** Forwards what may go; called again whenever the direction changes. */
  pump(): void {
    while (this.items.length > 0 && !this.waiting && this.direction.open) {
      const item = this.items[0]!;
      if (typeof item === 'string') {
        this.items.shift();
        this.finish(item);
        continue;
      }
      const waitMs = item.dueMs - performance.now();
      if (waitMs > 0) {
        this.timer ??= setTimeout(() => {
          this.timer = null;
          this.pump();
        }, waitMs);
        return;
      }
      this.items.shift();
      this.bytes -= item.bytes.length;
      if (this.bytes < IN_FLIGHT_BYTES_MAX) this.from.resume();
      this.waiting = !this.to.write(this.direction.garbled(item.bytes));
    }
  }

  /** Ends both sockets at once, as a reset does. */
  reset(): void {
    this.direction.pipes.delete(this);
    this.closed = true;
    if (this.timer !== null) clearTimeout(this.timer);
    this.items.length = 0;
    this.from.destroy();
    this.to.resetAndDestroy();
  }

  private take(bytes: Buffer): void {
    this.lastDueMs = Math.max(this.lastDueMs, performance.now() + this.direction.delayMs(bytes.length));
    this.push({ bytes, dueMs: this.lastDueMs });
    this.bytes += bytes.length;
    if (this.bytes >= IN_FLIGHT_BYTES_MAX) this.from.pause();
  }

  private push(item: Item): void {
    if (this.closed) return;
    this.items.push(item);
    this.pump();
  }

  private finish(how: 'end' | 'reset'): void {
    if (how === 'reset') this.reset();
    else {
      this.direction.pipes.delete(this);
      this.to.end();
    }
  }
}
