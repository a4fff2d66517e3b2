// npm start [-- demo | devnet options]: builds what is missing and starts a whole network on this machine.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { build, root } from './lib.mjs';

await build();
const [first, ...rest] = process.argv.slice(2);
const args = first === 'demo' ? ['--demo', ...rest] : process.argv.slice(2);
const child = spawn(process.execPath, [join(root, 'dist/cli/main.js'), 'devnet', ...args], {
  stdio: 'inherit',
});
// The terminal sends Ctrl-C to the whole group: the child stops the network, this process waits for it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => signal !== 'SIGINT' && child.kill(signal));
child.on('exit', (code, signal) => process.exit(signal === null ? code : 1));
