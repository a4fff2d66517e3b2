import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bars, recoveryS } from '../../../bench/consensus/bars.mjs';
import { compare, readResult } from '../../../bench/consensus/compare.mjs';
import { criticalPath } from '../../../bench/consensus/critical-path.mjs';
import { Latencies } from '../../../bench/consensus/histogram.mjs';
import { roomTimes, selfTimes } from '../../../bench/consensus/hot.mjs';
import { counterIn, sentBetween } from '../../../bench/consensus/network.mjs';
import { readOptions, UsageError } from '../../../bench/consensus/options.mjs';
import { markdown, table } from '../../../bench/consensus/report.mjs';
import { curveRates, dueBy, dueMs } from '../../../bench/consensus/schedule.mjs';
import { curveSvg, logTicks, niceStep } from '../../../bench/consensus/svg.mjs';
import { resultOf, stepOf } from './result.ts';

const program = fileURLToPath(new URL('../../../bench/consensus.mjs', import.meta.url));
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'phaseline-bench-test-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('schedule of an open loop', () => {
  it('sends as many as are due, the first at once', () => {
    expect([0, 1, 3].map(index => dueMs(index, 4))).toEqual([0, 250, 750]);
    expect([-1, 0, 249, 250, 1000].map(ms => dueBy(ms, 4))).toEqual([0, 1, 1, 2, 5]);
  });

  it('agrees with itself: what is due at the time of an item includes it, and not the next', () => {
    for (const rate of [1, 3, 7, 333, 9_999]) {
      for (const index of [0, 1, 2, 10, 999, 12_345]) expect(dueBy(dueMs(index, rate), rate)).toBe(index + 1);
    }
  });

  it('measures a curve from a tenth of the saturation to above it', () => {
    expect(curveRates(1000)).toEqual([100, 250, 500, 700, 800, 900, 1000, 1100]);
    expect(curveRates(2)).toEqual([1, 2]);
  });
});

describe('latencies', () => {
  it('gives percentiles within a tenth of a percent', () => {
    const latencies = new Latencies();
    for (let ms = 1; ms <= 1000; ms += 1) latencies.record(ms);
    const { p50Ms, p90Ms, p99Ms, p999Ms, maxMs } = latencies.summary()!;
    for (const [is, exact] of [
      [p50Ms, 500],
      [p90Ms, 900],
      [p99Ms, 990],
      [p999Ms, 999],
      [maxMs, 1000],
    ]) {
      expect(Math.abs(is! - exact!) / exact!).toBeLessThan(0.0021);
    }
  });

  it('counts a stall for everybody who came meanwhile', () => {
    const latencies = new Latencies();
    // a network that answers at once, but for one second in which it answers nobody; 100 a second are due
    for (let index = 0; index < 1000; index += 1) {
      const due = dueMs(index, 100);
      const answered = due >= 5000 && due < 6000 ? 6000 : due;
      latencies.record(answered - due);
    }
    const { p50Ms, p99Ms } = latencies.summary()!;
    expect(p50Ms).toBeLessThan(1);
    expect(p99Ms).toBeGreaterThan(850);
  });

  it('has no summary of nothing', () => {
    expect(new Latencies().summary()).toBeNull();
  });
});

