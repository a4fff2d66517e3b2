import { applyToScope, type ScopeValue } from '../access/apply.ts';
import { isReject, type Reject, reject } from '../base/reject.ts';
import { kindName, LAYOUTS } from '../codec/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { Leaf, Transaction } from '../types/transaction.ts';

/**
 * The state of a scope after one more leaf, computed from what a reader of that scope holds: the leaf, and the transaction
 * with the parts of this scope. With the leaves from the first on this gives the state that `LogEntry.digest` certifies.
 */
export function foldLeaf(value: ScopeValue, leaf: Leaf, transaction: Transaction): ScopeValue | Reject {
  if (leaf.outcome !== OUTCOMES.committed) return value;
  const kind = kindName(transaction.body.kind);
  if (kind === null) return reject('malformed', `unknown kind ${transaction.body.kind}`);
  const { height, timeMs, position } = leaf;
  const place = { sender: transaction.body.sender, height, timeMs, position };
  const index = transaction.body.scopes.indexOf(leaf.logId);
  // a revocation stands in the logs of the member's phases, which its body does not name
  if (index < 0) return applyToScope(kind, value, null, place);
  const content = contentOf(transaction, kind, index);
  return isReject(content) ? content : applyToScope(kind, value, content, place);
}

/** The first part of a scope is the one that its effect reads. */
function contentOf(
  transaction: Transaction,
  kind: keyof typeof LAYOUTS,
  scope: number,
): object | Uint8Array | Reject {
  const layout: readonly { readonly scope: number; decode(bytes: Uint8Array): object | Reject }[] =
    LAYOUTS[kind];
  const index = layout.findIndex(entry => entry.scope === scope);
  const part = transaction.signed.parts[index];
  if (part === undefined || part === null) return reject('malformed', `no part for scope ${scope}`);
  return layout[index]!.decode(part.content);
}
