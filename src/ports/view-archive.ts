import type { SignedMessage } from '../core/pbft/messages.ts';

/**
 * The NEW-VIEWs that this node has entered, each with its signed VIEW-CHANGEs: what traces conflicting commits to at least
 * f + 1 signers (SCENARIOS 36; `core/pbft/forensics.ts`). Bounded; the oldest go first.
 */
export interface ViewArchive {
  /** One that is there already changes nothing. */
  add(newView: SignedMessage): Promise<void>;
  /** Resolves when everything that was added is durable, or has failed. */
  settled(): Promise<void>;
  /** Oldest first. */
  list(): readonly SignedMessage[];
}
