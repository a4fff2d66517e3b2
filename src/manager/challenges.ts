import { toHex } from '../core/base/bytes.ts';
import type { Hash, Sha256 } from '../core/base/ids.ts';
import { CHALLENGE_NONCE_BYTES } from '../core/codec/request.ts';
import type { Clock } from '../ports/clock.ts';
import type { RandomBytes } from '../ports/random.ts';
import { MANAGER_LIMITS } from './limits.ts';

/** Nonces that were given out, each for one card and one answer. */
export class Challenges {
  /** By nonce; insertion order is order of expiry. */
  private readonly waiting = new Map<string, { readonly card: Hash; readonly untilMs: number }>();

  constructor(
    private readonly options: {
      readonly clock: Clock;
      readonly random: RandomBytes;
      readonly sha256: Sha256;
    },
  ) {}

  /** @param card encoded card that may answer */
  issue(card: Uint8Array): { readonly nonce: Uint8Array; readonly expiresMs: number } {
    const { clock, random, sha256 } = this.options;
    const nonce = random(CHALLENGE_NONCE_BYTES);
    const untilMs = clock.monotonicMs() + MANAGER_LIMITS.challengeMs;
    this.waiting.set(toHex(nonce), { card: sha256(card), untilMs });
    if (this.waiting.size > MANAGER_LIMITS.challengesMax) {
      this.waiting.delete(this.waiting.keys().next().value as string);
    }
    return { nonce, expiresMs: clock.nowMs() + MANAGER_LIMITS.challengeMs };
  }

  /** True once for a fresh nonce and its card; the nonce is spent in any case. */
  take(nonce: Uint8Array, card: Uint8Array): boolean {
    const key = toHex(nonce);
    const found = this.waiting.get(key);
    this.waiting.delete(key);
    if (found === undefined || found.untilMs < this.options.clock.monotonicMs()) return false;
    return found.card === this.options.sha256(card);
  }
}
