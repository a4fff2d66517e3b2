import { parse, stringify, TomlError } from 'smol-toml';
import { z } from 'zod';
import { OperatingError } from '../ports/lifecycle.ts';

/** A phase of a template; what is not given is as with `phase add`. */
export interface TemplatePhase {
  readonly label: string;
  readonly after: readonly string[];
  /** Roles by member. */
  readonly participants: Readonly<Record<string, readonly string[]>>;
  readonly custody: 'manager' | 'participants';
  readonly open: boolean;
  /** As `manager_phaseAdd` takes it. */
  readonly policy: object;
  /** JSON Schema by name of the type. */
  readonly types: Readonly<Record<string, unknown>>;
}

export interface FlowTemplate {
  readonly phases: readonly TemplatePhase[];
}

const PHASES_MAX = 256;
const role = z.enum(['reader', 'contributor', 'approver', 'steward']);
const roles = z.array(role).min(1).max(4);
const member = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'not a member id');
const rule = z.strictObject({ k: z.int().min(0).max(256), roles: roles.default(['approver']) });
const copies = z.int().min(1).max(256);

const policy = z.strictObject({
  copiesTarget: copies.optional(),
  copiesMinimum: copies.optional(),
  writers: roles.optional(),
  retentionDays: z.int().min(0).max(36_500).optional(),
  approvals: z
    .strictObject({
      close: rule.optional(),
      handover: rule.optional(),
      add: rule.optional(),
      remove: rule.optional(),
    })
    .optional(),
});

const template = z.strictObject({
  phases: z
    .array(
      z.strictObject({
        label: z.string().min(1).max(256),
        after: z.array(z.string()).max(64).default([]),
        participants: z.record(member, roles).default({}),
        custody: z.enum(['manager', 'participants']).default('manager'),
        open: z.boolean().default(false),
        policy: policy.default({}),
        types: z.record(z.string(), z.unknown()).default({}),
      }),
    )
    .min(1)
    .max(PHASES_MAX),
});

function wrong(path: string, faults: readonly string[]): OperatingError {
  const hint = 'docs/operating.md describes the format; phaseline project export-template shows one.';
  return new OperatingError('bad_template', `${path}: ${faults.join('; ')}`, hint);
}

function readValue(path: string, text: string): unknown {
  try {
    return path.endsWith('.json') ? JSON.parse(text) : parse(text);
  } catch (error) {
    const at = error instanceof TomlError ? `line ${error.line}, column ${error.column}: ` : '';
    throw wrong(path, [`${at}${error instanceof Error ? error.message.split('\n')[0] : error}`]);
  }
}

/** Phases in an order in which each stands behind what comes before it; the labels that are left over go round in a circle. */
function sorted(phases: readonly TemplatePhase[]): { order: TemplatePhase[]; circle: string[] } {
  const order: TemplatePhase[] = [];
  const done = new Set<string>();
  let left = [...phases];
  for (;;) {
    const ready = left.filter(({ after }) => after.every(label => done.has(label)));
    if (ready.length === 0) return { order, circle: left.map(({ label }) => label) };
    order.push(...ready);
    for (const { label } of ready) done.add(label);
    left = left.filter(phase => !ready.includes(phase));
  }
}

/**
 * Reads and checks a template whole, before anything of it is done; phases come back in an order in which they can be added.
 * @param path names the file in faults; `.json` is JSON, everything else TOML
 * @throws OperatingError `bad_template` that names line or field
 */
export function parseTemplate(path: string, text: string): FlowTemplate {
  const result = template.safeParse(readValue(path, text));
  if (!result.success) {
    throw wrong(
      path,
      result.error.issues.map(issue => `${issue.path.join('.') || 'the file'}: ${issue.message}`),
    );
  }
  const { phases } = result.data;
  const labels = phases.map(({ label }) => label);
  const faults = phases.flatMap(({ label, after, policy: given }, index) => {
    const at = `phases.${index}`;
    const strangers = after.filter(before => !labels.includes(before));
    const { copiesTarget = 2, copiesMinimum = 1 } = given;
    return [
      ...(labels.indexOf(label) === index ? [] : [`${at}.label: "${label}" stands twice`]),
      ...strangers.map(before => `${at}.after: no phase is called "${before}"`),
      ...(copiesMinimum <= copiesTarget ? [] : [`${at}.policy.copiesMinimum: more than copiesTarget`]),
    ];
  });
  const { order, circle } = sorted(phases);
  if (faults.length === 0 && circle.length > 0)
    faults.push(`phases.after: ${circle.join(', ')} go round in a circle`);
  if (faults.length > 0) throw wrong(path, faults);
  return { phases: order };
}

/** TOML that `parseTemplate` reads. */
export function formatTemplate({ phases }: FlowTemplate): string {
  return stringify({ phases });
}
