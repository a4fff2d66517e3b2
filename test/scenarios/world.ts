import { assert, assertDefined } from '../../src/core/base/assert.ts';
import { type BlockHash, ZERO_HASH } from '../../src/core/base/ids.ts';
import { isReject } from '../../src/core/base/reject.ts';
import type { EngineParameters } from '../../src/core/pbft/config.ts';
import { blockInFlight } from '../../src/core/pbft/engine.ts';
import { decodeMessage } from '../../src/core/pbft/message-codec.ts';
import type { SignedMessage } from '../../src/core/pbft/messages.ts';
import { newViewDigest } from '../../src/core/pbft/signing.ts';
import { verifyConsensusMessage } from '../../src/core/pbft/verify.ts';
import { faultsTolerated } from '../../src/core/quorum/quorum.ts';
import type { ValidatorSet } from '../../src/core/types/chain.ts';
import { CHAIN_ID } from '../support/toy-ledger.ts';
import { suite, validatorNamed } from './ledger.ts';
import { ScenarioNode } from './node.ts';
import { Printer } from './print.ts';
import type { Surroundings } from './surroundings.ts';

export interface Letter {
  readonly from: string;
  readonly to: string;
  readonly message: SignedMessage;
}

export interface Shape {
  /** Validators of the first set. */
  readonly validators: number;
  /** Further nodes, which observe until a change of the set brings them in. */
  readonly observers: number;
  /** Validators that the transcript lets collude; above f of them nothing is promised. */
  readonly faulty: number;
  readonly parameters: EngineParameters;
}

const LETTERS_MAX = 20_000;
/** Of one command. */
const TASKS_MAX = 100_000;

/** All nodes of one transcript and the letters between them: nothing moves but what a command moves. */
export class World implements Surroundings {
  readonly printer = new Printer();
  readonly parameters: EngineParameters;
  readonly nodes: readonly ScenarioNode[];
  readonly genesis: ValidatorSet;
  nowMs = 1000;
  /** In flight, in the order of sending. */
  letters: Letter[] = [];
  /** Everything that was ever on the wire, for replays. */
  readonly history: Letter[] = [];
  private readonly cut = new Set<string>();
  private readonly tasks: (() => void)[] = [];
  private said: { names: string[]; what: string }[] = [];
  brief = false;
  private readonly committed = new Map<number, string>();

  private readonly promises: boolean;

  constructor(shape: Shape) {
    this.promises = shape.faulty <= faultsTolerated(shape.validators);
    this.parameters = shape.parameters;
    const names = Array.from({ length: shape.validators + shape.observers }, (_, index) => `n${index}`);
    this.genesis = { id: 0, validators: names.slice(0, shape.validators).map(validatorNamed) };
    this.nodes = names.map(name => new ScenarioNode(name, this.genesis, this));
  }

  node(name: string): ScenarioNode {
    return assertDefined(
      this.nodes.find(node => node.name === name),
      `there is no node ${name}`,
    );
  }

  say(name: string, what: string, weight: 'detail' | 'result'): void {
    if (weight === 'result' || !this.brief) this.said.push({ names: [name], what });
  }

  /** In a brief command, nodes to which the same happened share a line. */
  private shown(): string[] {
    const lines: { names: string[]; what: string }[] = [];
    for (const { names, what } of this.said) {
      const same = this.brief
        ? lines.find(line => line.what === what && !line.names.includes(names[0]!))
        : undefined;
      if (same === undefined) lines.push({ names: [...names], what });
      else same.names.push(...names);
    }
    return lines.map(({ names, what }) => `${names.sort().join(' ')}: ${what}`);
  }

  soon(task: () => void): void {
    this.tasks.push(task);
  }

  /** What the command said. `brief`: results only. */
  take(work: () => void, brief: boolean): string[] {
    this.said = [];
    this.brief = brief;
    work();
    this.settleTasks();
    this.checkAgreement();
    return this.shown();
  }

  private settleTasks(): void {
    for (let count = 0; ; count += 1) {
      assert(count < TASKS_MAX, 'the nodes do not come to rest');
      const task = this.tasks.shift();
      if (task === undefined) return;
      task();
    }
  }

