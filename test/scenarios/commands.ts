import { assert, assertDefined } from '../../src/core/base/assert.ts';
import type { TimerName } from '../../src/core/pbft/effect.ts';
import { Forge } from './forge.ts';
import type { ScenarioNode } from './node.ts';
import { type Letter, World } from './world.ts';

/** The words of one command line: plain ones, and `key=value`. */
interface Line {
  readonly words: readonly string[];
  readonly options: ReadonlyMap<string, string>;
}

function parse(text: string): Line {
  const words: string[] = [];
  const options = new Map<string, string>();
  for (const word of text.split(/\s+/).filter(each => each !== '')) {
    const at = word.indexOf('=');
    if (at > 0) options.set(word.slice(0, at), word.slice(at + 1));
    else if (word === 'lasting') options.set(word, '');
    else words.push(word);
  }
  return { words, options };
}

/** `n0->n1,n2`, `*->n1`, `n0->*`. */
function parseLink(word: string): { readonly from: readonly string[]; readonly to: readonly string[] } {
  const [from = '*', to = '*'] = word.split('->');
  return { from: from === '*' ? [] : from.split(','), to: to === '*' ? [] : to.split(',') };
}

/** `deliver [FROM->TO] [KIND] [vVIEW] [BLOCK]`: every word narrows the letters down. */
function matcher(world: World, words: readonly string[]): (letter: Letter) => boolean {
  const link = words.find(word => word.includes('->'));
  const texts = words.filter(word => !word.includes('->') && word !== 'all');
  const { from, to } = parseLink(link ?? '*->*');
  return letter => {
    const said = world.printer.message(letter.message).split(/[\s,]+/);
    return (
      (from.length === 0 || from.includes(letter.from)) &&
      (to.length === 0 || to.includes(letter.to)) &&
      texts.every(text => said.includes(text))
    );
  };
}

/** Runs the commands of one transcript, one line after the other. */
export class Commands {
  private current: World | null = null;

  private get world(): World {
    return assertDefined(this.current, 'a transcript begins with `cluster`');
  }

  private named(words: readonly string[]): ScenarioNode[] {
    const names = words.flatMap(word => word.split(','));
    return names.length === 0 || names[0] === 'all'
      ? [...this.world.nodes]
      : names.map(name => this.world.node(name));
  }

  /** @returns what the transcript shows below the command */
  run(text: string): string[] {
    const line = parse(text);
    const [command = '', ...words] = line.words;
    if (command === 'cluster') return this.cluster(line.options);
    const { world } = this;
    const brief = ['run', 'timer', 'timers'].includes(command) || words.includes('briefly');
    const rest = { words: words.filter(word => word !== 'briefly'), options: line.options };
    const said = world.take(() => this.perform(command, rest), brief);
    const lines = command === 'state' ? this.states(rest.words) : said;
    return lines.length === 0 ? ['nothing'] : lines;
  }

  private cluster(options: ReadonlyMap<string, string>): string[] {
    const number = (key: string, otherwise: number) => Number(options.get(key) ?? otherwise);
    const world = new World({
      validators: number('n', 4),
      observers: number('observers', 0),
      faulty: number('faulty', 0),
      parameters: {
        checkpointIntervalBlocks: number('checkpoint', 2),
        windowBlocks: number('window', 4),
        viewTimeoutMs: number('timeout', 100),
        viewTimeoutMsMax: number('timeout-max', 1000),
        rotationBlocks: number('rotation', 0),
      },
    });
    this.current = world;
    world.take(() => {
      for (const node of world.nodes) node.start();
      world.run(() => true);
    }, true);
    return this.states([]);
  }

  private states(words: readonly string[]): string[] {
    const grouped = new Map<string, string[]>();
    for (const { name, engine, height } of this.named(words)) {
      const state = engine === null ? `down at height ${height}` : this.world.printer.state(engine);
      grouped.set(state, [...(grouped.get(state) ?? []), name]);
    }
    return [...grouped].map(([state, names]) => `${names.join(' ')}: ${state}`);
  }

