import type { AuditEvent, AuditLog, Value } from './audit.ts';
import { xmlText } from './xml.ts';

/** Types of attributes in OCEL 2.0. */
type AttributeType = 'string' | 'integer' | 'float' | 'boolean';

interface TypeDefinition {
  readonly name: string;
  readonly attributes: { readonly name: string; readonly type: AttributeType }[];
}

interface Relationship {
  readonly objectId: string;
  readonly qualifier: string;
}

interface OcelEvent {
  readonly id: string;
  readonly type: string;
  readonly time: string;
  /** Values are texts, whatever the declared type (the schema of the standard). */
  readonly attributes: { readonly name: string; readonly value: string }[];
  readonly relationships: Relationship[];
}

interface OcelObject {
  readonly id: string;
  readonly type: string;
  readonly attributes: { readonly name: string; readonly time: string; readonly value: string }[];
  readonly relationships: Relationship[];
}

/** The JSON form of the standard, as it is written. */
export interface Ocel {
  readonly objectTypes: TypeDefinition[];
  readonly eventTypes: TypeDefinition[];
  readonly objects: OcelObject[];
  readonly events: OcelEvent[];
}

const EPOCH = new Date(0).toISOString();

function typeOf(value: Value): AttributeType {
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'string') return 'string';
  return Number.isInteger(value) ? 'integer' : 'float';
}

/** Attributes have one type in all events of a type: where they differ they are texts. */
class Types {
  private readonly types = new Map<string, Map<string, AttributeType>>();

  note(type: string, attributes: Readonly<Record<string, Value>>): void {
    const known = this.types.get(type) ?? new Map<string, AttributeType>();
    this.types.set(type, known);
    for (const [name, value] of Object.entries(attributes)) {
      const found = typeOf(value);
      const before = known.get(name) ?? found;
      known.set(name, before === found ? found : 'string');
    }
  }

  definitions(): TypeDefinition[] {
    return [...this.types].map(([name, attributes]) => ({
      name,
      attributes: [...attributes].map(([attribute, type]) => ({ name: attribute, type })),
    }));
  }
}

class Objects {
  private readonly objects = new Map<string, OcelObject>();

  add(id: string, type: string, label: string | null, relationships: Relationship[] = []): void {
    if (this.objects.has(id)) return;
    const attributes = label === null ? [] : [{ name: 'label', time: EPOCH, value: label }];
    this.objects.set(id, { id, type, attributes, relationships });
  }

  all(): OcelObject[] {
    return [...this.objects.values()];
  }
}

/** Ids of objects say their type: a member and a case may have one name. */
const idOf = (type: string, id: string) => `${type}:${id}`;

function relationsOf(event: AuditEvent): [type: string, id: string, qualifier: string][] {
  return [
    ['project', event.project, 'project'],
    ['member', event.member, 'by'],
    ...(event.phase === null ? [] : [['phase', event.phase, 'in'] as [string, string, string]]),
    ...(event.caseId === null ? [] : [['case', event.caseId, 'of'] as [string, string, string]]),
    ...event.records.map((id): [string, string, string] => ['record', id, 'record']),
    ...event.files.map((cid): [string, string, string] => ['file', cid, 'file']),
    ...event.concerns.map((id): [string, string, string] => ['member', id, 'concerns']),
  ];
}

/** An audit trail as OCEL 2.0: events related to project, phases, records, files, members and cases. */
export function ocelOf(log: AuditLog): Ocel {
  const objects = new Objects();
  const types = new Types();
  objects.add(idOf('project', log.project.id), 'project', log.project.label);
  for (const { id, label } of log.phases) {
    const part = [{ objectId: idOf('project', log.project.id), qualifier: 'part of' }];
    objects.add(idOf('phase', id), 'phase', label, part);
  }
  for (const event of log.events) {
    const { activity, attributes, refused } = event;
    types.note(activity, { ...attributes, refused: refused ?? '' });
    for (const [type, id] of relationsOf(event)) objects.add(idOf(type, id), type, null);
  }
  const events = log.events.map(event => {
    const { activity: type, refused } = event;
    const attributes = Object.entries({ ...event.attributes, refused: refused ?? '' });
    return {
      id: event.id,
      type,
      time: new Date(event.timeMs).toISOString(),
      attributes: attributes.map(([name, value]) => ({ name, value: String(value) })),
      relationships: relationsOf(event).map(([kind, id, qualifier]) => ({
        objectId: idOf(kind, id),
        qualifier,
      })),
    };
  });
  const labelled = new Set(['project', 'phase']);
  const objectTypes = [...new Set(objects.all().map(({ type }) => type))].map((name): TypeDefinition => {
    return { name, attributes: labelled.has(name) ? [{ name: 'label', type: 'string' }] : [] };
  });
  return { objectTypes, eventTypes: types.definitions(), objects: objects.all(), events };
}

const attr = (name: string, value: string) => `${name}="${xmlText(value)}"`;

function* typesXml(
  plural: string,
  singular: string,
  definitions: readonly TypeDefinition[],
): Generator<string> {
  yield `  <${plural}>\n`;
  for (const { name, attributes } of definitions) {
    const inside = attributes.map(one => `<attribute ${attr('name', one.name)} ${attr('type', one.type)}/>`);
    yield `    <${singular} ${attr('name', name)}><attributes>${inside.join('')}</attributes></${singular}>\n`;
  }
  yield `  </${plural}>\n`;
}

function relationsXml(relationships: readonly Relationship[]): string {
  const inside = relationships.map(
    one => `<relationship ${attr('object-id', one.objectId)} ${attr('qualifier', one.qualifier)}/>`,
  );
  return `<objects>${inside.join('')}</objects>`;
}

/** The XML form of the standard, piece by piece. */
export function* ocelXmlOf(ocel: Ocel): Generator<string> {
  yield '<?xml version="1.0" encoding="UTF-8"?>\n<log>\n';
  yield* typesXml('object-types', 'object-type', ocel.objectTypes);
  yield* typesXml('event-types', 'event-type', ocel.eventTypes);
  yield '  <objects>\n';
  for (const { id, type, attributes, relationships } of ocel.objects) {
    const inside = attributes.map(
      one =>
        `<attribute ${attr('name', one.name)} ${attr('time', one.time)}>${xmlText(one.value)}</attribute>`,
    );
    yield `    <object ${attr('id', id)} ${attr('type', type)}><attributes>${inside.join('')}</attributes>`;
    yield `${relationsXml(relationships)}</object>\n`;
  }
  yield '  </objects>\n  <events>\n';
  for (const { id, type, time, attributes, relationships } of ocel.events) {
    const inside = attributes.map(
      one => `<attribute ${attr('name', one.name)}>${xmlText(one.value)}</attribute>`,
    );
    yield `    <event ${attr('id', id)} ${attr('type', type)} ${attr('time', time)}>`;
    yield `<attributes>${inside.join('')}</attributes>${relationsXml(relationships)}</event>\n`;
  }
  yield '  </events>\n</log>\n';
}
