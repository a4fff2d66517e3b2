import type { Suite } from '../../src/core/base/ids.ts';
import type { Reject } from '../../src/core/base/reject.ts';
import * as ledger from '../../src/core/ledger/execute.ts';
import type { StateView } from '../../src/core/types/state.ts';
import { remembering } from './remembering.ts';

// As `shared-work.ts`, for `services/consensus/executor.ts`: nodes that hold one state and execute one block share the result.

export * from '../../src/core/ledger/execute.ts';

type Executed = ledger.Execution | Reject;

/** Blocks that may still be executed by somebody; whoever comes later executes again. */
const EXECUTIONS_MAX = 256;
const executions = new Map<string, Executed>();

/** The parent's hash names the state: its header holds the root of it. */
function keyOf(parent: ledger.ParentBlock, { timeMs, transactions }: ledger.BlockInput): string {
  return `${parent.hash}/${timeMs}/${transactions.map(({ wrapperHash }) => wrapperHash).join()}`;
}

function keep(key: string, executed: Executed): void {
  executions.set(key, executed);
  if (executions.size <= EXECUTIONS_MAX) return;
  for (const oldest of executions.keys()) {
    executions.delete(oldest);
    return;
  }
}

export function executeBlock(
  suite: Suite,
  view: StateView,
  parent: ledger.ParentBlock,
  input: ledger.BlockInput,
  options?: ledger.ExecutionOptions,
): Executed {
  if (!remembering.isOn) return ledger.executeBlock(suite, view, parent, input, options);
  const key = keyOf(parent, input);
  const executed = executions.get(key) ?? ledger.executeBlock(suite, view, parent, input, options);
  keep(key, executed);
  return executed;
}

export function buildBlock(
  ...given: Parameters<typeof ledger.buildBlock>
): ReturnType<typeof ledger.buildBlock> {
  const built = ledger.buildBlock(...given);
  const [, , parent, { timeMs }] = given;
  if (remembering.isOn && built.execution !== null)
    keep(keyOf(parent, { timeMs, transactions: built.transactions }), built.execution);
  return built;
}
