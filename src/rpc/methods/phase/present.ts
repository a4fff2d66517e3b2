import { z } from 'zod';
import { COMPLAINT_REASONS } from '../../../core/types/custody.ts';
import { CUSTODY, LIFECYCLE, roleNames } from '../../../core/types/operation.ts';
import type { PhaseState } from '../../../core/types/state.ts';
import type { PhaseView } from '../../api.ts';
import { base64, bytesText, count, hashText, roleNameSchema } from '../../schemas.ts';
import { policySchema, presentPolicy } from './present-policy.ts';
import { presentRetention, retentionSchema } from './present-retention.ts';

function nameOf<T extends string>(table: Readonly<Record<T, number>>, value: number): T {
  const found = (Object.keys(table) as T[]).find(name => table[name] === value);
  return found ?? (String(value) as T);
}

export const lifecycleName = (state: PhaseState) => nameOf(LIFECYCLE, state.lifecycle);

export { roleBits } from './present-policy.ts';

export const phaseStateSchema = z.object({
  id: hashText,
  project: hashText,
  label: z.string().nullable().meta({ description: 'null where no card of the phase opens here' }),
  owner: z.string(),
  lifecycle: z.enum(['draft', 'open', 'closed', 'skipped', 'archived']),
  lifecycleHeight: count.meta({ description: 'since when it is in this state' }),
  version: count,
  membershipVersion: count,
  custody: z.enum(['manager', 'participants']),
  policy: policySchema,
  retention: retentionSchema,
  frozen: z.boolean(),
  participants: z.array(
    z.object({
      member: z.string(),
      roles: z.array(roleNameSchema),
      startPosition: count,
      fromEpoch: count.meta({ description: 'first key epoch that it was granted' }),
      heldFrom: count.meta({ description: 'first key epoch whose secret was sealed to it' }),
    }),
  ),
  former: z.array(z.object({ member: z.string(), startPosition: count, endPosition: count })),
  epochs: z.array(
    z.object({
      number: count,
      commitment: hashText,
      publicKey: bytesText,
      startPosition: count,
      height: count,
      opener: z.string(),
    }),
  ),
  complaints: z
    .array(z.object({ member: z.string(), reason: z.enum(['unopened', 'wrongSecret']), height: count }))
    .meta({ description: 'who says that its envelope of the current key epoch is no good' }),
  recovery: z
    .object({
      threshold: count,
      holders: z.array(z.string()),
      ended: z.boolean().meta({ description: 'true when later key epochs are sealed to it no more' }),
    })
    .nullable()
    .meta({ description: 'who holds shares of the key that opens the history' }),
});

function presentComplaints({ complaints, epochs }: PhaseState) {
  return complaints
    .filter(({ epoch }) => epoch === epochs.at(-1)?.number)
    .map(({ member, reason, height }) => ({ member, reason: nameOf(COMPLAINT_REASONS, reason), height }));
}

function presentRecovery({ recovery }: PhaseState) {
  if (recovery === null) return null;
  const { threshold, holders, ended } = recovery;
  return { threshold, holders: holders.map(({ member }) => member), ended };
}

export function presentPhaseState(state: PhaseState, label: string | null) {
  return {
    id: state.id,
    project: state.project,
    label,
    owner: state.owner,
    lifecycle: lifecycleName(state),
    lifecycleHeight: state.lifecycleHeight,
    version: state.version,
    membershipVersion: state.membershipVersion,
    custody: nameOf(CUSTODY, state.custody),
    policy: presentPolicy(state.policy),
    retention: presentRetention(state),
    frozen: state.frozen,
    participants: state.participants.map(item => ({ ...item, roles: roleNames(item.roles) })),
    former: state.former.map(item => ({ ...item })),
    epochs: state.epochs.map(epoch => ({ ...epoch, publicKey: base64(epoch.publicKey) })),
    complaints: presentComplaints(state),
    recovery: presentRecovery(state),
  };
}

export const phaseSchema = phaseStateSchema.extend({
  projectLabel: z.string().nullable(),
  current: z.boolean(),
  openEpochs: z.array(count),
  missingEpochs: z
    .array(count)
    .meta({ description: 'that the chain says this member was given, and whose keys are not here' }),
  log: z.object({ size: count, root: hashText, digest: hashText }),
});

export function presentPhase(view: PhaseView) {
  return {
    ...presentPhaseState(view.state, view.label),
    projectLabel: view.projectLabel,
    current: view.current,
    openEpochs: [...view.openEpochs],
    missingEpochs: [...view.missingEpochs],
    log: { ...view.entry },
  };
}

export const verifiedAtSchema = z
  .object({ height: count, time: z.object({ iso: z.string(), ms: z.int() }) })
  .nullable()
  .meta({ description: 'head that the answer is verified against' });
