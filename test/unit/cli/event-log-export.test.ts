import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SaxesParser } from 'saxes';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AuditLog, readAudit } from '../../../src/cli/export/audit.ts';
import { type Ocel, ocelOf, ocelXmlOf } from '../../../src/cli/export/ocel.ts';
import { xesOf } from '../../../src/cli/export/xes.ts';
import { readLogFile } from '../../../src/cli/import/read-log.ts';
import type { Session } from '../../../src/cli/session.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'phaseline-export-'));
});
afterAll(() => rm(dir, { recursive: true }));

const START_MS = Date.UTC(2026, 0, 31, 8);

function entry(position: number, kind: string, rest: object = {}) {
  const transaction = `${kind}-${position}`;
  const time = { ms: START_MS + position * 60_000 };
  const fixed = {
    position,
    height: position + 1,
    time,
    transaction,
    kind,
    member: 'alice',
    keyId: 0,
    refused: null,
  };
  return { ...fixed, records: kind === 'recordPut' ? [transaction] : [], details: {}, ...rest };
}

const intake = [
  entry(1, 'phaseAdd', { details: { participants: 'alice bob', custody: 0 } }),
  entry(2, 'phaseOpen'),
  entry(4, 'recordPut'),
  entry(5, 'recordPut', { member: 'bob' }),
  entry(6, 'participantAdd', { details: { member: 'carol', roles: 3 } }),
  entry(7, 'recordPut', { refused: 'phaseFrozen' }),
  entry(9, 'phaseHandover', { details: { target: 'review' } }),
];
const review = [{ ...intake[6]!, position: 2, records: ['recordPut-4'] }];

const data = (caseId: string, time: string) =>
  JSON.stringify({ 'case:concept:name': caseId, 'time:timestamp': time });
const contents = [
  {
    id: 'recordPut-4',
    content: {
      type: 'Receive',
      title: 'A <b>form</b> & "more"\u0001',
      text: data('case 9', '2011-10-11'),
      files: [{ cid: 'bafy1' }],
    },
  },
  { id: 'recordPut-5', content: { type: '', title: '', text: data('case 9', '2011-10-10'), files: [] } },
];

/** Two pages of the trail of intake, one of everything else. */
const session = {
  call: async (method: string, { phase, from }: { phase?: string; from: number }) => {
    if (method === 'record_list') return { records: phase === 'p1' ? contents : [], next: null };
    if (method === 'project_trail') return { events: [entry(0, 'projectCreate'), intake[0]!], next: null };
    if (phase === 'p2') return { events: review, next: null };
    return from === 0 ? { events: intake.slice(0, 3), next: 3 } : { events: intake.slice(3), next: null };
  },
} as unknown as Session;

const flow = {
  project: { id: 'p0', label: 'House' },
  own: true,
  phases: [
    { id: 'p1', label: 'intake' },
    { id: 'p2', label: 'review' },
  ],
};
const audit = (options = {}): Promise<AuditLog> => readAudit(session, flow, options);
const CASES = { caseField: 'case:concept:name', timeField: 'time:timestamp' };

describe('the audit trail of a flow', () => {
  it('has every transaction once, in the order of time, with who, where and about whom', async () => {
    const { events } = await audit();
    expect(events.map(event => [event.activity, event.member, event.phase])).toEqual([
      ['project create', 'alice', null],
      ['phase add', 'alice', 'p1'],
      ['phase open', 'alice', 'p1'],
      ['Receive', 'alice', 'p1'],
      ['record put', 'bob', 'p1'],
      ['participant add', 'alice', 'p1'],
      ['record put', 'alice', 'p1'],
      ['phase handover', 'alice', 'p1'],
    ]);
    expect(events.map(event => event.concerns)).toEqual([
      [],
      ['alice', 'bob'],
      [],
      [],
      [],
      ['carol'],
      [],
      [],
    ]);
    expect(events[6]!.refused).toBe('phaseFrozen');
  });

  it('takes case and time from the records where that is asked', async () => {
    const { events } = await audit(CASES);
    expect(events.slice(0, 2).map(event => [event.id, event.caseId])).toEqual([
      ['recordPut-5', 'case 9'],
      ['recordPut-4', 'case 9'],
    ]);
  });
});

