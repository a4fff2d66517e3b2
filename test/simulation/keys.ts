import { equalBytes } from '../../src/core/base/bytes.ts';
import type { Signer } from '../../src/ports/signer.ts';
import type { ConsensusKeys, FirstStart } from '../../src/ports/signing-state.ts';
import { simulatedSigner } from './suite.ts';

/** The consensus keys of one machine, which outlive its programs: the one in use, and the next when one was made. */
export class SimulatedKeys implements ConsensusKeys {
  /** Keys that may sign for the first time. */
  readonly firstStart: FirstStart;
  private readonly marked: Uint8Array[];
  private made = 0;
  private next: Signer | null = null;

  constructor(
    private readonly name: string,
    private current: Signer,
  ) {
    this.marked = [current.publicKey];
    this.firstStart = {
      isMarked: async publicKey => this.marked.some(key => equalBytes(key, publicKey)),
      consume: async (publicKey?: Uint8Array) => {
        const at = this.marked.findIndex(key => publicKey === undefined || equalBytes(key, publicKey));
        if (at >= 0) this.marked.splice(at, 1);
      },
    };
  }

  /** An operator started over without taking care: the key signs although it may have signed before. */
  markAgain(): void {
    this.marked.push(this.current.publicKey);
  }

  signers(): readonly Signer[] {
    return this.next === null ? [this.current] : [this.current, this.next];
  }

  async prepare(): Promise<Signer> {
    this.made += 1;
    this.next = simulatedSigner(`${this.name}/${this.made}`);
    this.marked.push(this.next.publicKey);
    return this.next;
  }

  async adopt(): Promise<void> {
    if (this.next !== null) this.current = this.next;
    this.next = null;
  }
}