describe('options', () => {
  it('are four nodes, 250 bytes, a signature each, a closed loop', () => {
    expect(readOptions([])).toMatchObject({
      ...{ nodes: 4, payloadBytes: 250, signatures: 'each', rate: null, clients: 1024, seconds: 10 },
      ...{ to: 'all', curve: null, delayMs: 0, loss: 0, killLeaderAtS: null },
    });
  });

  it('takes times of a fault', () => {
    const given = ['--slow', '4@2-5', '--partition', '3', '--kill-leader-at', '2.5'];
    expect(readOptions(given)).toMatchObject({
      slow: { node: 4, fromS: 2, toS: 5 },
      partition: { node: 3, fromS: 0, toS: 10 },
      killLeaderAtS: 2.5,
    });
  });

  it.each([
    [['--nodes', '17'], '--nodes 17: a whole number from 1 to 16'],
    [['--nodes', 'four'], '--nodes four: a whole number'],
    [['--signatures', 'none'], 'one of each, batch'],
    [['--rate', '10', '--clients', '3'], 'give one of them'],
    [['--curve', 'auto', '--rate', '10'], '--curve sets the rates itself'],
    [['--curve', '100,x'], '--curve x'],
    [['--only', 'load,sleep'], '--only sleep'],
    [['--nodes', '1', '--kill-leader-at', '2'], 'a fault needs --nodes 4'],
    [['--kill-leader-at', '11'], '--kill-leader-at 11: a number from 0 to 10'],
    [['--slow', '4@5-3'], 'the times must go up'],
    [['--slow', '5'], '--slow 5: a whole number from 1 to 4'],
    [['--partition', 'node-1'], 'NODE or NODE@FROM-TO'],
    [['--to', 'node-5'], '"all" or a node from node-1 to node-4'],
    [['--loss', '99'], '--loss 99'],
    [['--repeat', '2', '--curve', 'auto'], '--repeat measures the same load again'],
    [['--frobnicate'], 'frobnicate'],
  ])('refuses %j', (words, text) => {
    expect(() => readOptions(words)).toThrow(UsageError);
    expect(() => readOptions(words)).toThrow(text);
  });

  it('ends the program with 2, one message and no stack', () => {
    const { status, stderr, stdout } = spawnSync(process.execPath, [program, '--nodes', '99']);
    expect(status).toBe(2);
    expect(stderr.toString()).toMatch(/^--nodes 99: a whole number from 1 to 16 is wanted\n.*--help\n$/);
    expect(stdout.toString()).toBe('');
  });

  it('ends the program with 2 before anything starts when a file to compare is wrong', () => {
    const path = join(dir, 'not-a-result.json');
    writeFileSync(path, '{"kind":"files"}');
    const { status, stderr } = spawnSync(process.execPath, [program, '--compare', path]);
    expect(status).toBe(2);
    expect(stderr.toString()).toContain('no result of bench consensus');
    expect(() => readResult(join(dir, 'missing.json'))).toThrow('ENOENT');
  });

  it('ends the program with 1 where there is no build', () => {
    const { status, stderr } = spawnSync(process.execPath, [program, '--main', join(dir, 'main.js')]);
    expect(status).toBe(1);
    expect(stderr.toString()).toContain('npm run build');
  });
});

describe('what the system shows', () => {
  it('sums a counter over its labels, and no other one', () => {
    const text =
      '# HELP a_total x\na_total{node="1",outcome="ok"} 3\na_total{node="1",outcome="no"} 4\na_total_more 9\nb 1\n';
    expect(counterIn(text, 'a_total')).toBe(7);
    expect(counterIn('a_total 5\n', 'a_total')).toBe(5);
    expect(counterIn(text, 'c_total')).toBe(0);
  });

  it('sums what sockets of the nodes have sent', () => {
    const line = (local: string, remote: string, sent: number) =>
      `ESTAB 0      0      ${local} ${remote} cubic bytes_sent:${sent} bytes_retrans:5 bytes_acked:${sent}`;
    const text = [
      line('127.0.0.1:7701', '127.0.0.1:50000', 100),
      line('127.0.0.1:50000', '127.0.0.1:7701', 20),
      line('127.0.0.1:9000', '127.0.0.1:9001', 7),
    ].join('\n');
    expect(sentBetween(text, new Set([7701]))).toBe(120);
  });
});

describe('critical path', () => {
  const { ceilings } = resultOf();

  it('is the sum of its steps', () => {
    const { steps, totalMs } = criticalPath(ceilings, 4, 0);
    // 0.04 + 4 × 0.1 + (2 + 5) × 0.1 + 4 × 0.04 + 4 × 0.25
    expect(totalMs).toBeCloseTo(2.3, 6);
    expect(steps.find(step => step.what === 'fdatasync')?.count).toBe(4);
  });

  it('adds the delay of each hop, and has none with one node', () => {
    expect(criticalPath(ceilings, 4, 10).totalMs - criticalPath(ceilings, 4, 0).totalMs).toBeCloseTo(40, 6);
    expect(criticalPath(ceilings, 1, 10).totalMs).toBeCloseTo(0.04 + 0.1 + 0.16 + 1, 6);
  });
});

