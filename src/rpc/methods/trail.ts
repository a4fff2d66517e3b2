import { z } from 'zod';
import type { Hash } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import type { ScopeRef } from '../../core/codec/state.ts';
import type { ProjectReadApi } from '../api.ts';
import { defineMethod, type RpcMethod } from '../method.ts';
import { resolveProject } from '../resolve.ts';
import { count, hashText, nameSchema, phaseNameSchema, time, timeSchema } from '../schemas.ts';
import type { TrailApi } from '../trail-api.ts';
import { findPhase } from './phase/find.ts';
import { listProjects } from './project/present.ts';

const EVENTS_PER_PAGE_MAX = 1000;

const page = {
  from: count.default(0).meta({ description: 'first position; `next` of the page before' }),
  limit: count.min(1).max(EVENTS_PER_PAGE_MAX).default(500),
};

const result = z.object({
  events: z.array(
    z.object({
      position: count,
      height: count,
      time: timeSchema,
      transaction: hashText,
      kind: z.string(),
      member: z.string(),
      keyId: count,
      refused: z
        .string()
        .nullable()
        .meta({ description: 'why the ledger refused it; null where it did not' }),
      records: z.array(hashText),
      details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    }),
  ),
  next: count.nullable().meta({ description: 'position to continue from; null at the end' }),
  size: count,
});

async function readTrail(api: TrailApi, ref: ScopeRef, from: number, limit: number) {
  const found = await api.trail(ref, from, limit);
  if (isReject(found)) return found;
  const { events, next, size } = found;
  return {
    events: events.map(({ timeMs, records, details, ...event }) => ({
      ...event,
      time: time(timeMs),
      records: [...records],
      details: { ...details },
    })),
    next: next >= size ? null : next,
    size,
  };
}

const phaseTrail = (api: TrailApi & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'phase_trail',
    summary: 'Everything that happened in a phase, in the order of its log, one page at a time.',
    access: 'session',
    params: z.strictObject({ phase: phaseNameSchema, ...page }),
    result,
    errors: ['not_found', 'ambiguous_name', 'forbidden'],
    handle: async ({ phase, from, limit }) => {
      const id = (await findPhase(api, phase)).state.id as Hash;
      return readTrail(api, { scope: 'phase', id }, from, limit);
    },
  });

const projectTrail = (api: TrailApi & ProjectReadApi): RpcMethod =>
  defineMethod({
    name: 'project_trail',
    summary: 'Everything that happened to the flow of an own project, in the order of its log.',
    access: 'session',
    params: z.strictObject({ project: nameSchema, ...page }),
    result,
    errors: ['not_found', 'ambiguous_name', 'forbidden'],
    handle: async ({ project, from, limit }) => {
      const { id } = resolveProject(project, await listProjects(api));
      return readTrail(api, { scope: 'project', id: id as Hash }, from, limit);
    },
  });

export const trailMethods = (api: TrailApi & ProjectReadApi): readonly RpcMethod[] => [
  phaseTrail(api),
  projectTrail(api),
];