  /** Whatever the transcript does: one block a height on all nodes. */
  private checkAgreement(): void {
    if (!this.promises) return;
    for (const { name, chain } of this.nodes)
      for (const [height, { made }] of chain.entries()) {
        const known = this.committed.get(height);
        assert(known === undefined || known === made.hash, `${name} has another block at height ${height}`);
        this.committed.set(height, made.hash);
      }
  }

  send(from: ScenarioNode, to: 'all' | string, message: SignedMessage): void {
    const receivers =
      to === 'all'
        ? this.nodes.filter(node => node !== from)
        : this.nodes.filter(({ name }) => validatorNamed(name).peerId === to);
    const shown = to === 'all' ? 'all' : receivers.map(({ name }) => name).join(' ');
    // Who is where is asked and answered all the time; it is not what a transcript is about.
    if (message.kind !== 'status')
      this.say(from.name, `sends ${this.printer.message(message)} to ${shown}`, 'detail');
    for (const receiver of receivers) this.post({ from: from.name, to: receiver.name, message });
  }

  post(letter: Letter): void {
    this.history.push(letter);
    if (this.isOpen(letter.from, letter.to)) this.letters.push(letter);
  }

  /** Links in one direction; what is sent over a cut one is lost. */
  setLink(from: string, to: string, open: boolean): void {
    if (open) this.cut.delete(`${from}>${to}`);
    else this.cut.add(`${from}>${to}`);
  }

  isOpen(from: string, to: string): boolean {
    return !this.cut.has(`${from}>${to}`);
  }

  /** As the shell of a node takes a message: decode, compare the set, verify, hand on. */
  deliver({ from, to, message }: Letter): void {
    const node = this.node(to);
    const { engine } = node;
    if (engine === null) return;
    if (message.validatorSetId !== engine.reign.set.id) {
      const { validatorSetId } = message;
      node.give({ type: 'otherSet', validatorSetId, peerId: validatorNamed(from).peerId });
      return;
    }
    const decoded = decodeMessage(message);
    if (isReject(decoded)) this.say(to, `refuses bytes of ${from}: ${decoded.detail}`, 'result');
    else if (!verifyConsensusMessage(suite, engine.reign, decoded))
      this.say(to, `refuses ${this.printer.message(message)} of ${from}`, 'result');
    else node.give({ type: 'message', message: decoded });
    this.settleTasks();
  }

  /** Delivers what matches and was in flight before. */
  deliverMatching(matches: (letter: Letter) => boolean): number {
    const chosen = this.letters.filter(matches);
    this.letters = this.letters.filter(letter => !chosen.includes(letter));
    for (const letter of chosen) this.deliver(letter);
    return chosen.length;
  }

  /** Delivers everything, and what is sent meanwhile, until nothing is in flight; fetches and transfers blocks. */
  run(matches: (letter: Letter) => boolean): void {
    for (let count = 0; ; count += 1) {
      assert(count < LETTERS_MAX, 'the network does not come to rest');
      this.settleTasks();
      const at = this.letters.findIndex(matches);
      const [letter] = at < 0 ? [] : this.letters.splice(at, 1);
      if (letter === undefined) return;
      this.deliver(letter);
    }
  }

  /** The block by its name, as another node has it. */
  fetch(node: ScenarioNode, source: ScenarioNode, label: string): void {
    const hash = this.printer.hash(label);
    const held = source.chain.find(({ made }) => made.hash === hash)?.made.block;
    const block = held ?? (source.engine === null ? null : blockInFlight(source.engine, hash));
    if (block === null) this.say(source.name, `does not have ${label}`, 'result');
    else node.give({ type: 'fetched', block });
  }

  /** What votes of a view name: the digest of the last NEW-VIEW that was sent for it. */
  digest(setId: number, view: number): BlockHash | typeof ZERO_HASH {
    if (view === 0) return ZERO_HASH;
    for (const { message } of [...this.history].reverse()) {
      if (message.kind !== 'newView' || message.validatorSetId !== setId) continue;
      const decoded = decodeMessage(message);
      if (isReject(decoded) || decoded.content.kind !== 'newView' || decoded.content.view !== view) continue;
      return newViewDigest(suite.sha256, CHAIN_ID, setId, decoded.content);
    }
    return ZERO_HASH;
  }
}
