import { assert } from '../../../src/core/base/assert.ts';
import { ZERO_HASH } from '../../../src/core/base/ids.ts';
import { isReject, reject } from '../../../src/core/base/reject.ts';
import { headerHash } from '../../../src/core/codec/chain.ts';
import type { Effect } from '../../../src/core/pbft/effect.ts';
import { createEngine, type Engine, step } from '../../../src/core/pbft/engine.ts';
import type { Input } from '../../../src/core/pbft/input.ts';
import { decodeMessage } from '../../../src/core/pbft/message-codec.ts';
import type { ConsensusMessage, SignedMessage } from '../../../src/core/pbft/messages.ts';
import { newViewDigest } from '../../../src/core/pbft/signing.ts';
import type { Slot } from '../../../src/core/pbft/state.ts';
import { decodeWalRecord } from '../../../src/core/pbft/wal-record.ts';
import type { Block, ValidatorSet } from '../../../src/core/types/chain.ts';
import { simulatedSign } from '../../simulation/suite.ts';
import { CHAIN_ID } from '../../support/toy-ledger.ts';
import { Consortium, Driver, PARAMETERS, suite } from './kit.ts';

// The words of transitions.txt: states that a node can be in, inputs that can come, and how effects and changes are written.

const consortium = new Consortium(4);

function chainOf(label: string, length: number): Block[] {
  const blocks: Block[] = [];
  for (let height = 1; height <= length; height += 1)
    blocks.push(consortium.block(blocks.at(-1)?.header ?? consortium.genesis, `${label} ${height}`));
  return blocks;
}

/** Heights 1 to 6, and other blocks on the same parents. */
const chain = chainOf('block', 6);
const twins = chain.map((_, at) =>
  consortium.block(chain[at - 1]?.header ?? consortium.genesis, `twin ${at + 1}`),
);
/** Brings in the set 1: the same validators without the last. */
const nextSet: ValidatorSet = { id: 1, validators: consortium.set.validators.slice(0, 3) };
const change = consortium.block(consortium.genesis, 'change', nextSet.validators);
const names = new Map<string, string>([[headerHash(suite.sha256, change.header), 'change']]);
for (const [at, block] of chain.entries()) names.set(headerHash(suite.sha256, block.header), `${at + 1}`);
for (const [at, block] of twins.entries())
  names.set(headerHash(suite.sha256, block.header), `twin ${at + 1}`);
const nameOf = (hash: string | null) => (hash === null ? '?' : (names.get(hash) ?? 'genesis'));

function blockOf(word: string): Block {
  if (word === 'change') return change;
  const block = word.startsWith('twin') ? twins[Number(word.slice(5)) - 1] : chain[Number(word) - 1];
  assert(block !== undefined, `there is a block ${word}`);
  return block;
}

const newView1 = (() => {
  const viewChanges = [0, 1, 2].map(
    signer => consortium.viewChange(signer, 1, [consortium.prepared(blockOf('1'))]).signed,
  );
  return consortium.sign(1, {
    kind: 'newView',
    view: 1,
    viewChanges,
    window: [headerHash(suite.sha256, blockOf('1').header)],
  });
})();
const digest1 = newViewDigest(suite.sha256, CHAIN_ID, 0, newView1.content);
const emptyNewView = (view: number, signers: readonly number[]) =>
  consortium.sign(view % 4, {
    kind: 'newView',
    view,
    viewChanges: signers.map(signer => consortium.viewChange(signer, view).signed),
    window: [],
  });

/** `prepare 1 by 2`, `viewChange 3 showing 1 by 0`, …: a message whose signatures hold. */
function message(words: string): ConsensusMessage {
  const signer = Number(/ by (\d)/.exec(words)?.[1] ?? 0);
  const view = Number(/ in view (\d+)/.exec(words)?.[1] ?? 0);
  const [, kind, what] = /^(\w+) ?((?:twin )?\d+|change)?/.exec(words)!;
  const digest = view === 1 && !words.includes('other') ? digest1 : ZERO_HASH;
  switch (kind) {
    case 'prePrepare':
      return consortium.sign(signer, { kind, view, newViewDigest: digest, block: blockOf(what!) });
    case 'prepare':
    case 'commit':
      return consortium.vote(signer, kind, blockOf(what!), view, digest);
    case 'checkpoint':
      return consortium.sign(signer, {
        kind,
        height: blockOf(what!).header.height,
        blockHash: headerHash(suite.sha256, blockOf(what!).header),
      });
    case 'viewChange': {
      const head = / headed (\d)/.exec(words)?.[1];
      const shown = / showing (\d)/.exec(words)?.[1];
      const prepared = shown === undefined ? [] : [consortium.prepared(blockOf(shown))];
      return consortium.viewChange(
        signer,
        Number(what),
        prepared,
        consortium.head(head === undefined ? null : blockOf(head)),
      );
    }
    case 'newView':
      if (what === '1') return words.includes('other') ? emptyNewView(1, [0, 2, 3]) : newView1;
      return emptyNewView(Number(what), [0, 1, 2]);
    case 'status': {
      const head = / headed (\d)/.exec(words)?.[1];
      return consortium.sign(signer, {
        kind,
        view,
        active: !words.includes('waiting'),
        head: consortium.head(head === undefined ? null : blockOf(head)),
        acceptedHeight: Number(/ accepted (\d)/.exec(words)?.[1] ?? head ?? 0),
        stableHeight: Number(/ stable (\d)/.exec(words)?.[1] ?? 0),
        reply: words.includes('reply'),
      });
    }
    default: {
      const gone = [...(/ gone ([\d ]+)/.exec(words)?.[1] ?? '')].filter(word => word !== ' ').map(Number);
      const height = Number(/ at (\d)/.exec(words)?.[1] ?? 0);
      return consortium.sign(signer, {
        kind: 'complaint',
        view,
        height,
        lasting: words.includes('lasting'),
        gone,
      });
    }
  }
}

