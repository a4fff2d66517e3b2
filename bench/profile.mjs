// Preloaded by `load.mjs --profile DIR`: each process leaves the CPU profile of its life in DIR, under the name of its node.
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { basename, join } from 'node:path';

const session = new Session();
session.connect();
session.post('Profiler.enable');
session.post('Profiler.setSamplingInterval', { interval: 500 });
session.post('Profiler.start');
process.once('exit', () => {
  session.post('Profiler.stop', (error, answer) => {
    if (error !== null) throw error;
    const file = join(process.env.PHASELINE_PROFILE_DIR, `${basename(process.argv.at(-1))}.cpuprofile`);
    writeFileSync(file, JSON.stringify(answer.profile));
  });
});
