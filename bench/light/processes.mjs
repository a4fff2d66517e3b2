// Real processes of one program, what they use, and a relay that counts what passes on the wire.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';

const SAMPLE_MS = 20;

/** TCP to one port of this machine; counts the bytes of both directions. */
export class Relay {
  received = 0;
  sent = 0;
  firstMs = null;
  #server = null;
  #sockets = new Set();

  /** @param port where the node listens */
  async start(port) {
    this.#server = createServer(socket => {
      this.firstMs ??= performance.now();
      const other = connect(port, '127.0.0.1');
      for (const end of [socket, other]) {
        this.#sockets.add(end);
        end.setNoDelay(true);
        end.on('error', () => end.destroy());
        end.on('close', () => this.#sockets.delete(end));
      }
      socket.on('data', bytes => (this.sent += bytes.length));
      other.on('data', bytes => (this.received += bytes.length));
      socket.pipe(other);
      other.pipe(socket);
    });
    await new Promise(resolve => this.#server.listen(0, '127.0.0.1', resolve));
    return this.#server.address().port;
  }

  get bytes() {
    return this.received + this.sent;
  }

  stop() {
    for (const socket of this.#sockets) socket.destroy();
    this.#server?.close();
  }
}

/** One node as its own process. */
export class NodeProcess {
  residentBytes = 0;
  #child;
  #said = '';
  #sampler;

  /** @param nodeArgs of Node itself, such as a limit of its heap */
  constructor(main, dir, nodeArgs = []) {
    this.dir = dir;
    this.#child = spawn(process.execPath, [...nodeArgs, main, 'start', '--dir', dir], {
      cwd: dir,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', text => (this.#said = (this.#said + text).slice(-20_000)));
    }
    this.#sampler = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  /** Resident memory where the system shows it (/proc). */
  #sample() {
    try {
      const match = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.#child.pid}/status`, 'utf8'));
      if (match !== null) this.residentBytes = Math.max(this.residentBytes, Number(match[1]) * 1024);
    } catch {
      // ended, or no /proc
    }
  }

  /** Asks until the answer is not null. */
  async until(ask, timeoutMs = 300_000) {
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      const answer = await ask().catch(() => null);
      if (answer !== null) return answer;
      if (this.#child.exitCode !== null || performance.now() > endMs) {
        throw new Error(`the node of ${this.dir} did not get there:\n${this.#said}`);
      }
      await new Promise(resolve => setTimeout(resolve, 5));
    }
  }

  async stop() {
    clearInterval(this.#sampler);
    if (this.#child.exitCode !== null) return;
    const ended = new Promise(resolve => this.#child.once('exit', resolve));
    this.#child.kill('SIGINT');
    await ended;
  }
}