/** A node in a state, with what its engine waits for. */
export interface Stage {
  readonly driver: Driver;
  readonly engine: Engine;
}

interface StageOptions {
  readonly node: number;
  readonly observes?: boolean;
  readonly rotationBlocks?: number;
  /** What is left unanswered. */
  readonly hold?: readonly ('persist' | 'execute' | 'commit')[];
}

function stage(
  { node, observes = false, rotationBlocks = 0, hold = [] }: StageOptions,
  ...inputs: readonly string[]
): Stage {
  const { publicKey } = consortium.set.validators[node]!;
  const seat = { index: node, sign: (bytes: Uint8Array) => simulatedSign(publicKey, bytes) };
  const start = { ...consortium.start(), parameters: { ...PARAMETERS, rotationBlocks } };
  const engine = createEngine(
    {
      suite,
      chainId: CHAIN_ID,
      findSeat: ({ validators }) => (observes || node >= validators.length ? null : seat),
    },
    start,
    [],
  );
  assert(!isReject(engine), 'an empty log can be read');
  const driver = new Driver(engine, !hold.includes('execute'));
  driver.autoPersist = !hold.includes('persist');
  driver.autoCommit = !hold.includes('commit');
  for (const words of inputs) driver.give(input(words, { driver, engine }));
  return { driver, engine };
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
  halted: () => stage({ node: 3, hold: ['execute'] }, ...COMMITTED('1'), 'executed wrong', 'executed wrong'),
  'primary, proposed a set change': () => stage({ node: 0 }, 'pending', 'built change'),
  'replica, executing a set change': () => stage({ node: 3, hold: ['execute'] }, 'prePrepare change by 0'),
  'replica, writing a set change': () =>
    stage({ node: 3, hold: ['execute', 'commit'] }, ...COMMITTED('change'), 'executed right'),
  'replica of set 1': () => stage({ node: 3, hold: ['execute'] }, ...COMMITTED('change'), 'executed right'),
};

const runningExecution = (engine: Engine) =>
  [...engine.slots.values()].find(({ execution }) => execution === 'running')?.executionId ?? 999;

/** The input that the words of a row stand for. */
export function input(words: string, { engine, driver }: Stage): Input {
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
        block: blockOf(second),
        nextSet: second === 'change' ? nextSet : null,
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
        nextSet,
      };
    }
    case 'committed':
      return { type: 'committed', height: Number(second), parameters: engine.parameters };
    case 'synced': {
      const block = blockOf(second);
      const { certificate } = consortium.head(block);
      const blockHash = headerHash(suite.sha256, block.header);
      const { reign, parameters } = engine;
      return { type: 'synced', head: { header: block.header, blockHash, certificate, reign, parameters } };
    }
    case 'fetched':
      return { type: 'fetched', block: blockOf(second) };
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
      return { type: 'message', message: message(words) };
  }
}

function sayMessage(signed: SignedMessage): string {
  const decoded = decodeMessage(signed);
  assert(!isReject(decoded), 'own messages decode');
  const { content } = decoded;
  const inView = (view: number) => (view === 0 ? '' : ` in view ${view}`);
  switch (content.kind) {
    case 'prePrepare':
      return `prePrepare ${nameOf(headerHash(suite.sha256, content.block.header))}${inView(content.view)}`;
    case 'prepare':
    case 'commit':
      return `${content.kind} ${nameOf(content.blockHash)}${inView(content.view)}`;
    case 'checkpoint':
      return `checkpoint ${nameOf(content.blockHash)}`;
    case 'viewChange':
      return `viewChange ${content.view} headed ${content.head.header.height} showing [${content.prepared.map(({ header }) => header.height)}]`;
    case 'newView':
      return `newView ${content.view} of [${content.viewChanges.map(({ signer }) => signer)}] with [${content.window.map(nameOf)}]`;
    case 'status':
      return `status${content.reply ? ' reply' : ''}${content.active ? '' : ' waiting'}${inView(content.view)} headed ${content.head.header.height} accepted ${content.acceptedHeight}`;
    default:
      return `complaint${content.lasting ? ' lasting' : ''}${inView(content.view)} at ${content.height}${content.gone.length > 0 ? ` gone ${content.gone.join(' ')}` : ''}`;
  }
}

