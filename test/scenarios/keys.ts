import { equalBytes } from '../../src/core/base/bytes.ts';
import type { Seat } from '../../src/core/pbft/config.ts';
import type { ValidatorSet } from '../../src/core/types/chain.ts';
import { simulatedSign } from '../simulation/suite.ts';
import { validatorNamed } from './ledger.ts';

/** What a node may sign with: `n3`, and `n3~1` after it made another key. */
export class ScenarioKeys {
  private readonly names: string[];

  constructor(name: string) {
    this.names = [name];
  }

  add(key: string): void {
    this.names.push(key);
  }

  /** The node observes until a set knows it by another key. */
  lose(): void {
    this.names.length = 0;
  }

  findSeat({ validators }: ValidatorSet): Seat | null {
    for (const { publicKey } of this.names.map(validatorNamed)) {
      const index = validators.findIndex(validator => equalBytes(validator.publicKey, publicKey));
      if (index >= 0) return { index, sign: bytes => simulatedSign(publicKey, bytes) };
    }
    return null;
  }
}
