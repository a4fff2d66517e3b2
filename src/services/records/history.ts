import type { LogId, MemberId, PhaseId, ProjectId, TransactionId, UserId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { kindName, LAYOUTS } from '../../core/codec/operation.ts';
import { findMember } from '../../core/ledger/read.ts';
import type { ApprovalRule, Deed, PhasePolicy, Rewiring } from '../../core/types/flow.ts';
import {
  type Contents,
  type KindName,
  type PhaseAddPhase,
  type PhaseAddProject,
  roleNames,
} from '../../core/types/operation.ts';
import { outcomeName } from '../../core/types/outcome.ts';
import type { Transaction } from '../../core/types/transaction.ts';
import { phaseLabel } from './cards.ts';
import { type Context, phaseLog, projectLog } from './context.ts';
import type { LogItem } from './ports.ts';
import { type Refusal, short, unknownPhase, unknownProject } from './refusal.ts';

/** What a change did to one thing; null where there was, or is, nothing. */
export interface Change {
  readonly what: string;
  readonly before: string | null;
  readonly after: string | null;
}

export interface HistoryEntry {
  readonly position: number;
  readonly height: number;
  readonly timeMs: number;
  readonly transaction: TransactionId;
  readonly member: MemberId;
  /** The user of the member whose key signed it; null for the member's own. */
  readonly user: UserId | null;
  /** Name of the kind: `phasePolicy`. */
  readonly kind: string;
  /** Null where it was committed; otherwise why the ledger refused it. */
  readonly refused: string | null;
  readonly changes: readonly Change[];
}

/** Not changes of a flow, but what flows. */
const LEFT_OUT: ReadonlySet<string> = new Set(['recordPut', 'fileReceipt', 'filePurgeAck']);
const CHUNK_ITEMS = 256;

function roleList(bits: number): string {
  return roleNames(bits).join(', ');
}

const ruleText = ({ roles, k }: ApprovalRule) => (k === 0 ? 'nobody' : `${k} of ${roleList(roles)}`);

/** The policy as lines of text, for comparing and for reading. */
export function policyLines(policy: PhasePolicy): ReadonlyMap<string, string> {
  const rules = Object.entries(policy.approvals);
  return new Map([
    ['copies wanted', String(policy.copiesTarget)],
    ['copies at least', String(policy.copiesMinimum)],
    ['writers', roleList(policy.writers)],
    ['retention', policy.retentionDays === 0 ? 'no time set' : `${policy.retentionDays} days after its end`],
    ...rules.map(([name, rule]): [string, string] => [`approvals to ${name}`, ruleText(rule)]),
  ]);
}

export function policyChanges(before: PhasePolicy, after: PhasePolicy): Change[] {
  const next = policyLines(after);
  return [...policyLines(before)]
    .filter(([what, value]) => next.get(what) !== value)
    .map(([what, value]) => ({ what, before: value, after: next.get(what) ?? null }));
}

/** What an approver is asked for, in words. @param nameOf what a phase is called */
export function deedText(deed: Deed, nameOf: (phase: PhaseId) => string): string {
  if (deed.kind === 'phaseClose') return 'close the phase';
  if (deed.kind === 'phaseSkip') return 'skip the phase';
  if (deed.kind === 'participantAdd') return `add ${deed.member} as ${roleList(deed.roles)}`;
  if (deed.kind === 'participantRole') return `make ${deed.member} ${roleList(deed.roles)}`;
  if (deed.kind === 'participantRemove') return `remove ${deed.member}`;
  if (deed.kind === 'phasePolicy') return 'change the policy';
  if (deed.kind === 'recoveryShares') {
    return `share the recovery key among ${deed.holders.join(', ')}, ${deed.threshold} of whom open the phase`;
  }
  const what = deed.records.length === 0 ? 'all records' : `${deed.records.length} record(s)`;
  return `hand ${what} over to ${nameOf(deed.target)}`;
}

const STATES: Readonly<Partial<Record<KindName, string>>> = {
  phaseOpen: 'open',
  phaseClose: 'closed',
  phaseReopen: 'open',
  phaseArchive: 'archived',
  phaseSkip: 'skipped',
};

/** Reads one log in order, and remembers what the next change replaces. */
class Reading {
  private lifecycle: string | null = null;
  private readonly roles = new Map<MemberId, number>();
  private epoch: number | null = null;

  constructor(private readonly nameOf: (phase: PhaseId) => string) {}

  private names(ids: readonly PhaseId[]): string | null {
    return ids.length === 0 ? null : ids.map(this.nameOf).join(', ');
  }

  private rewirings(changes: readonly Rewiring[]): Change[] {
    return changes.map(({ phase, before, after }) => {
      return { what: `before ${this.nameOf(phase)}`, before: this.names(before), after: this.names(after) };
    });
  }

  private moved(kind: KindName): Change[] {
    const after = STATES[kind] ?? null;
    const change = { what: 'state', before: this.lifecycle, after };
    this.lifecycle = after;
    return [change];
  }

  private opened(epoch: { readonly number: number } | null): Change[] {
    if (epoch === null) return [];
    const before = epoch.number === 0 ? null : String(this.epoch ?? epoch.number - 1);
    this.epoch = epoch.number;
    return [{ what: 'key epoch', before, after: String(epoch.number) }];
  }

  private member(id: MemberId, roles: number | null): Change {
    const known = this.roles.get(id);
    if (roles === null) this.roles.delete(id);
    else this.roles.set(id, roles);
    const before = known === undefined ? null : roleList(known);
    return { what: `participant ${id}`, before, after: roles === null ? null : roleList(roles) };
  }

  private begun(content: PhaseAddPhase): Change[] {
    this.lifecycle = 'draft';
    const members = content.participants.map(({ member, roles }) => this.member(member, roles));
    return [{ what: 'state', before: null, after: 'draft' }, ...members, ...this.opened(content.epoch)];
  }

  private added({ phase, predecessors, rewirings }: PhaseAddProject): Change[] {
    const after = predecessors.length === 0 ? 'first' : `after ${this.names(predecessors)}`;
    return [{ what: `phase ${this.nameOf(phase)}`, before: null, after }, ...this.rewirings(rewirings)];
  }

  /** @param content the part of the log that is read */
  changes(kind: KindName, scope: 'project' | 'phase', content: unknown): Change[] {
    const as = <K extends KindName>(_: K) => content as Contents[K][0];
    switch (kind) {
      case 'projectCreate':
        return [{ what: 'project', before: null, after: 'active' }];
      case 'projectArchive':
        return [{ what: 'project', before: 'active', after: 'archived' }];
      case 'phaseAdd':
        return scope === 'project'
          ? this.added(content as PhaseAddProject)
          : this.begun(content as PhaseAddPhase);
      case 'flowChange':
        return this.rewirings(as('flowChange').changes);
      case 'phaseSkip':
        if (scope === 'phase') return this.moved(kind);
        return [
          { what: `phase ${this.nameOf(as('phaseSkip').phase)}`, before: null, after: 'skipped' },
          ...this.rewirings(as('phaseSkip').changes),
        ];
      case 'phaseOpen':
      case 'phaseClose':
      case 'phaseReopen':
      case 'phaseArchive':
        return this.moved(kind);
      case 'phasePolicy':
        return policyChanges(as('phasePolicy').before, as('phasePolicy').after);
      case 'participantAdd':
        return [
          this.member(as(kind).member, as('participantAdd').roles),
          ...this.opened(as('participantAdd').epoch),
        ];
      case 'participantRemove':
        return [this.member(as(kind).member, null), ...this.opened(as('participantRemove').epoch)];
      case 'participantRole':
        return [this.member(as('participantRole').member, as('participantRole').roles)];
      case 'epochRotate':
        return this.opened(as('epochRotate').epoch);
      case 'epochComplaint':
        return [{ what: `key epoch ${as('epochComplaint').epoch}`, before: null, after: 'complained about' }];
      case 'recoveryShares': {
        const { threshold, shares } = as('recoveryShares');
        const holders = shares.map(({ member }) => member).join(', ');
        return [{ what: 'recovery shares', before: null, after: `${threshold} of ${holders}` }];
      }
      case 'recoveryAsk':
        return [{ what: 'recovery', before: null, after: 'asked for' }];
      case 'recoveryOffer':
        return [{ what: `ask ${as('recoveryOffer').ask}`, before: null, after: 'offered a share' }];
      case 'approvalRequest':
        return [{ what: 'request', before: null, after: deedText(as('approvalRequest').deed, this.nameOf) }];
      case 'approvalVote':
        return [this.vote(as('approvalVote'))];
      default:
        return [];
    }
  }

  private vote({ request, approve }: { readonly request: number; readonly approve: boolean }): Change {
    return { what: `request ${request}`, before: 'waiting', after: approve ? 'approved' : 'rejected' };
  }
}

function contentOf(logId: LogId, { transaction }: LogItem): unknown {
  const { body, signed } = transaction;
  const name = kindName(body.kind);
  if (name === null || name === 'recordPut') return null;
  const layout: readonly { readonly scope: number; decode(bytes: Uint8Array): unknown }[] = LAYOUTS[name];
  const index = layout.findIndex(entry => entry.scope === body.scopes.indexOf(logId));
  const part = signed.parts[index] ?? null;
  const content = part === null ? null : layout[index]!.decode(part.content);
  return isReject(content) ? null : content;
}

async function readLog(
  context: Context,
  logId: LogId,
  scope: 'project' | 'phase',
  nameOf: (phase: PhaseId) => string,
): Promise<HistoryEntry[]> {
  const { access } = context;
  const reading = new Reading(nameOf);
  const entries: HistoryEntry[] = [];
  const signer = ({ body }: Transaction) =>
    findMember(access.system(), body.sender)?.keys[body.keyId]?.user ?? null;
  const to = access.held(logId)?.to ?? 0;
  for (let from = access.held(logId)?.from ?? 0; from < to; from += CHUNK_ITEMS) {
    for (const item of await access.items(logId, from, Math.min(to, from + CHUNK_ITEMS))) {
      const { leaf, transaction } = item;
      const kind = kindName(transaction.body.kind);
      if (kind === null || LEFT_OUT.has(kind)) continue;
      const content = contentOf(logId, item);
      const committed = leaf.outcome === 0;
      entries.push({
        ...{ position: leaf.position, height: leaf.height, timeMs: leaf.timeMs, kind },
        ...{ transaction: transaction.id, member: transaction.body.sender, user: signer(transaction) },
        refused: committed ? null : (outcomeName(leaf.outcome) ?? `outcome ${leaf.outcome}`),
        changes: committed && content !== null ? reading.changes(kind, scope, content) : [],
      });
    }
  }
  return entries;
}

async function namesIn(context: Context, project: ProjectId): Promise<(phase: PhaseId) => string> {
  const names = new Map<PhaseId, string>();
  const known = context.access.project(project)?.phases.map(({ id }) => id) ?? [];
  const readable = context.access.phases().filter(phase => phase.project === project);
  for (const id of [...known, ...readable.map(phase => phase.id)]) {
    const label = await phaseLabel(context, id, project);
    if (label !== null) names.set(id, label);
  }
  return id => names.get(id) ?? short(id);
}

/** Every change of a phase that this member may read, in order; records are listed elsewhere. */
export async function phaseHistory(
  context: Context,
  id: PhaseId,
): Promise<readonly HistoryEntry[] | Refusal> {
  const phase = await context.follower.catchUp(id);
  if (phase === null) return unknownPhase(id);
  return readLog(context, phaseLog(context, id), 'phase', await namesIn(context, phase.project));
}

/** Every change of an own project's flow, in order. */
export async function projectHistory(
  context: Context,
  id: ProjectId,
): Promise<readonly HistoryEntry[] | Refusal> {
  if (context.access.project(id) === null) return unknownProject(id);
  return readLog(context, projectLog(context, id), 'project', await namesIn(context, id));
}
