import { unknownVersionAt } from '../core/ledger/execute.ts';
import { readSystem } from '../core/ledger/read.ts';
import type { Genesis } from '../core/types/state.ts';
import type { ChainStore } from '../ports/chain-store.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import type { ChainReader } from '../services/consensus/chain-reader.ts';

/** Blocks beyond the replay window that a pruning node keeps whole at least. */
const KEEP_MARGIN_BLOCKS = 1024;

/** At the head; that of genesis while nothing is stored. */
export function replayWindowOf(store: Pick<ChainStore, 'head' | 'state'>, genesis: Genesis): number {
  const { parameters } = store.head() === null ? genesis : readSystem(store.state);
  return parameters.replayWindowBlocks;
}

/** A program that does not know the next block's version cannot execute it: it ends, and says what it lacks. */
export function versionFault(chain: ChainReader): OperatingError | null {
  const height = chain.headHeight() + 1;
  const version = unknownVersionAt(chain.system(), height);
  if (version === null) return null;
  return new OperatingError(
    'unknown_protocol_version',
    `the consortium uses protocol version ${version} from height ${height} on, which this program does not know`,
    'Install a version of Phaseline that does, and start the node again with the same data.',
  );
}

/**
 * Whoever starts from a snapshot needs the blocks after it, so that some more than the replay window must stay.
 * @param keepBlocks undefined for an archive
 */
export function keepBlocksFault(
  chain: ChainReader,
  keepBlocks: number | undefined,
  marginBlocks = KEEP_MARGIN_BLOCKS,
): OperatingError | null {
  const { replayWindowBlocks } = chain.parameters();
  const least = replayWindowBlocks + marginBlocks;
  if (keepBlocks === undefined || keepBlocks >= least) return null;
  return new OperatingError(
    'bad_config',
    `keepBlocks is ${keepBlocks}; with a replay window of ${replayWindowBlocks} blocks it is at least ${least}`,
    'Set a larger keepBlocks in config.toml, or history = "archive", and start again.',
  );
}
