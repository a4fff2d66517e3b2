import type { Validator, ValidatorSet } from '../../src/core/types/chain.ts';
import type { Coverage } from './coverage.ts';

/** Which consensus keys have signed on which machine, and which of them must not sign any more (SCENARIOS 16). */
export class KeyRules {
  /** By node, the keys that it has signed with. */
  private readonly keysOf = new Map<string, Set<string>>();
  private readonly barred = new Set<string>();
  /** Those whose votes may be lost: a node may have been about to sign. */
  private readonly doubtful = new Set<string>();

  constructor(
    private readonly coverage: Coverage,
    private readonly fail: (what: string) => never,
  ) {}

  /** The disk of a node is gone, and with it what its keys have promised. */
  wiped(name: string, sets: Iterable<ValidatorSet>): void {
    for (const key of this.keysOf.get(name) ?? []) this.barred.add(key);
    for (const { validators } of sets)
      for (const validator of validators) if (validator.name === name) this.doubtful.add(keyOf(validator));
  }

  isBarred(validator: Validator): boolean {
    return this.barred.has(keyOf(validator));
  }

  /** Whether one must not count on this key any more. */
  isDoubtful(validator: Validator): boolean {
    return this.isBarred(validator) || this.doubtful.has(keyOf(validator));
  }

  /** @param isKnown the very message was on the wire before: others give it back to its signer, who may pass it on */
  signs(name: string, set: ValidatorSet | undefined, signer: number, isKnown: boolean): void {
    const validator = set?.validators[signer];
    if (validator === undefined) return;
    const key = keyOf(validator);
    if (this.barred.has(key) && !isKnown) this.fail(`${name} signs with a key whose votes it has lost`);
    const keys = this.keysOf.get(name) ?? new Set();
    if (keys.has(key)) return;
    if ([...keys].some(known => this.barred.has(known)))
      this.coverage.hit('transition: votes with a new key after its disk was lost');
    this.keysOf.set(name, keys.add(key));
  }
}

function keyOf({ name, publicKey }: Validator): string {
  return `${name}:${Buffer.from(publicKey).toString('hex')}`;
}
