import { anyConsensus, type Nemesis, seconds } from './stage.ts';

const OFFSETS_MS = [-3_600_000, -60_000, -5_000, 5_000, 60_000, 3_600_000];

const clock: Nemesis = {
  name: 'clock',
  title: '[20] [74] the clock of a validator jumps by up to an hour',
  draw: (draws, shape) => {
    const target = anyConsensus(draws, shape);
    const jumps = Array.from({ length: draws.between(1, 3) }, () => ({
      offsetMs: draws.pick(OFFSETS_MS),
      lastsMs: draws.between(2_000, 6_000),
    }));
    const words = jumps.map(({ offsetMs, lastsMs }) => `${seconds(offsetMs)} off for ${seconds(lastsMs)}`);
    return {
      words: `the clock of ${target} is ${words.join(', then ')}`,
      run: async stage => {
        const node = await stage.node(target);
        for (const { offsetMs, lastsMs } of jumps) {
          node.setClockOffset(offsetMs);
          await stage.sleep(lastsMs);
        }
        node.setClockOffset(0);
        return node.name;
      },
    };
  },
};

export const CLOCK_NEMESES: readonly Nemesis[] = [clock];
