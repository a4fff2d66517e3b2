import type { AuditEvent, AuditLog, Value } from './audit.ts';
import { xmlText } from './xml.ts';

/** The standard extensions that the events use (IEEE 1849-2016, clause 6). */
const EXTENSIONS = [
  ['Concept', 'concept', 'http://www.xes-standard.org/concept.xesext'],
  ['Time', 'time', 'http://www.xes-standard.org/time.xesext'],
  ['Organizational', 'org', 'http://www.xes-standard.org/org.xesext'],
  ['Lifecycle', 'lifecycle', 'http://www.xes-standard.org/lifecycle.xesext'],
] as const;

function attribute(indent: string, key: string, value: Value): string {
  const named = (type: string, text: string) =>
    `${indent}<${type} key="${xmlText(key)}" value="${xmlText(text)}"/>\n`;
  if (typeof value === 'boolean') return named('boolean', String(value));
  if (typeof value === 'number') return named(Number.isInteger(value) ? 'int' : 'float', String(value));
  return named('string', value);
}

function date(indent: string, key: string, timeMs: number): string {
  return `${indent}<date key="${key}" value="${new Date(timeMs).toISOString()}"/>\n`;
}

function eventElement(event: AuditEvent): string {
  const indent = '      ';
  const own = Object.entries(event.attributes).map(([key, value]) =>
    attribute(indent, `phaseline:${key}`, value),
  );
  return [
    '    <event>\n',
    attribute(indent, 'concept:name', event.activity),
    attribute(indent, 'concept:instance', event.id),
    attribute(indent, 'org:resource', event.member),
    // 1849 has no name for an event that was refused: it happened, and had no effect.
    attribute(indent, 'lifecycle:transition', event.refused === null ? 'complete' : 'ate_abort'),
    date(indent, 'time:timestamp', event.timeMs),
    ...(event.phase === null ? [] : [attribute(indent, 'phaseline:phase', event.phase)]),
    ...(event.refused === null ? [] : [attribute(indent, 'phaseline:refused', event.refused)]),
    ...(event.records.length === 0 ? [] : [attribute(indent, 'phaseline:records', event.records.join(' '))]),
    ...(event.files.length === 0 ? [] : [attribute(indent, 'phaseline:files', event.files.join(' '))]),
    ...(event.concerns.length === 0
      ? []
      : [attribute(indent, 'phaseline:concerns', event.concerns.join(' '))]),
    ...own,
    '    </event>\n',
  ].join('');
}

interface Trace {
  readonly name: string;
  readonly attributes: string;
  readonly events: AuditEvent[];
}

/** A trace for each case of the records that name one, for each phase, and for what happened to the flow itself. */
function tracesOf(log: AuditLog): Trace[] {
  const labels = new Map(log.phases.map(({ id, label }) => [id, label] as const));
  const traces = new Map<string, Trace>();
  for (const event of log.events) {
    const { caseId, phase, project } = event;
    const key = caseId === null ? (phase ?? project) : `case ${caseId}`;
    let trace = traces.get(key);
    if (trace === undefined) {
      const name = caseId ?? (phase === null ? log.project.label : (labels.get(phase) ?? phase));
      const id = caseId === null ? attribute('    ', 'phaseline:id', key) : '';
      trace = { name, attributes: id, events: [] };
      traces.set(key, trace);
    }
    trace.events.push(event);
  }
  return [...traces.values()];
}

/** An audit trail as XES, IEEE 1849-2016, piece by piece. */
export function* xesOf(log: AuditLog): Generator<string> {
  yield '<?xml version="1.0" encoding="UTF-8"?>\n';
  yield '<log xes.version="1849-2016" xes.features="" xmlns="http://www.xes-standard.org/">\n';
  for (const [name, prefix, uri] of EXTENSIONS)
    yield `  <extension name="${name}" prefix="${prefix}" uri="${uri}"/>\n`;
  yield '  <global scope="trace">\n    <string key="concept:name" value=""/>\n  </global>\n';
  yield '  <global scope="event">\n    <string key="concept:name" value=""/>\n    <string key="org:resource" value=""/>\n';
  yield '    <string key="lifecycle:transition" value="complete"/>\n';
  yield '    <date key="time:timestamp" value="1970-01-01T00:00:00.000Z"/>\n  </global>\n';
  yield '  <classifier name="Activity" keys="concept:name"/>\n  <classifier name="Resource" keys="org:resource"/>\n';
  yield attribute('  ', 'concept:name', log.name);
  yield attribute('  ', 'lifecycle:model', 'standard');
  for (const { name, attributes, events } of tracesOf(log)) {
    yield `  <trace>\n${attribute('    ', 'concept:name', name)}${attributes}`;
    for (const event of events) yield eventElement(event);
    yield '  </trace>\n';
  }
  yield '</log>\n';
}
