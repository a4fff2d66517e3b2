import { assertDefined } from '../core/base/assert.ts';
import { equalBytes } from '../core/base/bytes.ts';
import type { Hash, LogId, TransactionId } from '../core/base/ids.ts';
import { readSystem, replayChain } from '../core/ledger/index.ts';
import { checkCertificate } from '../core/light/certificate.ts';
import type { ValidatorSet } from '../core/types/chain.ts';
import type { Diff, Genesis, StateView } from '../core/types/state.ts';
import { nodeSuite } from '../crypto/suite.ts';
import type { ChainStore, StoredBlock } from '../ports/chain-store.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import { KvStateRebuild } from '../store/state-rebuild.ts';
import { withChain } from './chain-database.ts';
import { HeldVerifier } from './verify-held.ts';

export interface DatabaseReport {
  readonly blocks: number;
  readonly transactions: number;
  readonly head: Hash | null;
  /** The first thing that does not verify, in words; null when all does. */
  readonly fault: string | null;
  /** What could not be verified, and why; null where everything was executed again from genesis. */
  readonly left: string | null;
}

/** The state that replay builds, in memory and from nothing that the database says. */
class ReplayedState implements StateView {
  readonly values = new Map<string, Uint8Array>();
  readonly logs = new Map<LogId, Hash[]>();
  private readonly nodes = new Map<Hash, Uint8Array>();
  private readonly ids = new Map<TransactionId, number>();

  get = (key: string) => this.values.get(key) ?? null;
  mapNode = (hash: Hash) => this.nodes.get(hash) ?? null;
  leafHash = (logId: LogId, position: number) => this.logs.get(logId)?.[position] ?? null;
  seen = (id: TransactionId) => this.ids.get(id) ?? null;

  apply(diff: Diff): void {
    for (const [key, value] of diff.state) {
      if (value === null) this.values.delete(key);
      else this.values.set(key, value);
    }
    for (const [hash, node] of diff.mapNodes) this.nodes.set(hash, node);
    for (const hash of diff.staleMapNodes) this.nodes.delete(hash);
    for (const { logId, leafHash } of diff.leaves) {
      const log = this.logs.get(logId) ?? [];
      log.push(leafHash);
      this.logs.set(logId, log);
    }
    for (const id of diff.ids) this.ids.set(id, diff.height);
  }

  /** What the database has stored must be what execution gives. */
  difference(store: ChainStore): string | null {
    for (const [key, value] of this.values) {
      const stored = store.state.get(key);
      if (stored === null || !equalBytes(stored, value)) return `the stored state differs at ${key}`;
    }
    for (const [logId, hashes] of this.logs) {
      if (store.logSize(logId) !== hashes.length) return `log ${logId} has another size than its blocks give`;
      const stored = store.leafHashes(logId, 0, hashes.length);
      const index = hashes.findIndex((hash, at) => stored[at] !== hash);
      if (index >= 0) return `log ${logId} has another leaf at position ${index}`;
    }
    return null;
  }
}

function certificateFault(
  chainId: Hash,
  { block, certificate }: StoredBlock,
  set: ValidatorSet,
): string | null {
  const { height } = block.header;
  if (height === 0) return null;
  if (certificate === null) return `block ${height} has no certificate`;
  const fault = checkCertificate(nodeSuite, chainId, { header: block.header, certificate }, set);
  return fault === null ? null : `certificate of block ${height}: ${fault.detail}`;
}

/** Re-executes and re-checks everything from genesis; trusts the genesis file and nothing else. */
async function verifyChain(genesis: Genesis, store: ChainStore): Promise<DatabaseReport> {
  const head = store.head();
  const height = head?.block.header.height ?? -1;
  const chain = {
    height,
    block: (at: number) => store.block(at),
    transaction: (id: TransactionId) => store.transaction(id),
  };
  const state = new ReplayedState();
  const target = { view: state, apply: (diff: Diff) => state.apply(diff) };
  let set: ValidatorSet = { id: 0, validators: genesis.validators };
  let transactions = 0;
  const report = (blocks: number, fault: string | null) => ({
    blocks,
    transactions,
    head: head?.hash ?? null,
    fault,
    left: null,
  });
  for (const step of replayChain(nodeSuite, genesis, chain, target)) {
    if (step.difference !== null) {
      return report(step.height, `block ${step.height}: ${step.difference.code}: ${step.difference.detail}`);
    }
    const stored = assertDefined(store.block(step.height), 'a block that replay read');
    const fault = certificateFault(stored.block.header.chainId, stored, set);
    if (fault !== null) return report(step.height, fault);
    transactions += stored.block.entries.length;
    set = readSystem(state).validatorSet;
  }
  return report(height + 1, height < 0 ? 'there is no block, not even genesis' : state.difference(store));
}

const REPAIR = 'run "phaseline db repair" and start the node';

function unreadable(fault: string): DatabaseReport {
  return { blocks: 0, transactions: 0, head: null, fault, left: null };
}

function damagedReport(key: string, others: number): DatabaseReport {
  const more = others === 0 ? '' : `, and so are those of ${others} other keys`;
  return unreadable(`the stored value of "${key}" is damaged${more}; ${REPAIR}`);
}

/** @throws OperatingError `directory_in_use` while the node runs, `no_chain`, and those of reading */
export async function verifyDatabase(dir: string): Promise<DatabaseReport> {
  try {
    return await withChain(dir, async ({ genesis, kv, store }) => {
      const [damaged, ...more] = await new KvStateRebuild(kv).damaged();
      if (damaged !== undefined) return damagedReport(damaged, more.length);
      const { baseHeight, bodiesFrom } = store.history;
      if (bodiesFrom === 1) return verifyChain(genesis, store);
      const held = await new HeldVerifier(genesis, kv, store).verify();
      const why =
        baseHeight > 0 ? `the node began with the snapshot of height ${baseHeight}` : 'they were pruned';
      const left = `the transactions of blocks below ${bodiesFrom} were not executed again: ${why}`;
      return { ...held, head: store.head()?.hash ?? null, left };
    });
  } catch (error) {
    if (error instanceof OperatingError && error.code === 'corrupt') {
      return unreadable(`${error.message}; ${REPAIR}`);
    }
    throw error;
  }
}