describe('bars', () => {
  const named = (result: object, what: string) => bars(result).find(({ what: name }) => name.includes(what));

  it('compare the throughput with the ceiling of verification, by the clock and by processor time', () => {
    // 20,000 verifications a second leave 5,000 transactions for four nodes
    expect(named(resultOf(), 'ceiling of signature')).toMatchObject({ met: false });
    const fast = resultOf({ load: stepOf({ perSecond: 3_500, processorUs: 560 }) });
    expect(named(fast, 'ceiling of signature')).toMatchObject({ met: true });
    expect(named(fast, 'by processor time')).toMatchObject({
      met: true,
      measured: expect.stringContaining('71 %'),
    });
  });

  it('compare the processor time of a transaction with one verification where signatures are shared', () => {
    const { parameters } = resultOf();
    const of = (processorUs: number) =>
      named(
        resultOf({ parameters: { ...parameters, signatures: 'batch' }, load: stepOf({ processorUs }) }),
        'one verification',
      );
    expect(of(121)).toMatchObject({ met: false, measured: expect.stringContaining('1.21') });
    expect(of(119)).toMatchObject({ met: true });
  });

  it('compare latency with the critical path, and the tail with the middle', () => {
    const idle = stepOf({ latency: { p50Ms: 20, p99Ms: 81 } });
    const result = resultOf({ idle });
    expect(named(result, 'idle network, one transaction: p50')).toMatchObject({ met: true });
    expect(named(result, 'idle network, one transaction: p99')).toMatchObject({ met: false });
  });

  it('divide a stream by the copies that large payloads need', () => {
    const { parameters } = resultOf();
    const load = stepOf({ perSecond: 4_000 });
    const large = resultOf({ parameters: { ...parameters, payloadBytes: 16_384 }, load });
    // 4,000 × 16 KiB = 65.5 MB/s of 300 / 3 MB/s
    expect(named(large, 'Noise stream')).toMatchObject({
      met: true,
      measured: expect.stringContaining('66 %'),
    });
  });

  it('say how long it took until the throughput was back', () => {
    const steady = Array.from({ length: 40 }, () => 100);
    const stalled = [...steady, ...Array.from({ length: 7 }, () => 0), ...steady];
    expect(recoveryS(stalled, 4)).toBe(0.7);
    // a backlog that comes at once does not hide the silence before it
    expect(recoveryS([...steady, 100, 0, 0, 0, 400, ...steady], 4)).toBe(0.4);
    expect(recoveryS([...steady, ...steady], 4)).toBe(0);
    expect(recoveryS([...steady, ...steady.map(() => 50)], 4)).toBeNull();
    const { parameters } = resultOf();
    const killed = resultOf({
      parameters: { ...parameters, killLeaderAtS: 4 },
      load: stepOf({ tenths: stalled }),
    });
    expect(named(killed, 'leader was killed')).toMatchObject({ met: true, measured: '0.7 s' });
  });

  it('hold the last of many measurements to the first, and memory to its limit', () => {
    const residentBytesMax = { 'node-1': 400 * 1024 * 1024 };
    const last = {
      ...stepOf({ perSecond: 900, processorUs: 510, residentBytesMax }),
      committedBefore: 1_000_000,
    };
    const result = resultOf({ last });
    expect(named(result, 'throughput after 1000000')).toMatchObject({ met: false, measured: '90 %' });
    expect(named(result, 'processor time after 1000000')).toMatchObject({ met: true, measured: '98 %' });
    expect(named(result, 'resident memory')).toMatchObject({ met: false, measured: '400 MiB' });
  });
});

describe('report', () => {
  it('tells offered, accepted, committed and failed apart, with the reasons', () => {
    const text = table({ ...resultOf(), bars: bars(resultOf()) });
    expect(text).toMatch(/^offered +10100$/m);
    expect(text).toMatch(/^accepted +10050$/m);
    expect(text).toMatch(/^committed +10000$/m);
    expect(text).toMatch(/^failed +100 \(busy 50, no outcome 50\)$/m);
    expect(text).toContain(
      'bar: committed throughput / ceiling of signature verification ≥ 70 %; measured: 20 %',
    );
    expect(text).toContain('missed');
    expect(text).toContain('Commit abcdef123456');
  });

  it('shows what a system does not tell as a dash', () => {
    const load = stepOf({ processorUs: null, processorUsByNode: {}, wireBytes: null, residentBytesMax: {} });
    const text = table({ ...resultOf({ load, ceilings: null, criticalPath: null }), bars: [] });
    expect(text).toMatch(/^node processor µs \/ committed +–$/m);
    expect(text).toMatch(/^bytes between nodes \/ committed +–$/m);
  });

  it('writes Markdown whose tables have as many cells in each row', () => {
    const lines = markdown({ ...resultOf(), bars: bars(resultOf()) }).split('\n');
    const [head] = lines;
    expect(head).toBe('| measured | load |');
    for (const block of lines.join('\n').split('\n\n')) {
      const cells = block
        .split('\n')
        .filter(line => line.startsWith('|'))
        .map(line => line.split('|').length);
      expect(new Set(cells).size).toBeLessThanOrEqual(1);
    }
  });
});

