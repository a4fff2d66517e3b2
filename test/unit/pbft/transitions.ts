import { assert } from '../../../src/core/base/assert.ts';
import { isReject, reject } from '../../../src/core/base/reject.ts';
import { headerHash } from '../../../src/core/codec/chain.ts';
import { createEngine, type Engine, step } from '../../../src/core/pbft/engine.ts';
import type { Input } from '../../../src/core/pbft/input.ts';
import { encodeWalRecord } from '../../../src/core/pbft/wal-record.ts';
import { simulatedSign } from '../../simulation/suite.ts';
import { CHAIN_ID } from '../../support/toy-ledger.ts';
import { Driver, PARAMETERS, suite } from './kit.ts';
import { facts, sayEffect } from './transitions-say.ts';
import { Words } from './transitions-words.ts';

// The states of transitions.txt that a node can be in, and the inputs that can come.

const FOUR = new Words(4);
const ONE = new Words(1);

/** A node in a state, with what its engine waits for. */
export interface Stage {
  readonly words: Words;
  readonly driver: Driver;
  readonly engine: Engine;
}

interface StageOptions {
  readonly node: number;
  readonly words?: Words;
  readonly observes?: boolean;
  readonly rotationBlocks?: number;
  /** What is left unanswered. */
  readonly hold?: readonly ('persist' | 'execute' | 'commit')[];
}

function stageOf(
  { node, words = FOUR, observes = false, rotationBlocks = 0, hold = [] }: StageOptions,
  log: readonly Uint8Array[],
): Stage {
  const { consortium } = words;
  const { publicKey } = consortium.set.validators[node] ?? consortium.set.validators[0]!;
  const seat = { index: node, sign: (bytes: Uint8Array) => simulatedSign(publicKey, bytes) };
  const start = { ...consortium.start(), parameters: { ...PARAMETERS, rotationBlocks } };
  const engine = createEngine(
    {
      suite,
      chainId: CHAIN_ID,
      findSeat: ({ validators }) => (observes || node >= validators.length ? null : seat),
    },
    start,
    log,
  );
  assert(!isReject(engine), 'the log can be read');
  const driver = new Driver(engine, !hold.includes('execute'));
  driver.autoPersist = !hold.includes('persist');
  driver.autoCommit = !hold.includes('commit');
  return { words, driver, engine };
}

function give(stage: Stage, inputs: readonly string[]): Stage {
  for (const words of inputs) stage.driver.give(input(words, stage));
  return stage;
}

const stage = (options: StageOptions, ...inputs: readonly string[]): Stage =>
  give(stageOf(options, []), inputs);

/** Stopped after these inputs, and started again with its log at genesis. */
function restarted(options: StageOptions, ...inputs: readonly string[]): Stage {
  const { driver } = stage({ ...options, hold: ['commit'] }, ...inputs);
  return stageOf(options, driver.log);
}

const votes = (kind: string, block: string, ...signers: readonly number[]) =>
  signers.map(signer => `${kind} ${block} by ${signer}`);
const COMMITTED = (block: string) => [`prePrepare ${block} by 0`, ...votes('commit', block, 0, 1, 2)];
const COMPLAINTS = ['complaint lasting by 2', 'complaint lasting by 0'];

