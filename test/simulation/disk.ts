import { assert, assertDefined } from '../../src/core/base/assert.ts';
import type { BlockHash, TransactionId } from '../../src/core/base/ids.ts';
import { headerHash } from '../../src/core/codec/chain.ts';
import type { EngineParameters, EngineStart, Reign } from '../../src/core/pbft/config.ts';
import type { Block, Certificate, ValidatorSet } from '../../src/core/types/chain.ts';
import { CHAIN_ID, genesisHeader } from './ledger.ts';
import { simulatedSuite as suite } from './suite.ts';

export interface StoredBlock {
  readonly block: Block;
  readonly hash: BlockHash;
  readonly certificate: Certificate | null;
  /** The reign that decides the next height. */
  readonly reign: Reign;
}

/** What survives a crash: the flushed part of the log and the chain store. */
export class Disk {
  log: Uint8Array[] = [];
  readonly chain: StoredBlock[];
  readonly committedIds = new Set<TransactionId>();

  constructor(genesis: ValidatorSet) {
    const header = genesisHeader(genesis);
    const hash = headerHash(suite.sha256, header);
    const reign: Reign = { chainId: CHAIN_ID, set: genesis, startHeight: 0, startHash: hash };
    this.chain = [{ block: { header, entries: [] }, hash, certificate: null, reign }];
  }

  get head(): StoredBlock {
    return assertDefined(this.chain.at(-1), 'genesis is there');
  }

  get height(): number {
    return this.head.block.header.height;
  }

  append(block: Block, hash: BlockHash, certificate: Certificate, nextSet: ValidatorSet | null): void {
    const { header } = block;
    assert(header.parentHash === this.head.hash, 'the store takes blocks in order');
    const reign: Reign =
      nextSet === null
        ? this.head.reign
        : { chainId: CHAIN_ID, set: nextSet, startHeight: header.height, startHash: hash };
    this.chain.push({ block, hash, certificate, reign });
    for (const { id } of block.entries) this.committedIds.add(id);
  }

  start(parameters: EngineParameters): EngineStart {
    const { block, hash: blockHash, certificate, reign } = this.head;
    return { header: block.header, blockHash, certificate, reign, parameters };
  }
}
