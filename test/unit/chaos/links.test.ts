import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Links } from '../../chaos/network/links.ts';

/** A server that notes what comes and answers each chunk. */
class Target {
  heard = '';
  connections = 0;
  readonly server: Server = createServer({ allowHalfOpen: true }, socket => {
    this.connections += 1;
    socket.on('error', () => {});
    socket.on('data', bytes => {
      this.heard += bytes.toString('latin1');
      socket.write(`<${bytes}>`);
    });
  });

  get port(): number {
    return (this.server.address() as { port: number }).port;
  }
}

/** Also with an error, as a reset is. */
function closing(socket: Socket): Promise<void> {
  return new Promise(resolve => socket.once('close', () => resolve()));
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(resolve => setImmediate(resolve));
}

/** Enough turns of the event loop that what could arrive over loopback has arrived. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 200; turn += 1) await new Promise(resolve => setImmediate(resolve));
}

describe('links of the harness', () => {
  let target: Target;
  let links: Links;
  let port: number;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    target = new Target();
    target.server.listen(0, '127.0.0.1');
    await once(target.server, 'listening');
    links = new Links(1, () => target.port);
    port = await links.add('a', 'b');
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await links.close();
    target.server.close();
  });

  async function dial(): Promise<{ socket: Socket; heard: () => string }> {
    const socket = connect({ port, host: '127.0.0.1' });
    sockets.push(socket);
    let heard = '';
    socket.on('data', bytes => {
      heard += bytes;
    });
    socket.on('error', () => {});
    await once(socket, 'connect');
    return { socket, heard: () => heard };
  }

  it('[61] holds back what is sent over a cut path, and delivers it whole when the path is back', async () => {
    const { socket, heard } = await dial();
    socket.write('one');
    await until(() => heard() === '<one>');
    links.cut('a', 'b');
    socket.write('two');
    await settle();
    expect(target.heard).toBe('one');
    links.heal();
    await until(() => heard() === '<one><two>');
  });

  it('[62] cuts one direction alone', async () => {
    const { socket, heard } = await dial();
    socket.write('one');
    await until(() => heard() === '<one>');
    links.cut('b', 'a');
    socket.write('two');
    await until(() => target.heard === 'onetwo');
    await settle();
    expect(heard()).toBe('<one>');
    links.heal();
    await until(() => heard() === '<one><two>');
  });

  it('makes a connection over a cut path only when it is back', async () => {
    links.cut('b', 'a');
    const { socket, heard } = await dial();
    socket.write('one');
    await settle();
    expect(target.connections).toBe(0);
    links.heal();
    await until(() => heard() === '<one>');
  });

  it('lets nobody hear the end of a peer behind a cut', async () => {
    const { socket, heard } = await dial();
    socket.write('one');
    await until(() => heard() === '<one>');
    links.cut('b', 'a');
    target.server.close();
    let ended = false;
    socket.once('end', () => {
      ended = true;
    });
    socket.end('two');
    await until(() => target.heard === 'onetwo');
    await settle();
    expect(ended).toBe(false);
  });

  it('breaks connections, and refuses new ones of a node', async () => {
    const { socket, heard } = await dial();
    socket.write('one');
    await until(() => heard() === '<one>');
    const closed = closing(socket);
    links.reset('b', 'a');
    await closed;
    links.refuse('b');
    const refused = connect({ port, host: '127.0.0.1' });
    refused.on('error', () => {});
    await closing(refused);
    expect(target.connections).toBe(1);
    links.heal();
    const again = await dial();
    again.socket.write('two');
    await until(() => again.heard() === '<two>');
  });

  it('[32] turns exactly one bit', async () => {
    const { socket } = await dial();
    links.direction('a', 'b').garbleNext();
    const sent = Buffer.alloc(64, 0x55);
    socket.write(sent.toString('latin1'), 'latin1');
    await until(() => target.heard.length >= 64);
    const bits = [...Buffer.from(target.heard, 'latin1')].map(byte => (byte ^ 0x55).toString(2));
    expect(bits.join('').replaceAll('0', '')).toBe('1');
  });
});
