import assert from 'node:assert/strict';
import { ZERO_HASH } from '../../src/core/base/ids.ts';
import { isReject } from '../../src/core/base/reject.ts';
import { voteBytes } from '../../src/core/codec/chain.ts';
import { genesisBlock } from '../../src/core/ledger/genesis.ts';
import { readSystem } from '../../src/core/ledger/read.ts';
import { quorumSize } from '../../src/core/quorum/quorum.ts';
import type { Block, Certificate, ValidatorSet } from '../../src/core/types/chain.ts';
import type { Diff, Genesis, Parameters } from '../../src/core/types/state.ts';
import type { Transaction } from '../../src/core/types/transaction.ts';
import { nodeSuite } from '../../src/crypto/suite.ts';
import type { KeyValueStore } from '../../src/ports/kv.ts';
import { KvChainStore } from '../../src/store/kv-chain-store.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import { Actions } from './ledger-actions.ts';
import {
  type Actor,
  bytesOf,
  createActor,
  hashOf,
  TestLedger,
  testGenesis,
  testSigner,
} from './ledger-kit.ts';

/** A block as a node commits it. */
export interface MadeBlock {
  readonly block: Block;
  readonly hash: Block['header']['parentHash'];
  readonly certificate: Certificate | null;
  readonly diff: Diff;
  readonly transactions: readonly Uint8Array[];
}

/** A real chain without consensus, its blocks certified by a quorum of the set in force, to be put into real stores. */
export class StoredChain {
  readonly alice: Actor;
  readonly bob: Actor;
  readonly ledger: TestLedger;
  readonly actions: Actions;
  readonly made: MadeBlock[] = [];
  private count = 0;

  constructor(parameters: Partial<Parameters> = {}) {
    this.alice = createActor('alice');
    this.bob = createActor('bob');
    this.ledger = new TestLedger(testGenesis([this.alice], [this.bob], parameters));
    this.actions = new Actions(this.ledger);
    const { block, hash, diff } = genesisBlock(nodeSuite, this.genesis);
    this.made.push({ block, hash, certificate: null, diff, transactions: [] });
  }

  get genesis(): Genesis {
    return this.ledger.genesis;
  }

  get height(): number {
    return this.ledger.height;
  }

  /** One block of these, by default of one new project. */
  next(...transactions: readonly Transaction[]): MadeBlock {
    const chosen = transactions.length > 0 ? transactions : [this.project()];
    const { validatorSet } = readSystem(this.ledger.state);
    const execution = this.ledger.execute(chosen);
    assert(!isReject(execution), JSON.stringify(execution));
    this.ledger.keep(execution);
    const { block, hash, diff } = execution;
    const bodies = chosen.map(({ id }) => this.ledger.wrappers.get(id)!);
    const certificate = this.certify(block, hash, validatorSet);
    const made = { block, hash, certificate, diff, transactions: bodies };
    this.made.push(made);
    return made;
  }

  project(actor = this.alice): Transaction {
    this.count += 1;
    const project = hashOf(`stored project ${this.count}`);
    const scopes = [this.ledger.logId('project', project)];
    return this.ledger.make(actor, 'projectCreate', scopes, [
      { project, card: bytesOf(`card ${this.count}`, 90) },
    ]);
  }

  private certify(block: Block, blockHash: MadeBlock['hash'], set: ValidatorSet): Certificate {
    const { chainId, height } = block.header;
    const subject = { validatorSetId: set.id, view: 0, newViewDigest: ZERO_HASH, height, blockHash };
    const bytes = voteBytes('commit', { chainId, ...subject });
    const signers = set.validators.slice(-quorumSize(set.validators.length));
    const signatures = signers.map(({ name }) => ({
      signer: set.validators.findIndex(validator => validator.name === name),
      signature: testSigner(`validator ${name}`).sign(bytes),
    }));
    return { ...subject, signatures };
  }

  /** Commits the heights (store's head, upTo]. */
  async fill(store: KvChainStore, upTo = this.height): Promise<void> {
    const from = (store.head()?.block.header.height ?? -1) + 1;
    for (const { block, hash, certificate, diff, transactions } of this.made.slice(from, upTo + 1)) {
      await store.commit({ block, hash, certificate }, diff, transactions);
    }
  }

  async store(upTo = this.height, kv: KeyValueStore = new MemoryStore()): Promise<KvChainStore> {
    await kv.open();
    const window = this.genesis.parameters.replayWindowBlocks;
    const store = new KvChainStore(kv, { replayWindowBlocks: () => window });
    await this.fill(store, upTo);
    return store;
  }
}
