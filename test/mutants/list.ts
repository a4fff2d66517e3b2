import { agreementMutants } from './agreement.ts';
import { boundsMutants } from './bounds.ts';
import { custodyMutants } from './custody.ts';
import { durabilityMutants } from './durability.ts';
import { holderMutants } from './holders.ts';
import { ledgerAndLightMutants } from './ledger-and-light.ts';
import type { Mutant } from './mutant.ts';
import { proofMutants } from './proofs.ts';
import { supervisionMutants } from './supervision.ts';
import { viewChangeMutants } from './view-change.ts';

/** The checker is itself checked: each of these must be caught (SCENARIOS section 11). */
export const mutants: readonly Mutant[] = [
  ...agreementMutants,
  ...viewChangeMutants,
  ...durabilityMutants,
  ...boundsMutants,
  ...supervisionMutants,
  ...ledgerAndLightMutants,
  ...custodyMutants,
  ...proofMutants,
  ...holderMutants,
];
