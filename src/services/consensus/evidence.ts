import type { SignedMessage } from '../../core/pbft/messages.ts';
import type { Logger } from '../../ports/logger.ts';

export interface Evidence {
  /** Name of the validator that signed both. */
  readonly validator: string;
  readonly first: SignedMessage;
  readonly second: SignedMessage;
}

/** Pairs of conflicting messages of one validator, kept for the operator until the process ends. */
export class EvidenceBox {
  private readonly pairs: Evidence[] = [];

  constructor(
    private readonly logger: Logger,
    private readonly pairsMax: number,
  ) {}

  add(pair: Evidence): void {
    if (this.pairs.length < this.pairsMax) this.pairs.push(pair);
    const { validator, first } = pair;
    this.logger.error({ validator, kind: first.kind }, 'a validator signed two conflicting messages');
  }

  /** In the order in which they were found. */
  list(): readonly Evidence[] {
    return this.pairs;
  }
}