interface Element {
  readonly name: string;
  readonly attributes: Record<string, string>;
  readonly children: Element[];
}

/** A tree of elements; a fault in the XML throws. */
function parseXml(text: string): Element {
  const root: Element = { name: '', attributes: {}, children: [] };
  const open = [root];
  const parser = new SaxesParser({});
  parser.on('error', error => {
    throw error;
  });
  parser.on('opentag', ({ name, attributes }) => {
    const element = { name, attributes: attributes as Record<string, string>, children: [] };
    open.at(-1)!.children.push(element);
    open.push(element);
  });
  parser.on('closetag', () => open.pop());
  parser.write(text).close();
  return root.children[0]!;
}

const named = (element: Element, name: string) => element.children.filter(child => child.name === name);
const XES_TYPES = ['string', 'date', 'int', 'float', 'boolean', 'id', 'list', 'container'];

describe('XES', () => {
  const written = async (options = {}) => [...xesOf(await audit(options))].join('');

  it('is built as IEEE 1849-2016 says: extensions, globals, classifiers, attributes, traces of events', async () => {
    const log = parseXml(await written());
    expect([log.name, log.attributes['xes.version']]).toEqual(['log', '1849-2016']);
    const order = ['extension', 'global', 'classifier', 'string', 'trace'];
    const places = log.children.map(child => order.indexOf(child.name));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    const prefixes = named(log, 'extension').map(({ attributes }) => attributes.prefix);
    const globals = named(log, 'global').find(({ attributes }) => attributes.scope === 'event')!;
    const traces = named(log, 'trace');
    expect(traces.map(trace => trace.children[0]!.attributes.value)).toEqual(['House', 'intake']);
    for (const event of traces.flatMap(trace => named(trace, 'event'))) {
      const keys = event.children.map(({ attributes }) => attributes.key!);
      expect(new Set(keys).size).toBe(keys.length);
      for (const { name, attributes } of event.children) {
        expect(XES_TYPES).toContain(name);
        const prefix = attributes.key!.split(':')[0]!;
        if (prefix !== 'phaseline') expect(prefixes).toContain(prefix);
        if (name === 'date') expect(new Date(attributes.value!).toISOString()).toBe(attributes.value);
        if (name === 'int') expect(attributes.value).toMatch(/^-?\d+$/);
      }
      for (const { attributes } of globals.children) expect(keys).toContain(attributes.key);
    }
  });

  it('is read back with the same events in the same order, also those of foreign cases', async () => {
    const path = join(dir, 'trail.xes');
    await writeFile(path, await written(CASES));
    const { rows } = await readLogFile(path);
    const { events } = await audit(CASES);
    expect(rows).toHaveLength(events.length);
    expect(rows.filter(row => row.caseId === 'case 9').map(row => row.activity)).toEqual([
      'record put',
      'Receive',
    ]);
    const receive = rows.find(row => row.activity === 'Receive')!;
    expect(receive.fields['time:timestamp']).toBe('2011-10-11T00:00:00.000Z');
    expect(receive.fields['phaseline:title']).toBe('A <b>form</b> & "more"\uFFFD');
    expect(receive.fields['phaseline:records']).toBe('recordPut-4');
  });
});

