import { z } from 'zod';
import type { ApprovalRule, PhasePolicy } from '../../../core/types/flow.ts';
import { LIMITS } from '../../../core/types/limits.ts';
import { ROLES, type RoleName, roleNames } from '../../../core/types/operation.ts';
import { count, roleNameSchema } from '../../schemas.ts';

export function roleBits(names: readonly RoleName[]): number {
  return names.reduce((bits, name) => bits | ROLES[name], 0);
}

const rolesSchema = z.array(roleNameSchema).min(1).max(Object.keys(ROLES).length);
const copies = count.min(1).max(LIMITS.participantsPerPhase);

export const approvalRuleSchema = z
  .strictObject({ roles: rolesSchema, k: count.max(LIMITS.participantsPerPhase) })
  .meta({ description: 'k approvals of participants with one of the roles; 0: none needed' });

/** What is not given stays as it is. */
export const policyChangeSchema = z.strictObject({
  copiesTarget: copies.optional(),
  copiesMinimum: copies.optional(),
  writers: rolesSchema.optional().meta({ description: 'who may write records' }),
  retentionDays: count.max(0xffff_ffff).optional().meta({
    description:
      'days after its end for which no file of it may be purged; then they are due, and somebody purges them; 0: no such time',
  }),
  approvals: z
    .strictObject({
      close: approvalRuleSchema.optional(),
      handover: approvalRuleSchema.optional(),
      add: approvalRuleSchema.optional(),
      remove: approvalRuleSchema.optional(),
    })
    .optional(),
});

export type PolicyChange = z.output<typeof policyChangeSchema>;

const ruleView = z.object({ roles: z.array(roleNameSchema), k: count });

export const policySchema = z.object({
  copiesTarget: count,
  copiesMinimum: count,
  writers: z.array(roleNameSchema),
  retentionDays: count,
  approvals: z.object({ close: ruleView, handover: ruleView, add: ruleView, remove: ruleView }),
});

function presentRule({ roles, k }: ApprovalRule) {
  return { roles: roleNames(roles), k };
}

export function presentPolicy(policy: PhasePolicy) {
  const { close, handover, add, remove } = policy.approvals;
  return {
    copiesTarget: policy.copiesTarget,
    copiesMinimum: policy.copiesMinimum,
    writers: roleNames(policy.writers),
    retentionDays: policy.retentionDays,
    approvals: {
      close: presentRule(close),
      handover: presentRule(handover),
      add: presentRule(add),
      remove: presentRule(remove),
    },
  };
}

export function changedPolicy(before: PhasePolicy, change: PolicyChange): PhasePolicy {
  const { approvals = {}, writers, ...numbers } = change;
  const given = Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== undefined));
  const rules = Object.entries(approvals).flatMap(([name, rule]) =>
    rule === undefined ? [] : [[name, { roles: roleBits(rule.roles), k: rule.k }]],
  );
  return {
    ...before,
    ...given,
    writers: writers === undefined ? before.writers : roleBits(writers),
    approvals: { ...before.approvals, ...Object.fromEntries(rules) },
  };
}
