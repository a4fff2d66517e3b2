import { EVIDENCE_SENDER } from '../access/evidence.ts';
import type { CheckContext, Rule } from '../access/rule.ts';
import { RULES } from '../access/rules.ts';
import { mayAct } from '../access/standing.ts';
import type { Hash, LogId, Suite } from '../base/ids.ts';
import { isReject } from '../base/reject.ts';
import { decodeOperation, verifyLayout } from '../codec/operation.ts';
import type { ScopeRef } from '../codec/state.ts';
import { KINDS, type KindName, type Operation } from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { Transaction } from '../types/transaction.ts';
import { findMember } from './read.ts';
import type { Workspace } from './workspace.ts';

/** What becomes of one admitted transaction; `operation` is there when the outcome is `committed`. */
export type Decision =
  | { readonly outcome: typeof OUTCOMES.committed; readonly operation: Operation }
  | { readonly outcome: number; readonly operation: null };

function refused(outcome: number): Decision {
  return { outcome, operation: null };
}

function sameScopes(a: readonly LogId[], b: readonly LogId[]): boolean {
  return a.length === b.length && a.every((logId, index) => logId === b[index]);
}

function judge(operation: Operation, context: CheckContext): number {
  // the rule table pairs each kind with the rule for its own contents
  const rule = RULES[operation.kind] as unknown as Rule<KindName>;
  if (!sameScopes(rule.scopes(context, operation.contents), context.scopes)) return OUTCOMES.wrongScopes;
  return rule.check(context, operation.contents);
}

/**
 * Judges a transaction against the state that the ones before it have left. Changes nothing.
 * @param block that is executed
 */
export function decide(
  suite: Suite,
  workspace: Workspace,
  transaction: Transaction,
  { height, timeMs }: Pick<CheckContext, 'height' | 'timeMs'>,
): Decision {
  const { body, signed } = transaction;
  const sender = body.kind === KINDS.evidence ? EVIDENCE_SENDER : findMember(workspace.system(), body.sender);
  // admitted against the state before the block, but revoked or suspended earlier in this very block
  if (sender === null || sender.revoked) return refused(OUTCOMES.revokedKey);
  if (!mayAct(sender)) return refused(OUTCOMES.memberSuspended);
  // in the system log, a key that this block has ended brings the member no other one: whoever has it may have had to be shut out
  const isOver = (sender.keys[body.keyId]?.untilHeight ?? 0) !== 0;
  if (isOver && body.scopes.includes(workspace.logIdOf('system', workspace.chainId))) {
    return refused(OUTCOMES.revokedKey);
  }
  const operation = decodeOperation(body.kind, signed.parts);
  if (isReject(operation)) return refused(OUTCOMES.malformed);
  const partScopes = body.parts.map(part => part.scope);
  if (!verifyLayout(operation.kind, partScopes)) return refused(OUTCOMES.malformed);
  if (body.scopes.length === 0) return refused(OUTCOMES.wrongScopes);
  const context: CheckContext = { suite, state: workspace, sender, height, timeMs, scopes: body.scopes };
  const outcome = judge(operation, context);
  return outcome === OUTCOMES.committed ? { outcome, operation } : refused(outcome);
}

/** The scope that `body.scopes[index]` is the log of, also when this operation creates it. */
export function scopeRefOf(
  workspace: Workspace,
  operation: Operation,
  logId: LogId,
  index: number,
): ScopeRef | null {
  const created = createdScope(operation);
  if (created !== null && created.index === index) return created.ref;
  return workspace.logScope(logId);
}

function createdScope(operation: Operation): { index: number; ref: ScopeRef } | null {
  const ref = (scope: ScopeRef['scope'], id: Hash): ScopeRef => ({ scope, id });
  if (operation.kind === 'projectCreate') {
    return { index: 0, ref: ref('project', operation.contents[0].project) };
  }
  if (operation.kind === 'phaseAdd') return { index: 1, ref: ref('phase', operation.contents[1].phase) };
  return null;
}
