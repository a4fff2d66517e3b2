import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readLogFile } from '../../../src/cli/import/read-log.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'phaseline-xes-'));
});
afterAll(() => rm(dir, { recursive: true }));

let files = 0;
async function read(text: string | Buffer) {
  files += 1;
  const path = join(dir, `${files}.xes`);
  await writeFile(path, text);
  return readLogFile(path);
}

const LOG = `\uFEFF<?xml version="1.0" encoding="UTF-8" ?>
<!-- written by hand -->
<log xes.version="1.0" xes.features="nested-attributes" xmlns="http://www.xes-standard.org/">
  <extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
  <global scope="event"><string key="concept:name" value="default"/></global>
  <classifier name="Activity" keys="concept:name"/>
  <string key="source" value="a log's own attribute"/>
  <trace>
    <string key="concept:name" value="case 1"/>
    <string key="channel" value="Desk &amp; post"/>
    <event>
      <string key="concept:name" value="Receive &lt;form&gt;"/>
      <string key="org:group" value="Group 1"/>
      <date key="time:timestamp" value="2011-10-11T13:45:40.276+02:00"/>
      <float key="cost:total" value="12.5"><string key="cost:currency" value="EUR"/></float>
      <list key="tags"><values><string key="tag" value="new"/></values></list>
    </event>
    <event><string key="concept:name" value="Check"/><string key="__proto__" value="x"/></event>
  </trace>
  <trace><string key="concept:name" value="case 2"/><event><string key="concept:name" value="Check"/></event></trace>
</log>
`;

describe('reading an event log in XES', () => {
  it('keeps every event with its case, its number, and the attributes of attributes', async () => {
    const { rows, sha256 } = await read(LOG);
    expect(rows.map(row => [row.line, row.caseId, row.activity, row.group])).toEqual([
      [1, 'case 1', 'Receive <form>', 'Group 1'],
      [2, 'case 1', 'Check', ''],
      [3, 'case 2', 'Check', ''],
    ]);
    expect(rows[0]!.fields).toEqual({
      'concept:name': 'Receive <form>',
      'org:group': 'Group 1',
      'time:timestamp': '2011-10-11T13:45:40.276+02:00',
      'cost:total': '12.5',
      'cost:total/cost:currency': 'EUR',
      'tags/tag': 'new',
      'case:concept:name': 'case 1',
      'case:channel': 'Desk & post',
    });
    expect(Object.keys(rows[1]!.fields)).toContain('__proto__');
    expect(Object.getPrototypeOf(rows[1]!.fields)).toBe(Object.prototype);
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it('reads the same whatever the chunks of the stream cut apart', async () => {
    const padding = `<!--${'é'.repeat(40_000)}-->`;
    const { rows } = await read(
      LOG.replace('<trace>', `${padding}<trace>`).replace('case 1', `case ${'ü'.repeat(30_000)}`),
    );
    expect(rows).toHaveLength(3);
    expect(rows[0]!.caseId).toBe(`case ${'ü'.repeat(30_000)}`);
  });

  it('[88] refuses every document type, so that no entity is ever expanded or fetched', async () => {
    const external = '<!DOCTYPE log [<!ENTITY x SYSTEM "file:///etc/passwd">]>';
    const bomb = '<!DOCTYPE log [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>';
    for (const type of [external, bomb]) {
      const text = LOG.replace('<!-- written by hand -->', type).replace('case 1', '&x;&b;');
      await expect(read(text)).rejects.toMatchObject({
        code: 'bad_xes',
        message: expect.stringMatching(/document type/),
      });
    }
    await expect(read(LOG.replace('case 1', '&passwd;'))).rejects.toThrow(/line 9: .*entity/);
  });

  it('is bounded in depth, attributes and values, and names the line', async () => {
    const event = (inside: string) => LOG.replace('<event>', `<event>${inside}`);
    const deep = `${'<list key="a">'.repeat(40)}${'</list>'.repeat(40)}`;
    await expect(read(event(deep))).rejects.toThrow(/line 11: elements are nested more than 32 deep/);
    const many = Array.from({ length: 300 }, (_, index) => `<int key="k${index}" value="1"/>`).join('');
    await expect(read(event(many))).rejects.toThrow(/more than 256 attributes/);
    await expect(read(event(`<string key="k" value="${'x'.repeat(70_000)}"/>`))).rejects.toThrow(
      /longer than 65536/,
    );
  });

  it('names what is missing or is no XES at all', async () => {
    await expect(read('<html><body/></html>')).rejects.toThrow(/line 1: <html> is no event log/);
    await expect(read('<log>')).rejects.toThrow(/line 1: unclosed tag: log/);
    await expect(read('<log></log>')).rejects.toThrow(/no event in it/);
    await expect(read('<log><event/></log>')).rejects.toThrow(/outside of every <trace>/);
    await expect(read('<log><trace><event/></trace></log>')).rejects.toThrow(
      /event 1: its trace has no concept:name/,
    );
    await expect(read(LOG.replace('"UTF-8"', '"ISO-8859-1"'))).rejects.toThrow(/encoding is ISO-8859-1/);
    await expect(read(Buffer.from('<log><string key="\xff"/></log>', 'latin1'))).rejects.toThrow(/not UTF-8/);
    await expect(readLogFile(join(dir, 'none.xes'))).rejects.toMatchObject({ code: 'no_file' });
  });

  it('tells CSV from XES by what is in the file', async () => {
    const { rows } = await read('case:concept:name,concept:name,org:group\nc1,Receive,g\n');
    expect(rows).toMatchObject([{ line: 2, caseId: 'c1' }]);
  });
});
