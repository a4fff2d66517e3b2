import { fail } from 'node:assert';
import { utf8, utf8Decode } from '../../src/core/base/bytes.ts';
import type { Reject } from '../../src/core/base/reject.ts';
import type { PeerId, ProtocolHandler, ProtocolOptions, Transport } from '../../src/ports/transport.ts';

export const ECHO: ProtocolOptions = {
  id: '/phaseline/echo/1',
  frameBytesMax: 2 << 20,
  outboxBytesMax: 8 << 20,
  requestsInFlightMax: 8,
};

/** A transport that notes what happens to it, and lets a test wait for it without a clock. */
export class RecordingPeer {
  readonly events: string[] = [];
  readonly frames: { readonly from: PeerId; readonly text: string; readonly bytes: Uint8Array }[] = [];
  answer: (from: PeerId, frame: Uint8Array) => Promise<Uint8Array | Reject> = async (_, frame) => frame;
  judge: (frame: Uint8Array) => Reject | null = () => null;
  private readonly waiting = new Set<() => void>();

  constructor(
    readonly transport: Transport,
    options: ProtocolOptions = ECHO,
  ) {
    const handler: ProtocolHandler = {
      message: (from, frame) => {
        this.frames.push({ from, text: utf8Decode(frame.subarray(0, 64)) ?? '', bytes: frame });
        this.changed();
        return this.judge(frame);
      },
      request: (from, frame) => this.answer(from, frame),
    };
    transport.register(options, handler);
    transport.onEvents({
      connected: peer => this.note(`connected ${peer}`),
      disconnected: peer => this.note(`disconnected ${peer}`),
    });
  }

  get id(): PeerId {
    return this.transport.peerId;
  }

  keep(other: RecordingPeer): void {
    this.transport.keepConnected(other.id, other.transport.addresses());
  }

  say(to: RecordingPeer, text: string): boolean {
    return this.transport.send(to.id, ECHO.id, utf8(text));
  }

  ask(to: RecordingPeer, frame: Uint8Array | string, timeoutMs = 30_000): Promise<Uint8Array | Reject> {
    const bytes = typeof frame === 'string' ? utf8(frame) : frame;
    return this.transport.request(to.id, ECHO.id, bytes, { timeoutMs });
  }

  isConnected(other: RecordingPeer): boolean {
    return this.transport.peers().some(({ peer, connected }) => peer === other.id && connected);
  }

  connected(other: RecordingPeer): Promise<void> {
    return this.until(() => this.isConnected(other));
  }

  disconnected(other: RecordingPeer): Promise<void> {
    return this.until(() => !this.isConnected(other));
  }

  /** Asked again whenever a frame or an event came. */
  until(condition: () => boolean): Promise<void> {
    return new Promise(resolve => {
      const check = () => {
        if (!condition()) return;
        this.waiting.delete(check);
        resolve();
      };
      this.waiting.add(check);
      check();
    });
  }

  private note(event: string): void {
    this.events.push(event);
    this.changed();
  }

  private changed(): void {
    for (const check of [...this.waiting]) check();
  }
}

/** The error of a promise that must reject. */
export async function errorOf(promise: Promise<unknown>): Promise<{ code: string; message: string }> {
  return promise.then(
    value => fail(`resolved with ${JSON.stringify(value)}`),
    error => error,
  );
}