/** Every state that rows name. */
export const STATES: Record<string, () => Stage> = {
  primary: () => stage({ node: 0 }),
  'primary, building 1': () => stage({ node: 0 }, 'pending'),
  'primary, proposed 1': () => stage({ node: 0 }, 'pending', 'built 1'),
  'primary, window full': () => stage({ node: 0 }, 'pending', 'built 1', 'built 2', 'built 3', 'built 4'),
  replica: () => stage({ node: 3 }),
  'replica, executing 1': () => stage({ node: 3, hold: ['execute'] }, 'prePrepare 1 by 0'),
  'replica, writing prepare 1': () => stage({ node: 3, hold: ['persist'] }, 'prePrepare 1 by 0'),
  'replica, accepted 1': () => stage({ node: 3 }, 'prePrepare 1 by 0'),
  'replica, one prepare short': () => stage({ node: 3 }, 'prePrepare 1 by 0', 'prepare 1 by 1'),
  'replica, accepted 1 and 2': () => stage({ node: 3 }, 'prePrepare 1 by 0', 'prePrepare 2 by 0'),
  'replica, prepared 1': () => stage({ node: 3 }, 'prePrepare 1 by 0', ...votes('prepare', '1', 0, 1)),
  'replica, one commit short': () =>
    stage({ node: 3 }, 'prePrepare 1 by 0', ...votes('prepare', '1', 0, 1), 'commit 1 by 0'),
  'replica, writing 1': () => stage({ node: 3, hold: ['commit'] }, ...COMMITTED('1')),
  'replica, missing 1': () => stage({ node: 3 }, ...votes('commit', '1', 0, 1, 2)),
  'replica, executing certified 1': () => stage({ node: 3, hold: ['execute'] }, ...COMMITTED('1')),
  'replica at 1': () => stage({ node: 3 }, ...COMMITTED('1')),
  'replica at 2, one checkpoint short': () =>
    stage({ node: 3 }, ...COMMITTED('1'), ...COMMITTED('2'), 'checkpoint 2 by 0'),
  'replica, supervising': () => stage({ node: 3 }, 'pending'),
  'replica, complained of': () => stage({ node: 3 }, 'complaint at 0 by 1'),
  'replica, one more to leave for 2': () => stage({ node: 3 }, 'viewChange 2 by 0'),
  'replica, rotating, writing its last': () =>
    stage({ node: 3, rotationBlocks: 1, hold: ['commit'] }, ...COMMITTED('1')),
  'replica in view 1': () => stage({ node: 3 }, 'newView 1 by 1'),
  'waiting replica': () => stage({ node: 3 }, ...COMPLAINTS),
  'waiting replica, a quorum asks': () => stage({ node: 3 }, 'viewChange 1 by 0', 'viewChange 1 by 2'),
  'waiting replica, next is gone': () => stage({ node: 3 }, ...COMPLAINTS, 'complaint in view 1 gone 1 by 0'),
  'waiting primary': () => stage({ node: 1 }, ...COMPLAINTS),
  'waiting primary, one short': () => stage({ node: 1 }, ...COMPLAINTS, 'viewChange 1 by 0'),
  'waiting primary, 1 shown': () => stage({ node: 1 }, ...COMPLAINTS, 'viewChange 1 showing 1 by 0'),
  observer: () => stage({ node: 3, observes: true }),
  'observer, executing 1': () => stage({ node: 3, observes: true, hold: ['execute'] }, 'prePrepare 1 by 0'),
  'replica, executing certified 1 without clock': () =>
    stage({ node: 3, hold: ['execute'] }, ...COMMITTED('1'), 'executed wrong'),
  'replica, certified 1': () => stage({ node: 3, hold: ['execute'] }, ...COMMITTED('1')),
  'replica in view 1, rejected 1': () =>
    stage({ node: 3, hold: ['execute'] }, 'newView 1 by 1', 'fetched 1', 'executed wrong'),
  'replica at 2, one short of another checkpoint': () =>
    stage({ node: 3 }, ...COMMITTED('1'), ...COMMITTED('2'), ...votes('checkpoint', 'twin 2', 0, 1)),
  'restarted replica, accepted 1': () => restarted({ node: 3, hold: ['execute'] }, 'prePrepare 1 by 0'),
  'restarted replica, prepared 1': () =>
    restarted({ node: 3, hold: ['execute'] }, 'prePrepare 1 by 0', ...votes('prepare', '1', 0, 1)),
  'restarted replica, waiting': () => restarted({ node: 3 }, ...COMPLAINTS),
  'restarted replica in view 1': () => restarted({ node: 3 }, 'newView 1 by 1', 'fetched 1'),
  'restarted primary, proposed 1': () => restarted({ node: 0, hold: ['execute'] }, 'pending', 'built 1'),
  'replica, heard of 1': () => stage({ node: 3 }, 'prepare 1 by 2'),
  'replica, rejected 1': () => stage({ node: 3, hold: ['execute'] }, 'prePrepare 1 by 0', 'executed early'),
  'replica, accepted twin 1, certified 2': () =>
    stage({ node: 3 }, 'prePrepare twin 1 by 0', ...votes('commit', '2', 0, 1, 2)),
  'replica, twin 1 certified in view 2': () =>
    stage({ node: 3 }, 'prepare 1 by 2', 'status headed twin 1 of view 2 by 2'),
  'replica, waiting for 5': () => stage({ node: 3 }, 'prepare 5 by 2', 'prePrepare 5 by 0'),
  'replica, certified 1, waiting for view 2': () =>
    stage({ node: 3, hold: ['execute'] }, ...COMMITTED('1'), 'prepare 2 in view 2 by 2'),
  'replica in view 1, rejected 1, one commit short': () =>
    stage(
      { node: 3, hold: ['execute'] },
      ...['newView 1 by 1', 'fetched 1', 'executed wrong'],
      ...['commit 1 in view 1 by 0', 'commit 1 in view 1 by 1'],
    ),
  'replica at 2, long one checkpoint short': () =>
    stage({ node: 3 }, ...COMMITTED('1'), ...COMMITTED('2'), 'checkpoint 2 by 0', 'timer resend'),
  'replica at 2, one checkpoint short, 4 proposed': () =>
    stage({ node: 3 }, ...COMMITTED('1'), ...COMMITTED('2'), 'checkpoint 2 by 0', 'prePrepare 4 by 0'),
  'replica at 2, one checkpoint short, 3 proposed again': () =>
    stage(
      { node: 3 },
      ...[...COMMITTED('1'), ...COMMITTED('2'), 'checkpoint 2 by 0'],
      ...['newView 1 headed 2 showing 3 by 1', 'fetched 3'],
    ),
  'replica, complained of in view 3': () => stage({ node: 3 }, 'complaint lasting in view 3 by 1'),
  'replica, complained of for good': () => stage({ node: 3 }, 'complaint lasting by 1'),
  'replica, one more to leave for a view too far': () =>
    stage({ node: 3 }, 'viewChange 300000000000000 by 0'),
  'waiting replica, executing 1 below 2': () =>
    stage({ node: 3, hold: ['execute'] }, 'prePrepare 1 by 0', 'prePrepare 2 by 0', ...COMPLAINTS),
  'primary of view 1, behind its base': () =>
    stage({ node: 1 }, ...COMPLAINTS, 'viewChange 1 by 0', 'viewChange 1 headed 2 by 2'),
  'waiting primary, certified 1, one short': () =>
    stage({ node: 1, hold: ['execute'] }, ...COMPLAINTS, 'status headed 1 by 2', 'viewChange 1 by 0'),
  'restarted replica, prepared 1, commit torn off': () => {
    const { driver } = stage({ node: 3 }, 'prePrepare 1 by 0', ...votes('prepare', '1', 0, 1));
    return stageOf({ node: 3, hold: ['execute'] }, driver.log.slice(0, -1));
  },
  'restarted replica, log of another set': () => {
    const blockHash = headerHash(suite.sha256, FOUR.block('4').header);
    return stageOf({ node: 3 }, [
      encodeWalRecord({ type: 'stable', validatorSetId: 7, height: 4, blockHash }),
    ]);
  },
  'replica of set 1, still writing': () =>
    stage(
      { node: 2, hold: ['execute', 'persist'] },
      ...['prePrepare change by 0', 'executed right', ...votes('commit', 'change', 0, 1, 3)],
    ),
  halted: () => stage({ node: 3, hold: ['execute'] }, ...COMMITTED('1'), 'executed wrong', 'executed wrong'),
  'rotating primary at its last': () => stage({ node: 0, rotationBlocks: 1 }, 'pending', 'built 1'),
  'rotating replica at its last': () => stage({ node: 3, rotationBlocks: 1 }, 'prePrepare 1 by 0'),
  alone: () => stage({ node: 0, words: ONE }),
  'alone, building 1': () => stage({ node: 0, words: ONE }, 'pending'),
  'alone, writing its proposal': () =>
    stage({ node: 0, words: ONE, hold: ['persist'] }, 'pending', 'built 1'),
  'alone, writing 1': () => stage({ node: 0, words: ONE, hold: ['commit'] }, 'pending', 'built 1'),
  'alone at 1, building 2': () => stage({ node: 0, words: ONE }, 'pending', 'built 1'),
  'alone, rotating, at 1': () =>
    stage({ node: 0, words: ONE, rotationBlocks: 1 }, 'pending', 'built 1', 'buildEmpty'),
  'alone, restarted, proposed 1': () =>
    restarted({ node: 0, words: ONE, hold: ['execute'] }, 'pending', 'built 1'),
  'alone, writing a set change': () =>
    stage({ node: 0, words: ONE, hold: ['commit'] }, 'pending', 'built change'),
  'observer of one': () => stage({ node: 0, words: ONE, observes: true }),
  'observer of one, executing 1': () =>
    stage({ node: 0, words: ONE, observes: true, hold: ['execute'] }, 'prePrepare 1 by 0', 'commit 1 by 0'),
  'primary, proposed a set change': () => stage({ node: 0 }, 'pending', 'built change'),
  'replica, executing a set change': () => stage({ node: 3, hold: ['execute'] }, 'prePrepare change by 0'),
  'replica, writing a set change': () =>
    stage({ node: 3, hold: ['execute', 'commit'] }, ...COMMITTED('change'), 'executed right'),
  'replica of set 1': () => stage({ node: 3, hold: ['execute'] }, ...COMMITTED('change'), 'executed right'),
};

