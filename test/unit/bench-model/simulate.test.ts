import { describe, expect, it } from 'vitest';
import { explain } from '../../../bench/model/explain.mjs';
import { PRICES, PriceError, pricesOf } from '../../../bench/model/prices.mjs';
import { predictionTable, validationTable } from '../../../bench/model/report.mjs';
import { simulate } from '../../../bench/model/simulate.mjs';
import { ResultError, validate } from '../../../bench/model/validate.mjs';
import * as genesis from '../../../src/config/genesis-document.ts';
import * as chain from '../../../src/core/codec/chain.ts';
import * as log from '../../../src/core/merkle/log.ts';
import * as engine from '../../../src/core/pbft/engine.ts';
import * as messages from '../../../src/core/pbft/message-codec.ts';
import * as suite from '../../../src/crypto/suite.ts';
import * as consensusLimits from '../../../src/services/consensus/limits.ts';
import * as poolLimits from '../../../src/services/pool/limits.ts';
import { resultOf, stepOf } from '../bench/result.ts';

const core = {
  ...{ ...genesis, ...chain, ...log, ...engine, ...messages, ...suite },
  ...{ ...consensusLimits, ...poolLimits },
  // small blocks: a run of few transactions has many
  DEFAULT_PARAMETERS: { ...genesis.DEFAULT_PARAMETERS, blockTransactionsMax: 200 },
};
const file = {
  prices: Object.fromEntries(
    [...Object.keys(PRICES), 'transaction.bytes'].map(name => [name, { value: 10 }]),
  ),
};
const prices: Record<string, number> = {
  ...pricesOf(file),
  'signature.verify': 80,
  'disk.sync': 500,
  'disk.parallel': 2,
  'transaction.bytes': 800,
};
const LAN = { delayUs: 100, jitter: 0.2, bytesPerSecond: 125e6 };
const length = { warmUpBlocks: 2, blocks: 8, secondsMin: 0.05 };
const options = { nodes: 4, network: LAN, machine: { shared: false, cores: 2 }, seed: 5, ...length };

describe('a run of the model', () => {
  it('is the same for one seed and one list of prices, and another for another seed', () => {
    const once = simulate(core, prices, { ...options, rate: 500 });
    expect(simulate(core, prices, { ...options, rate: 500 })).toEqual(once);
    const other = simulate(core, prices, { ...options, rate: 500, seed: 6 });
    expect(other.p50Ms).not.toBe(once.p50Ms);
  });

  it('commits what is offered, after no less than the protocol waits for', () => {
    const run = simulate(core, prices, { ...options, rate: 500, secondsMin: 0.3 });
    expect(run.perSecond).toBeGreaterThan(450);
    expect(run.perSecond).toBeLessThan(550);
    // to the primary, three rounds, four flushes
    expect(run.p50Ms).toBeGreaterThan(4 * 0.1 + 4 * 0.5);
    expect(run.p50Ms).toBeLessThan(15);
    expect(run.viewChanges).toBe(0);
  });

  it('cannot carry more than its processors do', () => {
    const run = simulate(core, prices, { ...options, clients: 1000 });
    const slow = simulate(core, { ...prices, 'signature.verify': 800 }, { ...options, clients: 1000 });
    expect(Math.max(...run.busy.eventLoop)).toBeGreaterThan(0.9);
    expect(slow.perSecond).toBeLessThan(1.1 * (1e6 / 800));
    expect(slow.perSecond).toBeGreaterThan(0.7 * (1e6 / 900));
    const shared = simulate(core, prices, {
      ...{ ...options, clients: 1000 },
      machine: { shared: true, cores: 2 },
    });
    expect(shared.perSecond).toBeLessThan(0.7 * run.perSecond);
    expect(shared.busy.machine[0]).toBeGreaterThan(0.95);
  });

  it('names what limits it, and what would lift that', () => {
    const verifying = explain(
      simulate(core, { ...prices, 'signature.verify': 800 }, { ...options, clients: 1000 }),
    );
    expect(verifying.parts[0]).toMatchObject({ what: "members' signatures" });
    expect(verifying.limit).toContain('event loop');
    expect(verifying.lift).toContain('worker threads');
    const half = [0.5, 0.5, 0.5, 0.5];
    const busy = { eventLoop: half, machine: half, store: half, log: half, disk: half };
    const full = simulate(core, prices, { ...options, clients: 1000 });
    const narrow = explain({ ...full, busy: { ...busy, wire: [1, 0.3, 0.3, 0.3] } });
    expect(narrow).toMatchObject({ limit: 'outgoing bytes of the leader', use: 1 });
    expect(narrow.lift).toContain('leaves its node 3 times');
    const far = { ...LAN, delayUs: 50_000 };
    const waiting = explain(simulate(core, prices, { ...options, network: far, clients: 20 }));
    expect(waiting.limit).toBe('waiting for links and disks');
  });
});

describe('prices', () => {
  it('names one that is missing', () => {
    const { 'disk.sync': _, ...rest } = file.prices;
    expect(() => pricesOf({ prices: rest })).toThrow(PriceError);
    expect(() => pricesOf({ prices: rest })).toThrow('"disk.sync"');
  });
});

describe('validation', () => {
  it('shows how far the prediction of a run is from what was measured', () => {
    const measured = resultOf({ load: stepOf({ perSecond: 1000 }) });
    const { processors } = measured.environment;
    const validated = validate(core, prices, { result: measured, path: 'one.json', processors });
    const [committed] = validated.rows;
    expect(committed).toMatchObject({ what: 'load: committed', measured: 1000 });
    expect(committed!.errorPercent).toBeCloseTo(100 * (committed!.predicted / 1000 - 1));
    expect(validationTable([validated])).toContain('load: committed');
  });

  it('refuses a result that was measured with faults, or on another machine', () => {
    const result = resultOf({});
    const { processors } = result.environment;
    const faulty = { ...result, parameters: { ...result.parameters, killLeaderAtS: 3 } };
    const path = 'one.json';
    expect(() => validate(core, prices, { result: faulty, path, processors })).toThrow(ResultError);
    expect(() => validate(core, prices, { result, path, processors: 'another' })).toThrow('on another');
  });
});

describe('report', () => {
  it('has a row for each prediction, and what would lift its limit', () => {
    const run = simulate(core, prices, { ...options, clients: 400 });
    const at = [{ p50Ms: 3 }, { p50Ms: 5 }];
    const table = predictionTable({
      predictions: [{ ...run, network: 'LAN', nodes: 4, at, ...explain(run) }],
    });
    expect(table).toContain('| LAN | 4 |');
    expect(table).toContain('- LAN, n = 4: ');
  });
});
