// A network namespace for each node, joined by a bridge: delay and loss by tc, and links that can be cut. Needs root and iproute2;
// the machine's own namespace has the bridge and its ends of the links while the benchmark runs, and nothing after it.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

const SUBNET = '10.77.0';
const P2P_PORT = 7_701;
const RPC_PORT = 7_702;
const ROOT_HINT = 'needs root and the commands ip, tc, unshare and nsenter (iproute2, util-linux)';

const run = words =>
  execFileSync(words[0], words.slice(1), { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });

export class Namespaces {
  places = [];
  #holders = [];
  #count;
  #options;
  #bridge = `plb${process.pid % 1_000_000}`;

  constructor(count, options) {
    this.#count = count;
    this.#options = options;
  }

  /** Sets everything up; @returns null, or what this machine lacks. */
  create() {
    if (process.platform !== 'linux' || !existsSync('/proc/self/ns/net'))
      return '--delay-ms, --loss and --partition need the network namespaces of Linux';
    if (process.getuid() !== 0) return `--delay-ms, --loss and --partition: ${ROOT_HINT}`;
    try {
      run(['ip', 'link', 'add', this.#bridge, 'type', 'bridge']);
      run(['ip', 'address', 'add', `${SUBNET}.254/24`, 'dev', this.#bridge]);
      run(['ip', 'link', 'set', this.#bridge, 'up']);
      for (let index = 0; index < this.#count; index += 1) this.#add(index);
      return null;
    } catch (error) {
      const said = (error.stderr ?? error.message).trim().split('\n')[0];
      return `cannot set up a network for --delay-ms, --loss or --partition: ${said} (${ROOT_HINT}; delay and loss need the kernel's netem)`;
    }
  }

  #link(index) {
    return `${this.#bridge}n${index + 1}`.slice(-15);
  }

  #add(index) {
    // the holder keeps the namespace; the node enters it
    const holder = spawn('unshare', ['--net', 'sleep', 'infinity'], { stdio: 'ignore' });
    this.#holders.push(holder);
    const enter = ['nsenter', '-t', String(holder.pid), '-n'];
    const own = execFileSync('readlink', ['/proc/self/ns/net'], { encoding: 'utf8' });
    const endMs = Date.now() + 5_000;
    while (execFileSync('readlink', [`/proc/${holder.pid}/ns/net`], { encoding: 'utf8' }) === own) {
      if (Date.now() > endMs) throw new Error('no namespace was made');
    }
    const outside = this.#link(index);
    const address = `${SUBNET}.${index + 1}`;
    run(['ip', 'link', 'add', outside, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(holder.pid)]);
    run(['ip', 'link', 'set', outside, 'master', this.#bridge]);
    run(['ip', 'link', 'set', outside, 'up']);
    run([...enter, 'ip', 'link', 'set', 'lo', 'up']);
    run([...enter, 'ip', 'address', 'add', `${address}/24`, 'dev', 'eth0']);
    run([...enter, 'ip', 'link', 'set', 'eth0', 'up']);
    const { delayMs, loss } = this.#options;
    if (delayMs > 0 || loss > 0) {
      const words = [
        ...(delayMs > 0 ? ['delay', `${delayMs}ms`] : []),
        ...(loss > 0 ? ['loss', `${loss}%`] : []),
      ];
      run([...enter, 'tc', 'qdisc', 'add', 'dev', 'eth0', 'root', 'netem', ...words]);
    }
    this.places.push({
      ...{ host: address, listen: `/ip4/${address}/tcp/${P2P_PORT}`, port: P2P_PORT },
      ...{ rpcPort: RPC_PORT, enter },
    });
  }

  /** @param node its number, from 1 on */
  cut(node, isCut) {
    run(['ip', 'link', 'set', this.#link(node - 1), isCut ? 'down' : 'up']);
  }

  async remove() {
    for (const holder of this.#holders) holder.kill('SIGKILL');
    // the other end of each pair goes with its namespace
    try {
      run(['ip', 'link', 'delete', this.#bridge]);
    } catch {
      // it was not made
    }
  }
}
