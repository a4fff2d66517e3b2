// Preloaded into a node by `--profile DIR`: the node's processor profile between two messages of the benchmark, so that neither its
// start nor the compilation of its code is in it.
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';

const SAMPLE_US = 500;
const session = new Session();
session.connect();

async function begin() {
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_US });
  await session.post('Profiler.start');
}

async function end(file) {
  const { profile } = await session.post('Profiler.stop');
  writeFileSync(file, JSON.stringify(profile));
  process.send({ profiled: file });
}

process.on('message', ({ profile, file }) => {
  if (profile === 'begin') void begin();
  if (profile === 'end') void end(file);
});
// a message handler keeps the channel open; it must not keep the process
process.channel?.unref();
