import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { utf8, utf8Decode } from '../../core/base/bytes.ts';
import type { RecordType } from '../../core/types/card.ts';
import type { RecordContent } from './payload.ts';
import { type Refusal, refuse } from './refusal.ts';

/** Limits of what a participant may make all others compile and run. */
export const RECORD_TYPE_LIMITS = { types: 32, nameBytes: 128 } as const;
const SCHEMA_BYTES_MAX = 16 * 1024;
const SCHEMA_DEPTH_MAX = 16;
const SCHEMA_NODES_MAX = 1_000;
const COMPILED_MAX = 256;

/**
 * The keywords that a schema may use. `pattern`, `patternProperties` and `format` are not among them (a regular expression can
 * take for ever), nor `$ref` and its kin (schemas stand alone), nor `uniqueItems` (quadratic).
 */
const KEYWORDS: ReadonlySet<string> = new Set([
  ...['type', 'enum', 'const', 'title', 'description', 'default', 'examples'],
  ...['properties', 'required', 'additionalProperties', 'minProperties', 'maxProperties'],
  ...['items', 'prefixItems', 'minItems', 'maxItems'],
  ...['minLength', 'maxLength', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  ...['anyOf', 'allOf', 'oneOf', 'not'],
]);
const DIALECT = 'https://json-schema.org/draft/2020-12/schema';
const LISTS: ReadonlySet<string> = new Set(['anyOf', 'allOf', 'oneOf', 'prefixItems']);
const SINGLE: ReadonlySet<string> = new Set(['items', 'additionalProperties', 'not']);

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The schemas below a keyword, with where they stand. */
function below(path: string, keyword: string, value: unknown): [string, unknown][] {
  const at = `${path}/${keyword}`;
  if (keyword === 'properties' && isObject(value)) {
    return Object.entries(value).map(([name, schema]) => [`${at}/${name}`, schema]);
  }
  if (LISTS.has(keyword) && Array.isArray(value)) {
    return value.map((schema, index): [string, unknown] => [`${at}/${index}`, schema]);
  }
  return SINGLE.has(keyword) ? [[at, value]] : [];
}

/** The first thing that this program does not run in a schema; null when it may be compiled. */
function faultOfSchema(schema: unknown): string | null {
  const bytes = utf8(JSON.stringify(schema) ?? '').length;
  if (bytes > SCHEMA_BYTES_MAX) return `it has ${bytes} bytes, at most ${SCHEMA_BYTES_MAX}`;
  const open: { path: string; value: unknown; depth: number }[] = [{ path: '', value: schema, depth: 0 }];
  for (let count = 1; open.length > 0; count += 1) {
    const { path, value, depth } = open.pop()!;
    if (typeof value === 'boolean') continue;
    if (!isObject(value)) return `${path || '/'} is no schema`;
    if (depth > SCHEMA_DEPTH_MAX) return `${path} is deeper than ${SCHEMA_DEPTH_MAX}`;
    if (count > SCHEMA_NODES_MAX) return `it has more than ${SCHEMA_NODES_MAX} schemas in it`;
    for (const [keyword, inner] of Object.entries(value)) {
      if (keyword === '$schema' && path === '' && inner === DIALECT) continue;
      if (!KEYWORDS.has(keyword)) return `${path}/${keyword} is a keyword that is not supported`;
      for (const [at, next] of below(path, keyword, inner))
        open.push({ path: at, value: next, depth: depth + 1 });
    }
  }
  return null;
}

const compiled = new Map<string, ValidateFunction>();

/** @returns the reason when the schema does not compile */
function validatorOf(schema: unknown): ValidateFunction | string {
  const key = JSON.stringify(schema);
  const known = compiled.get(key);
  if (known !== undefined) return known;
  const fault = faultOfSchema(schema);
  if (fault !== null) return fault;
  try {
    const validate = new Ajv2020({ strict: true, allErrors: false, addUsedSchema: false }).compile(
      schema as Json,
    );
    if (compiled.size >= COMPILED_MAX) compiled.clear();
    compiled.set(key, validate);
    return validate;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Whether these types may be given to a phase: names once each, every schema within the limits. */
export function checkTypes(types: readonly RecordType[]): Refusal | null {
  const bad = (detail: string) =>
    refuse(
      'bad_record_type',
      detail,
      'Correct the schema: JSON Schema 2020-12 without $ref, pattern and format.',
    );
  if (types.length > RECORD_TYPE_LIMITS.types)
    return bad(`${types.length} record types, at most ${RECORD_TYPE_LIMITS.types}`);
  for (const [index, { name, schema }] of types.entries()) {
    const bytes = utf8(name).length;
    if (bytes === 0 || bytes > RECORD_TYPE_LIMITS.nameBytes)
      return bad(`the name of type ${index + 1} has ${bytes} bytes`);
    if (types.findIndex(type => type.name === name) !== index) return bad(`type "${name}" stands twice`);
    const validate = validatorOf(schema);
    if (typeof validate === 'string') return bad(`the schema of "${name}": ${validate}`);
  }
  return null;
}

/**
 * Why a record does not follow the types of its phase; null when it does, or when the phase has none.
 * @param content its data is JSON where its type has a schema
 */
export function typeFault(
  types: readonly RecordType[],
  { type, data }: Pick<RecordContent, 'type' | 'data'>,
): string | null {
  if (types.length === 0) return null;
  const found = types.find(({ name }) => name === type);
  if (found === undefined)
    return `"${type}" is none of its types: ${types.map(({ name }) => name).join(', ')}`;
  const validate = validatorOf(found.schema);
  if (typeof validate === 'string') return `the schema of "${type}" cannot be used: ${validate}`;
  let value: unknown;
  try {
    value = JSON.parse(utf8Decode(data) ?? '');
  } catch {
    return 'its data is not JSON';
  }
  if (validate(value)) return null;
  const [error] = validate.errors ?? [];
  return `${error?.instancePath || '/'} ${error?.message ?? 'does not fit'}`;
}

/** For who writes: nothing is sent that the others would mark. */
export function checkRecordType(
  types: readonly RecordType[],
  content: Pick<RecordContent, 'type' | 'data'>,
): Refusal | null {
  const fault = typeFault(types, content);
  if (fault === null) return null;
  return refuse(
    'wrong_record_type',
    `the record does not follow its type: ${fault}`,
    'phaseline phase types list PHASE shows the types.',
  );
}
