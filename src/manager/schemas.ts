import { z } from 'zod';
import { SIZES } from '../core/types/limits.ts';
import { ROLES } from '../core/types/operation.ts';
import type { ProjectState } from '../core/types/state.ts';
import { lifecycleName, presentPhaseState } from '../rpc/methods/phase/present.ts';
import { bytesSchema, count, hashText, receiptSchema, roleNameSchema, time } from '../rpc/schemas.ts';
import type { Committed } from '../services/records/sender.ts';
import type { CertifiedData } from './api.ts';

export const signatureSchema = bytesSchema(SIZES.signature, SIZES.signature);

export const rolesSchema = z
  .array(roleNameSchema)
  .min(1)
  .max(Object.keys(ROLES).length)
  .meta({ description: 'roles; every participant may read' });

export function presentCommitted({ id, height, timeMs }: Committed) {
  return { id, height, time: time(timeMs) };
}

export const committedSchema = receiptSchema;

export const projectViewSchema = z.object({
  id: hashText,
  label: z.string().nullable(),
  owner: z.string(),
  archived: z.boolean(),
  version: count,
  phases: z.array(
    z.object({
      id: hashText,
      label: z.string().nullable(),
      predecessors: z.array(hashText),
      lifecycle: z.string().nullable().meta({ description: 'null when this server cannot read the phase' }),
      participants: count.nullable(),
      frozen: z.boolean().nullable(),
    }),
  ),
});

export async function presentProject(data: CertifiedData, project: ProjectState) {
  const phases = project.phases.map(async ({ id, predecessors }) => {
    const label = await data.phaseLabel(id, project.id);
    const state = data.phase(id);
    return {
      id,
      label,
      predecessors: [...predecessors],
      lifecycle: state === null ? null : lifecycleName(state),
      participants: state === null ? null : state.participants.length,
      frozen: state === null ? null : state.frozen,
    };
  });
  return {
    id: project.id,
    label: await data.projectLabel(project.id),
    owner: project.owner,
    archived: project.archived,
    version: project.version,
    phases: await Promise.all(phases),
  };
}

/** The whole state of the project's phases that this server can read. */
export function presentPhaseStates(data: CertifiedData, project: ProjectState) {
  const states = project.phases.map(({ id }) => data.phase(id)).filter(state => state !== null);
  return Promise.all(
    states.map(async state => presentPhaseState(state, await data.phaseLabel(state.id, project.id))),
  );
}

export const headAgeSchema = z.object({
  height: count,
  time: z.object({ iso: z.string(), ms: z.int() }),
  ageMs: count.meta({ description: "milliseconds between the head's time and now" }),
});

export function presentHeadAge(data: CertifiedData, nowMs: number) {
  const { height, timeMs } = data.head();
  return { height, time: time(timeMs), ageMs: Math.max(0, nowMs - timeMs) };
}
