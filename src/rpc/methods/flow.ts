import { z } from 'zod';
import type { PhaseId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { LIMITS } from '../../core/types/limits.ts';
import type { FlowApi } from '../flow-api.ts';
import { defineMethod, type RpcMethod } from '../method.ts';
import { CHANGE_ERRORS, presentReceipt } from '../receipt.ts';
import { resolvePhase, resolveProject } from '../resolve.ts';
import {
  count,
  hashSchema,
  hashText,
  labelSchema,
  nameSchema,
  phaseNameSchema,
  receiptSchema,
  time,
} from '../schemas.ts';
import { findPhase } from './phase/find.ts';
import { changedPolicy, policyChangeSchema } from './phase/present-policy.ts';

const PARTS_MAX = 32;

async function idOf(api: FlowApi, name: string): Promise<PhaseId> {
  return (await findPhase(api, name)).state.id;
}

/** Phases of one project by name: those that this member owns are known, also where it holds no keys. */
async function namesIn(api: FlowApi, phase: PhaseId, names: readonly string[]): Promise<PhaseId[]> {
  const { project } = (await findPhase(api, phase)).state;
  const view = (await api.projects()).find(({ state }) => state.id === project);
  const known = (view?.state.phases ?? []).map(({ id }) => {
    return {
      id,
      label: view?.phaseLabels.get(id) ?? null,
      project: { id: project, label: view?.label ?? null },
    };
  });
  return names.map(name => resolvePhase(name, known).id);
}

const lifecycle = (api: FlowApi, verb: 'skip' | 'reopen' | 'archive', summary: string): RpcMethod =>
  defineMethod({
    name: `phase_${verb}`,
    summary,
    access: 'session',
    params: z.strictObject({ phase: phaseNameSchema }),
    result: receiptSchema,
    errors: CHANGE_ERRORS,
    handle: async ({ phase }) => presentReceipt(await api.flow[verb](await idOf(api, phase))),
  });

const move = (api: FlowApi): RpcMethod =>
  defineMethod({
    name: 'phase_move',
    summary: 'Puts a phase behind others of its project: these come before it from now on, and no others.',
    access: 'session',
    params: z.strictObject({
      phase: phaseNameSchema,
      after: z.array(nameSchema).max(LIMITS.predecessorsPerPhase),
    }),
    result: receiptSchema,
    errors: CHANGE_ERRORS,
    handle: async ({ phase, after }) => {
      const id = await idOf(api, phase);
      return presentReceipt(await api.flow.move(id, await namesIn(api, id, after)));
    },
  });

const policy = (api: FlowApi): RpcMethod =>
  defineMethod({
    name: 'phase_policy',
    summary: 'Changes the policy of a phase: copies, writers, retention, approvals. What is not given stays.',
    access: 'session',
    params: z.strictObject({ phase: phaseNameSchema, change: policyChangeSchema }),
    result: receiptSchema,
    errors: CHANGE_ERRORS,
    handle: async ({ phase, change }) => {
      const id = await idOf(api, phase);
      return presentReceipt(await api.flow.setPolicy(id, before => changedPolicy(before, change)));
    },
  });

const flowResult = z.object({
  phases: z.array(hashText),
  steps: z.array(z.object({ what: z.string(), height: count })),
  refusal: z
    .object({ reason: z.string(), detail: z.string(), hint: z.string() })
    .nullable()
    .meta({ description: 'why it stopped; the same call again goes on from there' }),
});

type FlowOutcome = Awaited<ReturnType<FlowApi['flow']['split']>>;

function presentFlow(done: FlowOutcome) {
  if (isReject(done)) return done;
  const { refusal } = done;
  return {
    phases: [...done.phases],
    steps: done.steps.map(step => ({ ...step })),
    refusal: refusal === null ? null : { reason: refusal.reject, detail: refusal.detail, hint: refusal.hint },
  };
}

const split = (api: FlowApi): RpcMethod =>
  defineMethod({
    name: 'phase_split',
    summary: 'One phase becomes several that follow it and receive its records; it is closed.',
    access: 'session',
    params: z.strictObject({
      phase: phaseNameSchema,
      into: z
        .array(
          z.strictObject({
            label: labelSchema,
            records: z.array(hashSchema).max(LIMITS.itemsPerHandover).nullable().default(null),
          }),
        )
        .min(2)
        .max(PARTS_MAX),
    }),
    result: flowResult,
    errors: CHANGE_ERRORS,
    handle: async ({ phase, into }) => presentFlow(await api.flow.split(await idOf(api, phase), into)),
  });

const merge = (api: FlowApi): RpcMethod =>
  defineMethod({
    name: 'phase_merge',
    summary: 'Several phases become one that follows them all and receives their records; they are closed.',
    access: 'session',
    params: z.strictObject({ phases: z.array(phaseNameSchema).min(2).max(PARTS_MAX), label: labelSchema }),
    result: flowResult,
    errors: CHANGE_ERRORS,
    handle: async ({ phases, label }) => {
      const ids: PhaseId[] = [];
      for (const name of phases) ids.push(await idOf(api, name));
      return presentFlow(await api.flow.merge([...new Set(ids)], label));
    },
  });

const historyResult = z.object({
  entries: z.array(
    z.object({
      position: count,
      height: count,
      time: z.object({ iso: z.string(), ms: z.int() }),
      transaction: hashText,
      member: z.string(),
      user: hashText.nullable().meta({ description: 'whose key signed it; null for the member itself' }),
      kind: z.string(),
      refused: z.string().nullable(),
      changes: z.array(
        z.object({ what: z.string(), before: z.string().nullable(), after: z.string().nullable() }),
      ),
    }),
  ),
});

type History = Awaited<ReturnType<FlowApi['flow']['phaseHistory']>>;

function presentHistory(found: History) {
  if (isReject(found)) return found;
  return {
    entries: found.map(({ timeMs, changes, ...entry }) => {
      return { ...entry, time: time(timeMs), changes: changes.map(change => ({ ...change })) };
    }),
  };
}

const phaseHistory = (api: FlowApi): RpcMethod =>
  defineMethod({
    name: 'phase_history',
    summary: 'Every change of a phase in order: when, who, before and after.',
    access: 'session',
    params: z.strictObject({ phase: phaseNameSchema }),
    result: historyResult,
    errors: ['not_found', 'ambiguous_name', 'forbidden', 'refused'],
    handle: async ({ phase }) => presentHistory(await api.flow.phaseHistory(await idOf(api, phase))),
  });

const projectHistory = (api: FlowApi): RpcMethod =>
  defineMethod({
    name: 'project_history',
    summary: 'Every change of the flow of an own project in order: when, who, before and after.',
    access: 'session',
    params: z.strictObject({ project: nameSchema }),
    result: historyResult,
    errors: ['not_found', 'ambiguous_name', 'forbidden', 'refused'],
    handle: async ({ project }) => {
      const named = (await api.projects()).map(({ state, label }) => ({ id: state.id, label }));
      return presentHistory(await api.flow.projectHistory(resolveProject(project, named).id));
    },
  });

export const flowMethods = (api: FlowApi): readonly RpcMethod[] => [
  lifecycle(api, 'skip', 'Skips a phase: what follows it comes after its predecessors.'),
  lifecycle(api, 'reopen', 'Opens a closed or skipped phase again.'),
  lifecycle(api, 'archive', 'Ends a closed or skipped phase for good: it stays readable.'),
  move(api),
  policy(api),
  split(api),
  merge(api),
  phaseHistory(api),
  projectHistory(api),
];