  private perform(command: string, line: Line): void {
    const known = this.networkCommand(command, line) || this.nodeCommand(command, line);
    assert(known || this.faultCommand(command, line), `no command is called ${command}`);
  }

  /** Letters and links. */
  private networkCommand(command: string, { words }: Line): boolean {
    const { world } = this;
    switch (command) {
      case 'deliver':
        if (world.deliverMatching(matcher(world, words)) === 0)
          world.say('all', 'nothing of this was in flight', 'result');
        return true;
      case 'run':
        world.run(matcher(world, words));
        return true;
      case 'drop': {
        const matches = matcher(world, words);
        const before = world.letters.length;
        world.letters = world.letters.filter(letter => !matches(letter));
        world.say('all', `${before - world.letters.length} lost`, 'result');
        return true;
      }
      case 'duplicate':
        world.letters.push(...world.letters.filter(matcher(world, words)));
        return true;
      case 'reverse':
        world.letters.reverse();
        return true;
      case 'cut':
      case 'heal':
        this.links(words, command === 'heal');
        return true;
      case 'clock':
        world.nowMs += Number(words[0]);
        return true;
      default:
        return false;
    }
  }

  /** `cut n3`, `cut n0,n1 | n2,n3`, `cut n0->n1`, `heal`. */
  private links(words: readonly string[], open: boolean): void {
    const { world } = this;
    const all = world.nodes.map(({ name }) => name);
    const [first = 'all', , second] = words;
    if (first.includes('->')) {
      const { from, to } = parseLink(first);
      for (const each of to.length === 0 ? all : to)
        for (const other of from.length === 0 ? all : from) world.setLink(other, each, open);
      return;
    }
    const some = first === 'all' ? all : first.split(',');
    const others = second?.split(',') ?? all.filter(name => first === 'all' || !some.includes(name));
    for (const a of some)
      for (const b of others)
        for (const [from, to] of [
          [a, b],
          [b, a],
        ] as const)
          world.setLink(from, to, open);
    if (!open) world.letters = world.letters.filter(({ from, to }) => world.isOpen(from, to));
  }

  /** What happens to a node. */
  private nodeCommand(command: string, { words, options }: Line): boolean {
    const { world } = this;
    switch (command) {
      case 'propose': {
        const nodes = this.named((options.get('at') ?? 'all').split(','));
        for (const name of (options.get('tx') ?? '').split('+')) for (const node of nodes) node.submit(name);
        return true;
      }
      case 'timer':
        for (const node of this.named(words.slice(0, 1)))
          this.fire(node, words[1] as TimerName, words[2] === 'late');
        return true;
      case 'timers':
        for (const { name, timers } of this.named(words)) {
          const each = [...timers.armed].map(([timer, { delayMs }]) => `${timer} ${delayMs} ms`);
          world.say(name, each.length === 0 ? 'none' : each.join(', '), 'result');
        }
        return true;
      case 'crash': {
        for (const node of this.named(words.slice(0, 1))) node.crash(Number(options.get('torn') ?? 0));
        return true;
      }
      case 'restart':
        for (const node of this.named(words.slice(0, 1))) this.restart(node, words.includes('wiped'));
        return true;
      case 'connect':
        world.node(words[0]!).give({ type: 'connected', peerId: `peer-${words[1]}` });
        return true;
      case 'fetch':
        world.fetch(world.node(words[0]!), world.node(words[2]!), words[3]!);
        return true;
      case 'give':
        world.node(words[0]!).give({ type: 'fetched', block: world.printer.block(words[1]!) });
        return true;
      case 'transfer':
        world.node(words[0]!).transfer(world.node(words[2]!), Number(options.get('to') ?? 1e6));
        return true;
      case 'snapshot':
        world.node(words[0]!).snapshot(world.node(words[2]!));
        return true;
      case 'key':
        world.node(words[0]!).keys.add(words[1]!);
        return true;
      case 'complain':
        world.node(words[0]!).give({ type: 'complain' });
        return true;
      case 'lost': {
        const peerIds = (words[1] ?? '').split(',').map(name => `peer-${name}`);
        world.node(words[0]!).give({ type: 'unreachable', peerIds });
        return true;
      }
      case 'log':
        for (const node of this.named(words)) world.say(node.name, world.printer.records(node.log), 'result');
        return true;
      case 'future':
        for (const { name, engine } of this.named(words))
          for (const [signer, { messages }] of engine?.future.bySigner ?? [])
            world.say(name, `keeps ${messages.length} of #${signer} for later`, 'result');
        return true;
      case 'state':
        return true;
      default:
        return this.holdCommand(command, { words, options });
    }
  }