describe('comparison', () => {
  it('gives ratios of what both measured', () => {
    const now = resultOf({ load: stepOf({ processorUs: 250, perSecond: 1_500 }) });
    const { rows, warnings, commit } = compare(now, resultOf());
    expect(commit).toBe('abcdef123456');
    expect(rows).toContainEqual({
      what: 'load: node processor µs / committed',
      before: 500,
      now: 250,
      ratio: 0.5,
    });
    expect(rows).toContainEqual({ what: 'load: committed / s', before: 1000, now: 1500, ratio: 1.5 });
    expect(warnings).toEqual([]);
  });

  it('warns where the two did not do the same, and relates numbers of nodes', () => {
    const { parameters } = resultOf();
    const now = resultOf({
      parameters: { ...parameters, nodes: 10, signatures: 'batch' },
      load: stepOf({ processorUs: 1_000 }),
    });
    const { rows, warnings } = compare(now, resultOf());
    expect(warnings).toEqual(['not the same: signatures was each, is batch']);
    expect(rows.at(-1)).toMatchObject({
      what: 'throughput by processor time, 10 nodes / 4 nodes',
      ratio: 0.5,
    });
  });

  it('compares points of a curve at the same rate', () => {
    const curve = (p50Ms: number) => ({
      saturation: null,
      points: [stepOf({ rate: 500, latency: { p50Ms, p99Ms: 50 } })],
    });
    const { rows } = compare(
      resultOf({ load: null, curve: curve(10) }),
      resultOf({ load: null, curve: curve(20) }),
    );
    expect(rows).toContainEqual({ what: '500/s: latency p50 ms', before: 20, now: 10, ratio: 0.5 });
  });
});

describe('picture', () => {
  it('chooses round ticks', () => {
    expect(niceStep(4_000, 8)).toBe(500);
    expect(niceStep(70, 8)).toBe(10);
    expect(logTicks(3, 400)).toEqual([2, 5, 10, 20, 50, 100, 200, 500]);
  });

  it('draws a line a percentile with a point for each rate, inside the picture', () => {
    const points = [100, 500, 1000].map(rate =>
      stepOf({
        rate,
        perSecond: rate,
        latency: { p50Ms: rate / 50, p90Ms: rate / 20, p99Ms: rate, p999Ms: rate * 2 },
      }),
    );
    const svg = curveSvg(resultOf({ load: null, curve: { saturation: null, points } }));
    expect(svg.match(/<polyline/g)).toHaveLength(4);
    expect(svg.match(/<circle/g)).toHaveLength(12);
    for (const [, x, y] of svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)) {
      expect(Number(x)).toBeGreaterThan(80);
      expect(Number(x)).toBeLessThan(720);
      expect(Number(y)).toBeGreaterThan(60);
      expect(Number(y)).toBeLessThan(450);
    }
    expect(svg).toContain('2 × some &lt;processor&gt;');
    expect(svg).not.toContain('NaN');
  });

  it('draws axes even of nothing', () => {
    expect(curveSvg(resultOf({ load: stepOf({ latency: null }) }))).not.toContain('NaN');
  });
});

describe('profile', () => {
  it('adds up what each function took by itself, without idling', () => {
    const frame = (functionName: string, url = '') => ({ callFrame: { functionName, url, lineNumber: 9 } });
    const nodes = [
      { id: 1, ...frame('verify', 'file:///a/b/c/d.js') },
      { id: 2, ...frame('(idle)') },
      { id: 3, ...frame('verify', 'file:///a/b/c/d.js') },
    ];
    const { busyMs, rows } = selfTimes({ nodes, samples: [1, 2, 3], timeDeltas: [1000, 5000, 2000] });
    expect(busyMs).toBe(3);
    expect(rows).toEqual([['verify b/c/d.js:10', 3]]);
  });

  it('gives what Node does to the room or the package that asked for it', () => {
    const frame = (functionName: string, url = '') => ({ callFrame: { functionName, url, lineNumber: 0 } });
    const nodes = [
      { id: 1, ...frame('(root)'), children: [2, 4, 6] },
      { id: 2, ...frame('submit', 'file:///x/dist/services/pool/pool.js'), children: [3] },
      { id: 3, ...frame('verify', 'node:internal/crypto/sig') },
      { id: 4, ...frame('send', 'file:///x/node_modules/@libp2p/utils/dist/src/stream.js'), children: [5] },
      { id: 5, ...frame('write', 'node:net') },
      { id: 6, ...frame('(garbage collector)') },
    ];
    const samples = [2, 3, 5, 6];
    const times = roomTimes({ nodes, samples, timeDeltas: [1000, 3000, 2000, 500] });
    expect(times).toEqual([
      ['services/pool', 4],
      ['@libp2p/utils', 2],
      ['(garbage collector)', 0.5],
    ]);
  });
});