/** What OCEL 2.0 asks of the JSON form, from its metamodel: types declared, ids unique, references to what is there. */
function faultsOf(ocel: Ocel): string[] {
  const faults: string[] = [];
  const expectThat = (holds: boolean, what: string) => {
    if (!holds) faults.push(what);
  };
  const checkKeys = (value: object, keys: readonly string[], what: string) =>
    expectThat(
      Object.keys(value).sort().join() === [...keys].sort().join(),
      `${what} has ${Object.keys(value)}`,
    );
  checkKeys(ocel, ['objectTypes', 'eventTypes', 'objects', 'events'], 'the log');
  // values are texts, as the JSON Schema of the standard has them; they must read as their declared type
  const isOf = (type: string, value: unknown) =>
    typeof value === 'string' &&
    {
      string: true,
      boolean: /^(true|false)$/.test(value),
      integer: /^-?\d+$/.test(value),
      float: value !== '' && Number.isFinite(Number(value)),
    }[type] === true;
  const types = (list: Ocel['eventTypes'], what: string) => {
    expectThat(
      new Set(list.map(({ name }) => name)).size === list.length,
      `${what}: a type is declared twice`,
    );
    for (const type of list) checkKeys(type, ['name', 'attributes'], what);
    return new Map(
      list.map(({ name, attributes }) => [name, new Map(attributes.map(one => [one.name, one.type]))]),
    );
  };
  const [objectTypes, eventTypes] = [
    types(ocel.objectTypes, 'object type'),
    types(ocel.eventTypes, 'event type'),
  ];
  const objects = new Set(ocel.objects.map(({ id }) => id));
  expectThat(objects.size === ocel.objects.length, 'an object id stands there twice');
  expectThat(
    new Set(ocel.events.map(({ id }) => id)).size === ocel.events.length,
    'an event id stands there twice',
  );
  for (const [list, known] of [
    [ocel.objects, objectTypes],
    [ocel.events, eventTypes],
  ] as const) {
    for (const { id, type, attributes, relationships } of list) {
      const declared = known.get(type);
      expectThat(declared !== undefined, `${id}: type ${type} is not declared`);
      for (const { name, value } of attributes)
        expectThat(isOf(declared?.get(name) ?? '', value), `${id}: ${name}`);
      for (const relation of relationships) {
        checkKeys(relation, ['objectId', 'qualifier'], id);
        expectThat(objects.has(relation.objectId), `${id}: no object ${relation.objectId}`);
      }
    }
  }
  for (const { id, time } of ocel.events)
    expectThat(new Date(time).toISOString() === time, `${id}: time ${time}`);
  for (const { attributes } of ocel.objects)
    for (const one of attributes) expectThat('time' in one, 'no time');
  return faults;
}

describe('OCEL 2.0', () => {
  it('declares its types, has unique ids, and relates events to what is there', async () => {
    const ocel = ocelOf(await audit(CASES));
    expect(faultsOf(ocel)).toEqual([]);
    expect(faultsOf({ ...ocel, objects: ocel.objects.slice(1) })).not.toEqual([]);
    expect(faultsOf({ ...ocel, eventTypes: ocel.eventTypes.slice(1) })).not.toEqual([]);
    expect(ocel.objectTypes.map(({ name }) => name).sort()).toEqual([
      'case',
      'file',
      'member',
      'phase',
      'project',
      'record',
    ]);
    const handover = ocel.events.find(event => event.type === 'phase handover')!;
    expect(handover.relationships).toContainEqual({ objectId: 'phase:p1', qualifier: 'in' });
  });

  it('gives an attribute one type in all events of a type', async () => {
    const log = await audit();
    const events = log.events.map((event, index) => ({
      ...event,
      activity: 'same',
      attributes: { mixed: index % 2 === 0 ? index : 'text', flag: index === 0 },
    }));
    const ocel = ocelOf({ ...log, events });
    expect(faultsOf(ocel)).toEqual([]);
    expect(ocel.eventTypes).toMatchObject([
      { attributes: [{ type: 'string' }, { type: 'boolean' }, { type: 'string' }] },
    ]);
  });

  it('has the same in its XML form', async () => {
    const ocel = ocelOf(await audit(CASES));
    const log = parseXml([...ocelXmlOf(ocel)].join(''));
    expect(log.children.map(child => child.name)).toEqual([
      'object-types',
      'event-types',
      'objects',
      'events',
    ]);
    const [objectTypes, eventTypes, objects, events] = log.children as [Element, Element, Element, Element];
    const ids = (element: Element) =>
      element.children.map(child => child.attributes.id ?? child.attributes.name);
    expect(ids(objectTypes)).toEqual(ocel.objectTypes.map(type => type.name));
    expect(ids(eventTypes)).toEqual(ocel.eventTypes.map(type => type.name));
    expect(ids(objects)).toEqual(ocel.objects.map(object => object.id));
    expect(ids(events)).toEqual(ocel.events.map(event => event.id));
    const [first] = events.children;
    expect(first!.children.map(child => child.name)).toEqual(['attributes', 'objects']);
    expect(named(first!, 'objects')[0]!.children.map(({ attributes }) => attributes['object-id'])).toEqual(
      ocel.events[0]!.relationships.map(({ objectId }) => objectId),
    );
  });
});
