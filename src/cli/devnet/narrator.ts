import { CommandFailure, describeFailure, EXIT } from '../failure.ts';
import { colorsOf, type Io } from '../io.ts';
import { runCommand } from '../program.ts';

/** What the demo expects and did not find: it fails loudly, with the step's name. */
function broken(title: string, detail: string): CommandFailure {
  return new CommandFailure(EXIT.error, `the demo failed at "${title}": ${detail}`);
}

function quoted(word: string): string {
  return /^[\w./:@=-]+$/.test(word) ? word : `"${word}"`;
}

export interface Refusal {
  readonly exitCode: number;
  readonly message: string;
}

/** Runs real commands of this CLI, shows each as a person would type it, and checks what comes back. */
export class Narrator {
  private title = '';
  private steps = 0;

  constructor(
    private readonly io: Io,
    private readonly networkDir: string,
    private readonly signal: AbortSignal,
  ) {}

  step(title: string): void {
    this.title = title;
    this.steps += 1;
    this.io.out('');
    this.io.out(colorsOf(this.io).bold(`${this.steps}. ${title}`));
  }

  say(line: string): void {
    this.io.out(`   ${line}`);
  }

  /** Runs a command that must succeed; answers what it says with `--output json`. */
  async run<T>(...words: string[]): Promise<T> {
    const { out, failure } = await this.execute(words);
    if (failure !== null) throw broken(this.title, failure.message);
    return (out === '' ? null : JSON.parse(out)) as T;
  }

  /** Runs a command that must be refused by the ledger or a node's access rules. */
  async refused(...words: string[]): Promise<Refusal> {
    const { failure } = await this.execute(words);
    if (failure === null) throw broken(this.title, `"phaseline ${words.join(' ')}" was not refused`);
    this.io.out(`     → refused (exit ${failure.exitCode}): ${failure.message}`);
    return failure;
  }

  check(holds: boolean, what: string): void {
    if (!holds) throw broken(this.title, what);
  }

  /** Asks again until `read` answers something; a bounded number of times. */
  async until<T>(what: string, read: () => Promise<T | null>): Promise<T> {
    for (let tries = 0; tries < 300; tries += 1) {
      this.signal.throwIfAborted();
      const found = await read();
      if (found !== null) return found;
      await new Promise(resolve => setTimeout(resolve, 100));
    }
    throw broken(this.title, `waited in vain: ${what}`);
  }

  /** Runs a command without showing it. */
  async ask<T>(...words: string[]): Promise<T> {
    const { out, failure } = await this.capture(words);
    if (failure !== null) throw broken(this.title, failure.message);
    return JSON.parse(out) as T;
  }

  private async execute(words: readonly string[]) {
    this.signal.throwIfAborted();
    this.io.out(colorsOf(this.io).cyan(`   $ phaseline ${words.map(quoted).join(' ')}`));
    return this.capture(words);
  }

  private async capture(words: readonly string[]): Promise<{ out: string; failure: Refusal | null }> {
    const lines: string[] = [];
    const errors: string[] = [];
    const io: Io = {
      ...this.io,
      out: text => lines.push(text),
      err: text => errors.push(text),
      interactive: false,
    };
    try {
      await runCommand(['--network', this.networkDir, '--output', 'json', ...words], io);
      return { out: lines.join('\n'), failure: null };
    } catch (error) {
      const { exitCode, lines: told } = describeFailure(error);
      return { out: lines.join('\n'), failure: { exitCode, message: told[0] ?? errors.join(' ') } };
    }
  }
}
