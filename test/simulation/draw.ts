import { BEHAVIOURS, type BehaviourKind } from './byzantine.ts';
import { faultsOf } from './checker-certificate.ts';
import type { ClusterOptions } from './cluster.ts';
import { Random } from './random.ts';

/** What is drawn from the seed, or given in its place. */
export interface RunOptions extends ClusterOptions {
  /** Simulated time of faults, before the network heals. */
  readonly faultsMs: number;
  /** At most so long between two faults. */
  readonly calmMs: number;
  /** At most so long between two transactions. */
  readonly loadMs: number;
  /** Clients wait while so many of their transactions are not over. */
  readonly openMax: number;
  /** The run goes on until so many blocks are committed. */
  readonly blocks: number;
}

const RUN_MS = 12_000;
const BLOCKS = 200;
const REPLAY_BLOCKS_MIN = 60;
/** A cluster of four costs four times as much as one of one: it has seeds of its own below, one in six. */
const SIZES = [1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3];
/** Where few runs must find much. */
const DENSE_SIZES = [4, 4, 4, 4, 4, 4, 3, 3, 2, 1, 5, 7];
const MEDIUM_SIZES = [5, 6, 7];
export const SIZES_IN_TURN = [4, 7, 4];
/** A message costs as much, and there are ten times as many. */
const LARGE_SIZES = [8, 8, 8, 8, 9, 10, 10, 11, 12, 13, 14, 15, 16];
/** Enough for several blocks in flight. */
const OPEN_MAX = [5, 5, 5, 12];

/** Turns what was drawn into a run of one kind. */
type Kind = (drawn: RunOptions, random: Random, turn: number) => RunOptions;

/** So many of the turns below have an honest node that may stay out for good in place of a faulty one. */
const HONEST_TURNS = 3;

/** Four validators of which one is faulty, each behaviour in its turn. */
const oneFaulty: Kind = (drawn, _, turn) => {
  const kind: BehaviourKind | undefined = BEHAVIOURS[turn % (BEHAVIOURS.length + HONEST_TURNS)];
  if (kind === undefined) return { ...drawn, validators: 4, governanceMs: 0 };
  return { ...drawn, validators: 4, byzantine: [kind] };
};

/** Members' nodes, and in most runs a source that lies to them. */
const lights: Kind = (drawn, random, turn) => {
  const members = random.between(2, 3);
  const followed = { ...drawn, members, lights: random.between(1, 2) };
  if (turn % 8 === 0) return { ...followed, validators: random.between(1, 3), byzantine: [] };
  const kinds = BEHAVIOURS.filter(kind => kind !== 'twin');
  return { ...followed, validators: 4, byzantine: [random.pick(kinds)] };
};

/** Disks fail more often than anything else; in a larger cluster, keys that are lost with them are replaced. */
const wornDisks: Kind = (drawn, random, turn) => {
  const size =
    turn % 3 === 0
      ? { validators: 6, governanceMs: random.between(200, 500) }
      : { validators: 4, governanceMs: 0 };
  // The blocks that an empty disk lacks are mostly nowhere to be had: its node begins with a snapshot.
  const parameters = { ...drawn.parameters, replayWindowBlocks: REPLAY_BLOCKS_MIN };
  return { ...drawn, ...size, parameters, pruned: true, worn: true, calmMs: random.between(50, 500) };
};

/** More than f faulty validators, enough of them to commit with either half of the others. */
const conspiracy: Kind = (drawn, random) => {
  const [validators, conspirators] = random.pick([
    [4, 2],
    [4, 2],
    [7, 3],
    [7, 4],
  ] as const);
  const byzantine = Array.from({ length: conspirators }, () => 'conspirator' as const);
  // In turns: sooner or later one of them proposes.
  const parameters = { ...drawn.parameters, rotationBlocks: random.between(2, 8) };
  return { ...drawn, validators, byzantine, parameters, observers: 0, governanceMs: 0, pruned: false };
};

/** As many as may be faulty, who work together; in turns, so that sooner or later one of them proposes. */
const colluders: Kind = (drawn, random) => {
  const validators = random.chance(0.1) ? 10 : 7;
  const byzantine = Array.from({ length: faultsOf(validators) }, () => 'colluder' as const);
  const parameters = { ...drawn.parameters, rotationBlocks: random.between(2, 20) };
  return { ...drawn, validators, byzantine, parameters, observers: 0 };
};

/**
 * Two of seven, side by side, who keep what is prepared to themselves. In turns, so that both propose, and with blocks so small that several
 * are under way.
 */
const hoarders: Kind = (drawn, random) => {
  const parameters = {
    ...drawn.parameters,
    blockTransactionsMax: random.between(1, 2),
    rotationBlocks: random.between(2, 4),
  };
  const byzantine = ['hoarder', 'hoarder'] as const;
  return { ...drawn, validators: 7, byzantine, parameters, observers: 0, governanceMs: 0 };
};

