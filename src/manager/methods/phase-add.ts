import { z } from 'zod';
import { isReject } from '../../core/base/reject.ts';
import { DEFAULT_POLICY } from '../../core/types/flow.ts';
import { LIMITS } from '../../core/types/limits.ts';
import { CUSTODY } from '../../core/types/operation.ts';
import type { ProjectState } from '../../core/types/state.ts';
import { defineMethod, type RpcMethod } from '../../rpc/method.ts';
import { roleBits } from '../../rpc/methods/phase/present.ts';
import { changedPolicy, policyChangeSchema } from '../../rpc/methods/phase/present-policy.ts';
import { recordTypesSchema } from '../../rpc/methods/types.ts';
import { invalidParams } from '../../rpc/params.ts';
import { resolvePhase } from '../../rpc/resolve.ts';
import { count, hashText, labelSchema, memberIdSchema, nameSchema } from '../../rpc/schemas.ts';
import type { CertifiedData, ManagerApi } from '../api.ts';
import { findProject } from '../find.ts';
import { requireActiveMember } from '../identity.ts';
import { committedSchema, presentCommitted, rolesSchema } from '../schemas.ts';

const COPIES_MAX = LIMITS.participantsPerPhase;

const params = z.strictObject({
  project: nameSchema,
  label: labelSchema,
  predecessors: z
    .array(nameSchema)
    .max(LIMITS.phasesPerProject)
    .default([])
    .meta({ description: 'phases of the project that come before: labels or ids' }),
  successors: z
    .array(nameSchema)
    .max(LIMITS.phasesPerProject)
    .default([])
    .meta({ description: 'phases that come after it from now on: it is inserted before them' }),
  participants: z
    .array(z.strictObject({ member: memberIdSchema, roles: rolesSchema }))
    .max(LIMITS.participantsPerPhase)
    .default([]),
  custody: z
    .enum(['manager', 'participants'])
    .default('manager')
    .meta({ description: 'who makes the keys of the phase and so can read it' }),
  copiesTarget: count.min(1).max(COPIES_MAX).default(2),
  copiesMinimum: count.min(1).max(COPIES_MAX).default(1),
  policy: policyChangeSchema.default({}).meta({ description: 'what differs from the usual policy' }),
  recordTypes: recordTypesSchema.default([]),
});

async function phaseIds(data: CertifiedData, project: ProjectState, names: readonly string[]) {
  if (names.length === 0) return [];
  const parent = { id: project.id, label: await data.projectLabel(project.id) };
  const named = project.phases.map(async ({ id }) => ({
    id,
    label: await data.phaseLabel(id, project.id),
    project: parent,
  }));
  const phases = await Promise.all(named);
  return names.map(name => resolvePhase(name, phases).id);
}

/** Faults that no schema can say. */
function checkTogether(given: z.output<typeof params>): void {
  if (given.copiesMinimum > given.copiesTarget) {
    throw invalidParams([{ parameter: 'copiesMinimum', fault: 'at most copiesTarget' }]);
  }
  const names = given.participants.map(({ member }) => member);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw invalidParams([{ parameter: 'participants', fault: `"${twice}" stands twice` }]);
  }
}

export const phaseAdd = ({ data, operations }: ManagerApi): RpcMethod =>
  defineMethod({
    name: 'manager_phaseAdd',
    summary: 'Adds a phase to a project, as a draft, with its participants and its first key epoch.',
    access: 'member',
    params,
    result: committedSchema.extend({ phase: hashText }),
    errors: ['forbidden', 'not_found', 'ambiguous_name', 'conflict', 'refused', 'unavailable', 'expired'],
    handle: async (given, { caller }) => {
      const project = await findProject(data, caller, given.project);
      checkTogether(given);
      const participants = given.participants.map(({ member, roles }) => {
        requireActiveMember(data, member);
        return { member, roles: roleBits(roles) };
      });
      const { copiesTarget, copiesMinimum } = given;
      const sent = await operations.addPhase({
        project: project.id,
        label: given.label,
        predecessors: await phaseIds(data, project, given.predecessors),
        successors: await phaseIds(data, project, given.successors),
        custody: CUSTODY[given.custody],
        policy: changedPolicy({ ...DEFAULT_POLICY, copiesTarget, copiesMinimum }, given.policy),
        recordTypes: given.recordTypes,
        participants,
      });
      return isReject(sent) ? sent : { ...presentCommitted(sent), phase: sent.phase };
    },
  });