  /** @param late the timer had fired, and nobody had looked yet, when another took its place or it was stopped */
  private fire(node: ScenarioNode, timer: TimerName, late: boolean): void {
    const armed = (late ? node.timers.replaced : node.timers.armed).get(timer);
    if (armed === undefined) {
      this.world.say(node.name, `has no ${timer} timer`, 'result');
      return;
    }
    this.world.say(node.name, `${armed.delayMs} ms are over`, 'result');
    if (!late) node.timers.armed.delete(timer);
    node.give({ type: 'timer', name: timer, generation: armed.generation });
  }

  private restart(node: ScenarioNode, wiped: boolean): void {
    if (wiped) node.wipe();
    node.start();
  }

  /** Disks, executions, builders and clocks that lag. */
  private holdCommand(command: string, { words }: Line): boolean {
    const nodes = () => this.named(words.slice(0, 1));
    switch (command) {
      case 'hold':
        for (const node of nodes())
          if (words[1] === 'execution') node.executionHeld = true;
          else if (words[1] === 'build') node.buildHeld = true;
          else node.diskHeld = true;
        return true;
      case 'flush':
        for (const node of nodes()) node.flush();
        return true;
      case 'execute':
        for (const node of nodes()) node.execute();
        return true;
      case 'build':
        for (const node of nodes()) node.answerBuilds();
        return true;
      case 'skew':
        for (const node of nodes()) node.clockSkewMs = Number(words[1]);
        return true;
      case 'corrupt':
        for (const node of nodes()) node.executesWrongly = true;
        return true;
      default:
        return false;
    }
  }

  /** What only a faulty validator does: its key signs whatever the line says. */
  private faultCommand(command: string, { words, options }: Line): boolean {
    const { world } = this;
    const forge = new Forge(world);
    switch (command) {
      case 'block': {
        const [label = '', on, parent = ''] = words;
        assert(on === 'on', 'block LABEL on PARENT');
        forge.block(label, parent, options);
        return true;
      }
      case 'send': {
        const [link = '', ...rest] = words;
        const { from, to } = parseLink(link);
        const [author = ''] = from;
        const message = forge.message(author, rest, options);
        for (const each of to) world.post({ from: author, to: each, message });
        world.deliverMatching(letter => letter.message === message);
        return true;
      }
      case 'replay': {
        const [link = '', ...rest] = words;
        const { from, to } = parseLink(link);
        const [author = ''] = from;
        const original = [...world.history]
          .reverse()
          .find(
            letter =>
              letter.from === author &&
              rest.every(word => world.printer.message(letter.message).includes(word)),
          );
        const message = forge.altered(assertDefined(original, 'such a message was sent').message, options);
        for (const each of to) world.deliver({ from: author, to: each, message });
        return true;
      }
      case 'garble': {
        const [link = '', ...rest] = words;
        const { from, to } = parseLink(link);
        const [author = ''] = from;
        const message = forge.message(author, rest, options);
        const body = message.body.slice(0, -1);
        for (const each of to) world.deliver({ from: author, to: each, message: { ...message, body } });
        return true;
      }
      default:
        return false;
    }
  }
}