/** Views end so often that what it says of them is heard. */
const forged: Kind = (drawn, random) => {
  const parameters = { ...drawn.parameters, rotationBlocks: random.between(2, 8) };
  return { ...drawn, validators: 4, byzantine: ['forger'], parameters, observers: 0 };
};

/** A network of one becomes one of four, of seven, and of four again. */
const growth: Kind = (drawn, random) => {
  const calm = { governanceMs: random.between(100, 300), calmMs: random.between(500, 2000), threshold: 1 };
  return { ...drawn, ...calm, validators: 1, observers: 6, sizes: SIZES_IN_TURN };
};

const sized =
  (sizes: readonly number[]): Kind =>
  (drawn, random) => {
    const validators = random.pick(sizes);
    const faulty = random.between(0, faultsOf(validators));
    const byzantine = Array.from({ length: faulty }, () => random.pick(BEHAVIOURS));
    return { ...drawn, validators, byzantine };
  };

const any = sized(SIZES);
const dense = sized(DENSE_SIZES);
const medium = sized(MEDIUM_SIZES);
const large = sized(LARGE_SIZES);

/** In turns. */
const MEDIUM_KINDS = [medium, medium, colluders, growth];

/** By the last two digits of the seed: what is rare or costs much has its share, and the others are as they come. */
function kindOf(seed: number): Kind {
  const last = seed % 100;
  if (last === 37) return large;
  if (last === 13 || last === 63) return MEDIUM_KINDS[Math.floor(seed / 50) % MEDIUM_KINDS.length] as Kind;
  if (last === 88 || last === 38) return conspiracy;
  if (last === 87) return hoarders;
  if (last % 10 === 2) return oneFaulty;
  if (last % 20 === 6) return lights;
  if (last % 20 === 4) return wornDisks;
  return any;
}

/** One seed in twenty runs holders of files and no cluster. */
export const drawsHolders = (seed: number): boolean => seed % 20 === 9;

export function drawOptions(seed: number, faultsMs = RUN_MS): RunOptions {
  return draw(seed, faultsMs, kindOf(seed));
}

/** For a hunt of few seeds: most clusters can lose one, every fifth run has members' nodes, every tenth a forger or hoarders. */
export function drawDense(seed: number, faultsMs: number): RunOptions {
  if (seed % 10 === 3) return draw(seed, faultsMs, forged);
  if (seed % 10 === 8) return draw(seed, faultsMs, hoarders);
  return draw(seed, faultsMs, seed % 5 === 1 ? lights : dense);
}

function draw(seed: number, faultsMs: number, kind: Kind): RunOptions {
  const random = new Random(seed ^ 0x5eed);
  const administrators = random.between(1, 3);
  const checkpointIntervalBlocks = random.pick([1, 2, 4, 8, 8]);
  const pruned = random.chance(0.4);
  const drawn: RunOptions = {
    seed,
    validators: 1,
    observers: random.chance(0.08) ? random.between(1, 2) : 0,
    byzantine: [],
    administrators,
    threshold: random.between(1, administrators),
    members: random.between(2, 6),
    parameters: {
      blockTransactionsMax: random.pick([1, 2, 4, 16]),
      blockBytesMax: 1 << 20,
      transactionBytesMax: 1 << 16,
      // So that what is pruned is missed by those who were away.
      replayWindowBlocks: pruned ? REPLAY_BLOCKS_MIN : random.pick([REPLAY_BLOCKS_MIN, 200, 1000]),
      memberTransactionsPerBlockMax: random.pick([1, 4, 16]),
      memberBytesPerBlockMax: 1 << 19,
      clockDriftMsMax: 250,
      checkpointIntervalBlocks,
      windowBlocks: checkpointIntervalBlocks * random.pick([2, 2, 4, 8]),
      viewTimeoutMs: random.pick([200, 500]),
      viewTimeoutMsMax: 4000,
      rotationBlocks: random.chance(0.2) ? random.between(1, 20) : 0,
    },
    eventMs: random.pick([0, 0, 0.01, 0.05, 0.2]),
    flushMs: random.pick([
      [0.1, 0.5],
      [0.5, 3],
      [2, 10],
    ] as const),
    governanceMs: random.chance(0.4) ? random.between(200, 1500) : 0,
    pruned,
    lights: 0,
    worn: false,
    detailed: false,
    linesMax: 80,
    faultsMs,
    calmMs: random.between(50, 2000),
    loadMs: random.pick([20, 50, 100]),
    openMax: random.pick(OPEN_MAX),
    blocks: BLOCKS,
  };
  return kind(drawn, random, Math.floor(seed / 10));
}