const runningExecution = (engine: Engine) =>
  [...engine.slots.values()].find(({ execution }) => execution === 'running')?.executionId ?? 999;

/** The input that the words of a row stand for. */
export function input(words: string, { words: known, engine, driver }: Stage): Input {
  const [first, second = ''] = words.split(/ (.*)/);
  switch (first) {
    case 'start':
      return { type: 'start' };
    case 'pending':
      return { type: 'pending', waiting: second !== 'nothing' };
    case 'built':
      return {
        type: 'built',
        buildId: engine.build?.id ?? 999,
        block: known.block(second),
        nextSet: second === 'change' ? known.nextSet : null,
      };
    case 'buildEmpty':
      return { type: 'buildEmpty', buildId: engine.build?.id ?? 999 };
    case 'executed': {
      const verdicts: Record<string, ReturnType<typeof reject> | null> = {
        right: null,
        wrong: reject('wrong_result', 'another root'),
        early: reject('time_ahead', 'its clock is ahead', 'ignore'),
      };
      return {
        type: 'executed',
        executionId: runningExecution(engine),
        verdict: verdicts[second] ?? null,
        nextSet: known.nextSet,
      };
    }
    case 'committed':
      return { type: 'committed', height: Number(second), parameters: engine.parameters };
    case 'synced': {
      const block = known.block(second);
      const { certificate } = known.consortium.head(block);
      const blockHash = headerHash(suite.sha256, block.header);
      const { header } = block;
      const next = {
        chainId: CHAIN_ID,
        set: known.nextSet,
        startHeight: header.height,
        startHash: blockHash,
      };
      const reign = second === 'change' ? next : engine.reign;
      return {
        type: 'synced',
        head: { header, blockHash, certificate, reign, parameters: engine.parameters },
      };
    }
    case 'fetched':
      return { type: 'fetched', block: known.block(second) };
    case 'connected':
      return { type: 'connected', peerId: `peer-${second}` };
    case 'otherSet':
      return { type: 'otherSet', validatorSetId: second === 'same' ? 0 : Number(second), peerId: 'peer-1' };
    case 'persisted':
      return { type: 'persisted', ticket: engine.tickets[0]?.ticket ?? 999 };
    case 'timer': {
      const [name, when] = second.split(' ');
      const armed = engine.timers.get(name as 'view')?.generation ?? 998;
      return { type: 'timer', name: name as 'view', generation: when === 'replaced' ? armed - 1 : armed };
    }
    case 'complain':
      return { type: 'complain' };
    case 'unreachable':
      return {
        type: 'unreachable',
        peerIds: second === 'none' ? [] : second.split(' ').map(at => `peer-${at}`),
      };
    default:
      assert(driver.engine === engine, 'one engine a stage');
      return { type: 'message', message: known.message(words) };
  }
}

/** Gives one input to a fresh node in that state: effects and changes in words. */
export function take(state: string, words: string): { effects: string; after: string } {
  const make = STATES[state];
  assert(make !== undefined, `there is a state ${state}`);
  const at = make();
  const before = facts(at.engine);
  const effects = step(at.engine, input(words, at)).map(sayEffect);
  const changed: string[] = [];
  const now = facts(at.engine);
  for (const [name, value] of now)
    if (before.get(name) !== value) changed.push(`${name}: ${value || 'empty'}`);
  for (const name of before.keys()) if (!now.has(name)) changed.push(`${name} gone`);
  return { effects: effects.join('; ') || '–', after: changed.join('; ') || '–' };
}
