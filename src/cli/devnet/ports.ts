import { createServer } from 'node:net';

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** Loopback ports from `from` upwards; every one that is taken is named to `onTaken` and passed over. */
export async function freePorts(
  count: number,
  from: number,
  onTaken: (port: number) => void,
): Promise<number[]> {
  const ports: number[] = [];
  for (let port = from; ports.length < count && port <= 65_535; port += 1) {
    if (await isFree(port)) ports.push(port);
    else onTaken(port);
  }
  return ports;
}
