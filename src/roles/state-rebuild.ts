import { isReject } from '../core/base/reject.ts';
import { decodeSystemState, STATE_KEYS } from '../core/codec/state.ts';
import type { ValidatorSet } from '../core/types/chain.ts';
import type { KeyValueStore } from '../ports/kv.ts';
import { OperatingError } from '../ports/lifecycle.ts';
import type { Logger } from '../ports/logger.ts';
import { KvStateRebuild } from '../store/state-rebuild.ts';
import type { SyncBlock } from '../wire/sync.ts';
import type { ValidatorAddresses } from './consensus-links.ts';

/** Heights between two lines of progress. */
const PROGRESS_BLOCKS = 1000;

export interface StateRebuildConfig {
  readonly kv: KeyValueStore;
  readonly logger: Logger;
  /** Of the state that is in force. */
  generation(): number;
  /** There are other nodes to fetch from. */
  hasPeers(): boolean;
  /** The state is whole: the node may decide again. */
  done(): Promise<void>;
  fail(error: unknown): void;
}

/**
 * What a consensus node does about a damaged database: the error ends it, and the next start builds the state anew before the
 * engine runs (SCENARIOS 68). The log of votes is not touched, so neither is the right to vote.
 */
export class StateRebuild {
  private readonly stored: KvStateRebuild;
  private height: number | null = null;
  private known: readonly ValidatorAddresses[] = [];
  private ended: Promise<void> | null = null;
  private toldOfPeers = false;

  constructor(private readonly config: StateRebuildConfig) {
    this.stored = new KvStateRebuild(config.kv);
  }

  /** Height that the state must have again before this node votes; null where the state is whole. */
  get target(): number | null {
    return this.height;
  }

  /**
   * Validators of the state that there was, as far as it can be read, this node among them; null where the state is whole. The
   * set of an earlier height, which the state has meanwhile, says nothing of who has its blocks now.
   */
  get validators(): readonly ValidatorAddresses[] | null {
    return this.height === null ? null : this.known;
  }

  /** Right after the database was opened. */
  async begin(): Promise<void> {
    if (!this.stored.isMarked) return;
    const { logger } = this.config;
    logger.warn({}, 'a value was read damaged: looks at all of the database');
    this.height = await this.stored.begin();
    if (this.height === null) return logger.warn({}, 'every value is as it was written: nothing is rebuilt');
    this.known = this.validatorsBefore();
    logger.warn(
      { to: this.height },
      'the state is damaged: it is built anew, and the node does not vote before',
    );
  }

  /** By the newest set that anything on this disk tells of. */
  private validatorsBefore(): readonly ValidatorAddresses[] {
    const systems = this.stored.valuesBefore(STATE_KEYS.system).flatMap(bytes => {
      const system = decodeSystemState(bytes);
      return isReject(system) ? [] : [system];
    });
    const last = this.stored.lastSet();
    const sets = [...systems.map(({ validatorSet }) => validatorSet), ...(last === null ? [] : [last])];
    const newest = sets.reduce<ValidatorSet | null>(
      (best, set) => (best === null || set.id >= best.id ? set : best),
      null,
    );
    const placed = new Map<string, readonly string[]>();
    for (const { governance } of systems)
      for (const { peerId, addresses } of governance.addresses) placed.set(peerId, addresses);
    const validators = newest?.validators ?? [];
    return validators.map(({ peerId }) => ({ peerId, addresses: placed.get(peerId) ?? [] }));
  }

  /**
   * Leaves the mark of an error that ends the node.
   * @returns the error as it is told
   */
  async noted(error: unknown): Promise<unknown> {
    if (!isDamage(error)) return error;
    try {
      await this.stored.suspect();
    } catch {
      // the disk takes no mark: what it gave back wrong is what the operator has to hear of
      return error;
    }
    return new OperatingError(
      'corrupt',
      error.message,
      'Start the node again: it builds its state anew before it votes; if it ends again, run "phaseline db repair". Look after the disk.',
      error,
    );
  }

  /** @returns the block that follows, where the state is being rebuilt and it is here */
  ownBlock(height: number): SyncBlock | null {
    const target = this.height;
    if (target === null || height > target) return null;
    const block = this.stored.block(height);
    if (block !== null) return block;
    if (!this.config.hasPeers()) this.config.fail(nobodyHas(height, target));
    else if (!this.toldOfPeers) {
      this.toldOfPeers = true;
      this.config.logger.warn({ height, to: target }, 'a block is not here whole: asks the other nodes');
    }
    return null;
  }

  /** After each commit. */
  onCommitted(height: number): void {
    const target = this.height;
    if (target === null || this.ended !== null) return;
    const { logger, done, fail, generation } = this.config;
    if (height % PROGRESS_BLOCKS === 0) logger.info({ height, to: target }, 'rebuilding the state');
    if (height < target) return;
    this.ended = this.stored
      .finish(generation())
      .then(() => {
        this.height = null;
        logger.info({ height }, 'the state is whole again');
        return done();
      })
      .catch(fail);
  }

  /** Resolves when nothing is under way that began with the last block. */
  async idle(): Promise<void> {
    await this.ended;
  }
}

export function isDamage(error: unknown): error is OperatingError {
  return error instanceof OperatingError && error.code === 'corrupt';
}

function nobodyHas(height: number, target: number): OperatingError {
  return new OperatingError(
    'state_lost',
    `the state is damaged, block ${height} of the ${target} that give it is not here whole, and no other validator is known`,
    'Name the other validators in the configuration, if there are any, or restore the data directory from a backup.',
  );
}
