import type { SignedMessage } from '../../core/pbft/messages.ts';
import type { Logger } from '../../ports/logger.ts';

export interface Evidence {
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

  /** @param validator name of the signer */
  add(validator: string, pair: Evidence): void {
    if (this.pairs.length < this.pairsMax) this.pairs.push(pair);
    this.logger.error({ validator, kind: pair.first.kind }, 'a validator signed two conflicting messages');
  }

  list(): readonly Evidence[] {
    return this.pairs;
  }
}
