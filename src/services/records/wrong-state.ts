import { retentionOf } from '../../core/access/retention.ts';
import type { LogId } from '../../core/base/ids.ts';
import { isoTime } from '../../core/base/time.ts';
import { type KindName, LIFECYCLE } from '../../core/types/operation.ts';
import { outcomeName } from '../../core/types/outcome.ts';
import type { PhaseState } from '../../core/types/state.ts';
import { phaseName } from './cards.ts';
import { type Context, phaseLog, projectLog } from './context.ts';
import { type Refusal, refusalOfOutcome, refuse, short } from './refusal.ts';
import type { Draft } from './sender.ts';

/** What was sent, or would have been. */
type Sent = Pick<Draft, 'kind' | 'scopes' | 'what'>;

const { draft, open, closed, skipped, archived } = LIFECYCLE;
const STATES: Readonly<Record<number, string>> = {
  [draft]: 'a draft',
  [open]: 'open',
  [closed]: 'closed',
  [skipped]: 'skipped',
  [archived]: 'archived',
};
const NOT_ARCHIVED = [draft, open, closed, skipped];

/** The states that an operation can be done in, for the phases that its transaction names, in order; all others any. */
const NEEDED: Readonly<Partial<Record<KindName, readonly (readonly number[])[]>>> = {
  recordPut: [[open]],
  phaseOpen: [[draft]],
  phaseClose: [[draft, open]],
  phaseReopen: [[closed, skipped]],
  phaseArchive: [[closed, skipped]],
  phaseSkip: [[draft, open]],
  phaseHandover: [
    [open, closed, skipped],
    [draft, open],
  ],
  projectArchive: [[closed, skipped, archived]],
};

/** The state that an operation brings about. */
const BRINGS: Readonly<Partial<Record<KindName, number>>> = {
  phaseOpen: open,
  phaseClose: closed,
  phaseReopen: open,
  phaseArchive: archived,
  phaseSkip: skipped,
};

/** What comes next for somebody who wants the phase in one of these states. */
function nextStep(kind: KindName, phase: PhaseState, needed: readonly number[]): string {
  const { lifecycle } = phase;
  const id = short(phase.id);
  if (BRINGS[kind] === lifecycle) return 'There is nothing to do.';
  if (lifecycle === archived) return 'What is archived does not change any more: phaseline phase add';
  if (lifecycle === draft && needed.includes(open)) return `phaseline phase open ${id}`;
  return lifecycle <= open ? `phaseline phase close ${id}` : `phaseline phase reopen ${id}`;
}

function phasesOf(context: Context, { kind, scopes }: Sent): PhaseState[] {
  const phases = context.access.phases();
  if (kind !== 'projectArchive') {
    const known = new Map<LogId, PhaseState>(phases.map(phase => [phaseLog(context, phase.id), phase]));
    return scopes.map(logId => known.get(logId)).filter(phase => phase !== undefined);
  }
  return phases.filter(({ project }) => projectLog(context, project) === scopes[0]);
}

/** The ledger's refusal for the state of a phase: which phase, which state, since when, and the command that comes next. */
function wrongState(context: Context, sent: Sent): Refusal | null {
  const rows = NEEDED[sent.kind] ?? [NOT_ARCHIVED];
  const ofProject = sent.kind === 'projectArchive';
  for (const [index, phase] of phasesOf(context, sent).entries()) {
    const needed = rows[ofProject ? 0 : index];
    if (needed === undefined || needed.includes(phase.lifecycle)) continue;
    const state = `${phaseName(context, phase)} is ${STATES[phase.lifecycle]} since height ${phase.lifecycleHeight}`;
    return refuse('wrongLifecycle', `cannot ${sent.what}: ${state}`, nextStep(sent.kind, phase, needed));
  }
  return null;
}

function retained(context: Context, sent: Sent): Refusal | null {
  const [phase] = phasesOf(context, sent);
  const retention = phase === undefined ? null : retentionOf(phase);
  if (phase === undefined || retention === null) return null;
  const { days, dueMs } = retention;
  const name = phaseName(context, phase);
  if (dueMs === null) {
    const detail = `cannot ${sent.what}: ${name} keeps files until ${days} days after its end, and is ${STATES[phase.lifecycle]}`;
    return refuse('retained', detail, `phaseline phase close ${short(phase.id)}`);
  }
  const detail = `cannot ${sent.what}: ${name} keeps files until ${isoTime(dueMs)}, ${days} days after its end`;
  const hint = `Wait, or let its owner change the policy, which the log shows: phaseline phase policy ${short(phase.id)}`;
  return refuse('retained', detail, hint);
}

/** A refusal by the ledger in words, from what is known here of the state that it was refused for. */
export function explainOutcome(context: Context, outcome: number, sent: Sent): Refusal {
  const name = outcomeName(outcome);
  const known =
    name === 'wrongLifecycle'
      ? wrongState(context, sent)
      : name === 'retained'
        ? retained(context, sent)
        : null;
  return known ?? refusalOfOutcome(outcome, sent.what);
}