function sayRecord(bytes: Uint8Array): string {
  const record = decodeWalRecord(bytes);
  assert(!isReject(record), 'own records decode');
  if (record.type === 'message') return sayMessage(record.message.signed);
  if (record.type === 'block') return `block ${nameOf(headerHash(suite.sha256, record.block.header))}`;
  if (record.type === 'prepared') return `proof ${nameOf(record.proof.certificate.blockHash)}`;
  return `stable ${record.height}`;
}

/** One effect in words. */
export function sayEffect(effect: Effect): string {
  switch (effect.type) {
    case 'persist':
      return `persist (${effect.records.map(sayRecord).join(', ')}) then (${effect.then.map(sayEffect).join(', ')})`;
    case 'trim':
      return `trim to (${effect.records.map(sayRecord).join(', ')})`;
    case 'send':
      return `send ${sayMessage(effect.message)}${effect.to === 'all' ? '' : ` to ${effect.to.peerId.slice(5)}`}`;
    case 'setTimer':
      return `setTimer ${effect.name} ${effect.delayMs}`;
    case 'cancelTimer':
      return `cancelTimer ${effect.name}`;
    case 'build':
      return `build ${effect.height} on ${nameOf(effect.parentHash)}`;
    case 'execute':
      return `execute ${nameOf(effect.blockHash)}${effect.checkClock ? ' with clock' : ''}`;
    case 'commit':
      return `commit ${nameOf(effect.blockHash)}`;
    case 'discard':
      return `discard ${effect.blockHashes.map(nameOf)}`;
    case 'returnToPool':
      return `returnToPool ${effect.blocks.map(({ header }) => nameOf(headerHash(suite.sha256, header)))}`;
    case 'sync':
      return `sync ${effect.head === null ? 'any' : effect.head.header.height}`;
    case 'fetchBlock':
      return `fetchBlock ${nameOf(effect.blockHash)}`;
    case 'fetchNewView':
      return `fetchNewView above ${effect.view}`;
    case 'archive':
      return `archive ${sayMessage(effect.newView)}`;
    case 'evidence':
      return `evidence ${effect.first.kind} of ${effect.first.signer}`;
    case 'halt':
      return `halt at ${effect.height}`;
  }
}

function saySlot(slot: Slot): string {
  const words = [
    slot.block === null ? `${nameOf(slot.hash)} absent` : nameOf(slot.hash),
    slot.execution === 'none' ? '' : slot.execution,
    slot.proposed ? (slot.reproposed ? 'proposed again' : 'proposed') : '',
    slot.accepted ? 'accepted' : '',
    slot.preparedHere ? 'prepared' : '',
    slot.prepares.size > 0 ? `prepares ${[...slot.prepares.keys()].join('')}` : '',
    slot.commits.size > 0 ? `commits ${[...slot.commits.keys()].join('')}` : '',
    slot.preparedProof === null ? '' : 'proof',
    slot.decided === null ? '' : 'certified',
    slot.commitGiven ? 'writing' : '',
  ];
  return words.filter(word => word !== '').join(' ');
}

/** The parts of the state that rows speak of, by name. */
function facts(engine: Engine): Map<string, string> {
  const all = new Map<string, string>();
  const say = (name: string, value: string | number) => all.set(name, String(value));
  say('view', `${engine.view}${engine.active ? '' : ' waiting'}`);
  say('set', `${engine.reign.set.id}${engine.seat === null ? ' observed' : ''}`);
  say('head', engine.head.header.height);
  say('stable', engine.stableHeight);
  say('fruitless', engine.fruitlessViews);
  say('pending', engine.waiting ? 'yes' : 'no');
  say('building', engine.build?.height ?? 'no');
  say('buffered', engine.future.count);
  say('lacks something', engine.hint ? 'yes' : 'no');
  say('behind', engine.syncTarget?.header.height ?? (engine.syncAhead ? 'a later set' : 'no'));
  say('complaints', [...engine.complaints.keys()].join('') || 'none');
  say(
    'asked',
    [...engine.viewChanges].map(([signer, { content }]) => `${signer}:${content.view}`).join(' ') || 'none',
  );
  say(
    'checkpoints',
    [...engine.checkpoints]
      .filter(([, kept]) => kept.length > 0)
      .map(([signer, kept]) => `${signer}:${kept.map(({ content }) => content.height)}`)
      .join(' ') || 'none',
  );
  say('lost', [...engine.unreachable].map(peer => peer.slice(5)).join('') || 'none');
  say('halted', engine.halted ? 'yes' : 'no');
  for (const [height, slot] of engine.slots) say(`slot ${height}`, saySlot(slot));
  return all;
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
