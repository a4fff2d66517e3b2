import { describe, expect, it } from 'vitest';
import { Disk, GroupWriter } from '../../../bench/model/disk.mjs';
import { EventQueue } from '../../../bench/model/event-queue.mjs';
import { Machine } from '../../../bench/model/machine.mjs';
import { Network, randomFrom, SEND_OVERHEAD_BYTES } from '../../../bench/model/network.mjs';
import { ModelPool } from '../../../bench/model/pool.mjs';

function runAll(queue: EventQueue): void {
  while (queue.next());
}

describe('event queue', () => {
  it('gives what was planned in order of time, and of planning within one moment', () => {
    const queue = new EventQueue();
    const random = randomFrom(7);
    const expected: [number, number][] = [];
    const seen: [number, number][] = [];
    for (let index = 0; index < 500; index += 1) {
      const timeUs = Math.floor(random() * 50);
      expected.push([timeUs, index]);
      queue.at(timeUs, () => seen.push([queue.nowUs, index]));
    }
    runAll(queue);
    expect(seen).toEqual(expected.sort((a, b) => a[0] - b[0] || a[1] - b[1]));
  });

  it('takes no event of the past', () => {
    const queue = new EventQueue();
    queue.at(5, () => expect(() => queue.at(4, () => {})).toThrow('planned at 5'));
    runAll(queue);
    expect(queue.nowUs).toBe(5);
  });
});

describe('machine', () => {
  const ends = (cores: number, threads: number, costUs: number) => {
    const queue = new EventQueue();
    const machine = new Machine(queue, cores);
    const ended: number[] = [];
    for (let index = 0; index < threads; index += 1) {
      const thread = machine.thread();
      thread.push(() => {
        thread.afterwards(() => ended.push(queue.nowUs));
        return costUs;
      });
    }
    runAll(queue);
    return { ended, busyUs: machine.busyUs };
  };

  it('runs as many threads at once as it has cores', () => {
    expect(ends(2, 2, 100).ended).toEqual([100, 100]);
    expect(ends(2, 4, 100).ended).toEqual([100, 100, 200, 200]);
    expect(ends(1, 3, 100)).toEqual({ ended: [100, 200, 300], busyUs: 300 });
  });

  it('lets a long task yield its core to others', () => {
    const { ended } = ends(1, 2, 10_000);
    expect(ended).toEqual([19_000, 20_000]);
  });

  it('runs the tasks of one thread one after the other, on however many cores', () => {
    const queue = new EventQueue();
    const machine = new Machine(queue, 8);
    const thread = machine.thread();
    const began: number[] = [];
    for (const costUs of [30, 20, 10]) {
      thread.push(() => {
        began.push(queue.nowUs);
        return costUs;
      });
    }
    runAll(queue);
    expect(began).toEqual([0, 30, 50]);
    expect(thread.busyUs).toBe(60);
  });
});

describe('waking', () => {
  it('is paid by a thread that had nothing to do, and not by one that goes on', () => {
    const queue = new EventQueue();
    const thread = new Machine(queue, 1).thread(() => 50);
    const ended: number[] = [];
    const work = () => {
      thread.afterwards(() => ended.push(queue.nowUs));
      return 100;
    };
    thread.push(work);
    thread.push(work);
    queue.at(1000, () => thread.push(work));
    runAll(queue);
    expect(ended).toEqual([150, 250, 1150]);
  });
});

describe('disk', () => {
  const prices = { 'disk.sync': 1000, 'disk.kib': 10, 'disk.parallel': 2 };

  it('lets what queues up during one flush share the next', () => {
    const queue = new EventQueue();
    const writer = new GroupWriter(queue, new Disk(queue, prices), (_: unknown, then: () => void) => then());
    const done: [string, number][] = [];
    for (const item of ['a', 'b', 'c']) writer.write(item, 1024, () => done.push([item, queue.nowUs]));
    runAll(queue);
    expect(done).toEqual([
      ['a', 1010],
      ['b', 2030],
      ['c', 2030],
    ]);
    expect(writer.flushes).toBe(2);
  });

  it('slows down when more is flushed than it does at once', () => {
    const queue = new EventQueue();
    const disk = new Disk(queue, prices);
    const done: number[] = [];
    for (let index = 0; index < 4; index += 1) disk.sync(0, () => done.push(queue.nowUs));
    runAll(queue);
    expect(done).toEqual([1000, 1000, 1500, 2000]);
  });
});

describe('network', () => {
  const kind = { delayUs: 1000, jitter: 0, bytesPerSecond: 1e6 };
  const payload = 1000 - SEND_OVERHEAD_BYTES;

  it('sends what one node sends one after the other, and what several send to one arrives so', () => {
    const queue = new EventQueue();
    const network = new Network(queue, kind, 3, 1);
    const arrived: [string, number][] = [];
    network.send(0, 1, payload, () => arrived.push(['0 to 1', queue.nowUs]));
    network.send(0, 2, payload, () => arrived.push(['0 to 2', queue.nowUs]));
    network.send(1, 2, payload, () => arrived.push(['1 to 2', queue.nowUs]));
    expect(network.backlogUs(0)).toBe(2000);
    runAll(queue);
    expect(arrived).toEqual([
      ['0 to 1', 2000],
      ['0 to 2', 3000],
      ['1 to 2', 4000],
    ]);
    expect(network.sentBytes).toEqual([2000, 1000, 0]);
  });

  it('keeps the order between two nodes though the delay varies', () => {
    const queue = new EventQueue();
    const network = new Network(queue, { ...kind, jitter: 5 }, 2, 3);
    const arrived: number[] = [];
    for (let index = 0; index < 50; index += 1) network.send(0, 1, 0, () => arrived.push(index));
    runAll(queue);
    expect(arrived).toEqual([...arrived].sort((a, b) => a - b));
  });
});

describe('pool', () => {
  const limits = { blockTransactionsMax: 100, blockBytesMax: 1e6, checksPerTurn: 32, transactionBytes: 800 };
  const group = (from: number, count: number) => ({ from, count, dues: [] });

  it('checks a few a turn, and fills blocks in order of arrival', () => {
    const pool = new ModelPool(limits);
    const groups = [group(0, 40), group(40, 40), group(80, 40)];
    for (const one of groups) pool.arrive(one);
    expect(pool.check(false)).toEqual({ checked: 32, whole: [] });
    expect(pool.check(false)).toEqual({ checked: 32, whole: [groups[0]] });
    expect(pool.check(true)).toEqual({ checked: 56, whole: groups.slice(1) });
    for (const one of groups) pool.add(one);
    expect(pool.take(new Set())).toEqual(groups.slice(0, 2));
    expect(pool.take(new Set(groups.slice(0, 1)))).toEqual(groups.slice(1));
    pool.committed(groups.slice(0, 2));
    expect(pool.size).toBe(40);
    expect(pool.add(groups[0]!)).toBe(false);
  });
});
