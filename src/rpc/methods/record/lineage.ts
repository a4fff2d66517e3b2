import { z } from 'zod';
import type { PhaseId, TransactionId } from '../../../core/base/ids.ts';
import { isReject } from '../../../core/base/reject.ts';
import type { Lineage, LineageStep } from '../../../services/records/lineage.ts';
import type { Check, ProjectReadApi, ProofApi, RecordApi } from '../../api.ts';
import { defineMethod, type RpcMethod } from '../../method.ts';
import { type ProofQuestion, SHOW_NOTHING } from '../../proof-api.ts';
import { checkSchema, count, hashSchema, hashText, time, timeSchema } from '../../schemas.ts';

type Api = RecordApi & ProjectReadApi & ProofApi;

/** Leaves of a log that one proof of a handover shows, from the request for its approvals on. */
const APPROVAL_LEAVES_MAX = 1024;

const phaseSchema = z.object({
  id: hashText,
  label: z.string().nullable(),
  readable: z.boolean().meta({ description: 'this node reads its log and can prove what it says' }),
});

const requestSchema = z
  .object({
    number: count,
    requester: z.string(),
    height: count,
    votes: z.array(z.object({ member: z.string(), approve: z.boolean(), height: count })),
  })
  .nullable()
  .meta({
    description: 'approvals that were asked for; null where none were, or where this node does not see',
  });

const lineageSchema = z.object({
  id: hashText,
  author: z.string(),
  phase: phaseSchema.meta({ description: 'where it was written' }),
  position: count,
  height: count,
  time: timeSchema,
  handovers: z.array(
    z.object({
      from: phaseSchema,
      to: phaseSchema,
      handover: hashText,
      by: z.string(),
      height: count,
      time: timeSchema,
      sourcePosition: count.nullable(),
      position: count.nullable(),
      request: requestSchema,
    }),
  ),
  verification: z
    .object({
      ok: z.boolean(),
      checks: z.array(checkSchema),
      notSeen: z
        .array(z.string())
        .meta({ description: 'what this member may not read, so that it is not proven here' }),
    })
    .nullable()
    .meta({ description: 'null unless it was asked for' }),
});

type PhaseNames = (id: PhaseId) => string;

/** Asks for a proof and says of it what its verifier found. */
async function proven(api: Api, name: string, question: ProofQuestion): Promise<Check> {
  const proof = await api.prove(question);
  if (isReject(proof)) return { name, ok: false, detail: `${proof.reject}: ${proof.detail}` };
  const { checks, ok, summary } = proof.verdict;
  const said = checks.find(check => !check.ok) ?? checks.findLast(check => check.name.startsWith('proven: '));
  return { name, ok, detail: `${said?.detail ?? ''}; as of height ${summary?.height ?? 0}` };
}

/** The leaf of the handover, and all since its approvals were asked for where they are not too many. */
function handoverQuestion(phase: PhaseId, position: number, asked: number | null): ProofQuestion {
  const from = asked === null || position - asked >= APPROVAL_LEAVES_MAX ? position : asked;
  return { type: 'range', phase, unit: 'position', from, to: position + 1, show: SHOW_NOTHING };
}

/** Each phase on the way is asked for a proof that it has the record, each handing log for one of its handover. */
async function verification(api: Api, lineage: Lineage, nameOf: PhaseNames) {
  const { id, phase, steps, readable } = lineage;
  const checks: Check[] = [];
  const notSeen: string[] = [];
  for (const stop of new Set([phase, ...steps.map(({ to }) => to)])) {
    const question = { type: 'record' as const, phase: stop, key: id, show: SHOW_NOTHING };
    if (readable.includes(stop)) checks.push(await proven(api, `the record in ${nameOf(stop)}`, question));
    else notSeen.push(`that ${nameOf(stop)} has the record: this member does not read its log`);
  }
  for (const step of steps) {
    const { from, to, sourcePosition, request } = step;
    const what = `the handover to ${nameOf(to)} in the log of ${nameOf(from)}`;
    if (sourcePosition === null) {
      notSeen.push(`${what}: this member does not read it; the ledger checked it`);
      continue;
    }
    const question = handoverQuestion(from, sourcePosition, request?.number ?? null);
    checks.push(await proven(api, request === null ? what : `${what}, with its approvals`, question));
  }
  return { ok: checks.length > 0 && checks.every(check => check.ok), checks, notSeen };
}

function presentStep(step: LineageStep, phaseOf: (id: PhaseId) => z.input<typeof phaseSchema>) {
  const { from, to, request, timeMs, ...rest } = step;
  const votes = request?.votes.map(vote => ({ ...vote })) ?? [];
  return {
    ...{ ...rest, from: phaseOf(from), to: phaseOf(to), time: time(timeMs) },
    request: request === null ? null : { ...request, votes },
  };
}

export const recordLineage = (api: Api): RpcMethod =>
  defineMethod({
    name: 'record_lineage',
    summary:
      'The way of a record through phases: where and by whom it was written, and each handover, as far as this member may see.',
    access: 'session',
    params: z.strictObject({
      record: hashSchema,
      verify: z.boolean().default(false).meta({ description: 'prove each step that this member may see' }),
    }),
    result: lineageSchema,
    errors: ['not_found', 'unavailable'],
    handle: async ({ record, verify }) => {
      const lineage = await api.lineage(record as TransactionId);
      if (isReject(lineage)) return lineage;
      const labels = new Map((await api.phases()).map(({ state, label }) => [state.id, label]));
      const phaseOf = (id: PhaseId) => {
        return { id, label: labels.get(id) ?? null, readable: lineage.readable.includes(id) };
      };
      const nameOf = (id: PhaseId) => {
        const label = labels.get(id) ?? null;
        return label === null ? `phase ${id.slice(0, 12)}` : `phase "${label}"`;
      };
      const { id, author, phase, position, height, timeMs, steps } = lineage;
      return {
        ...{ id, author, phase: phaseOf(phase), position, height, time: time(timeMs) },
        handovers: steps.map(step => presentStep(step, phaseOf)),
        verification: verify ? await verification(api, lineage, nameOf) : null,
      };
    },
  });
