// JSON-RPC over kept connections, with as little work a call as possible: the load must not cost more than what it measures.
import { Agent, request } from 'node:http';

const TIMEOUT_MS = 60_000;

export class Rpc {
  #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  #options;
  #id = 0;
  /** Bytes of bodies, both ways. */
  bytes = 0;

  constructor(url, token) {
    const { hostname, port } = new URL(url);
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
    this.#options = { host: hostname, port, path: '/', method: 'POST', agent: this.#agent, headers };
  }

  /** @param body the text of a call or a batch; @returns the parsed answer */
  post(body) {
    return new Promise((resolve, reject) => {
      const bytes = Buffer.from(body);
      const headers = { ...this.#options.headers, 'content-length': bytes.length };
      const exchange = request({ ...this.#options, headers, timeout: TIMEOUT_MS }, response => {
        const chunks = [];
        response.on('data', chunk => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const answer = Buffer.concat(chunks);
          this.bytes += bytes.length + answer.length;
          try {
            resolve(JSON.parse(answer.toString()));
          } catch (error) {
            reject(error);
          }
        });
      });
      exchange.on('error', reject);
      exchange.on('timeout', () => exchange.destroy(new Error('the node did not answer in time')));
      exchange.end(bytes);
    });
  }

  async call(method, params = {}) {
    this.#id += 1;
    const { error, result } = await this.post(
      JSON.stringify({ jsonrpc: '2.0', id: this.#id, method, params }),
    );
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  close() {
    this.#agent.destroy();
  }
}
