import { GovernanceActions } from './governance-actions.ts';
import { StoredChain } from './stored-chain.ts';

/** A validator comes and goes, so often that the set changes as many times. */
export function changeSet(chain: StoredChain, times: number): void {
  const governance = new GovernanceActions(chain.ledger);
  for (let time = 0; time < times; time += 1) {
    const before = governance.validators.find(name => name.startsWith('extra'));
    const add = governance.add(`extra-${chain.height}`);
    const actions = before === undefined ? [add] : [governance.remove(before), add];
    chain.next(governance.propose(chain.alice, actions));
    chain.next();
  }
}

/** Another chain object with the same blocks, to go on differently. */
export function twinOf(chain: StoredChain): StoredChain {
  const twin = new StoredChain();
  for (const { block } of chain.made.slice(1)) {
    const transactions = block.entries.map(({ id }) => chain.ledger.transactions.get(id)!);
    for (const [index, { id }] of block.entries.entries()) {
      twin.ledger.wrappers.set(id, chain.ledger.wrappers.get(id)!);
      twin.ledger.transactions.set(id, transactions[index]!);
    }
    twin.next(...transactions);
  }
  return twin;
}
