import { CLOCK_NEMESES } from './clocks.ts';
import { PATH_NEMESES } from './paths.ts';
import { kill, pause } from './processes.ts';
import { type Nemesis, seconds } from './stage.ts';

const APART_MS_MAX = 3_000;
/** Faults that mind no other: they leave every file as it is and wait for nothing. */
const PARTS: readonly Nemesis[] = [kill, pause, ...PATH_NEMESES, ...CLOCK_NEMESES];

const storm: Nemesis = {
  name: 'storm',
  title: '[45] [46] [61] [63] several faults at once, more than the network is made for among them',
  draw: (draws, shape) => {
    const parts = Array.from({ length: draws.between(2, 4) }, () => ({
      fault: draws.pick(PARTS).draw(draws, shape),
      afterMs: draws.between(0, APART_MS_MAX),
    }));
    return {
      words: parts.map(({ fault, afterMs }) => `after ${seconds(afterMs)} ${fault.words}`).join('; '),
      run: async stage => {
        const runs = parts.map(async ({ fault, afterMs }) => {
          await stage.sleep(afterMs);
          return fault.run(stage);
        });
        const remarks = await Promise.all(runs);
        return remarks.filter(remark => remark !== null).join(', ') || null;
      },
    };
  },
};

export const STORM_NEMESES: readonly Nemesis[] = [storm];
