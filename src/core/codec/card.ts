import { utf8, utf8Decode } from '../base/bytes.ts';
import type {
  CardCiphertext,
  PhaseCard,
  PhaseCardChange,
  ProjectCard,
  ProjectCardChange,
  SealedCard,
} from '../types/card.ts';
import { LIMITS } from '../types/limits.ts';
import { contentCodec, readOptional, readWrappedKey, writeOptional, writeWrappedKey } from './content.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

const VERSION = 1;

export function writeSealedCard(writer: Writer, card: SealedCard): void {
  writer.u32(card.epoch).bytes(card.bytes);
}

export function readSealedCard(reader: Reader): SealedCard {
  return { epoch: reader.u32(), bytes: reader.bytes(LIMITS.cardBytes) };
}

export const { encode: encodeProjectCardChange, decode: decodeProjectCardChange } =
  contentCodec<ProjectCardChange>(
    'project card',
    (writer, content) => {
      writer.hash(content.project).u64(content.expectedVersion);
      writeOptional(writer, content.phase, (out, phase) => out.hash(phase));
      writer.bytes(content.card);
    },
    reader => ({
      project: reader.hash(),
      expectedVersion: reader.u64(),
      phase: readOptional(reader, from => from.hash()),
      card: reader.bytes(LIMITS.projectCardBytes),
    }),
  );

export const { encode: encodePhaseCardChange, decode: decodePhaseCardChange } = contentCodec<PhaseCardChange>(
  'phase card',
  (writer, content) => {
    writer.hash(content.phase).u64(content.expectedMembershipVersion);
    writeSealedCard(writer, content.card);
  },
  reader => ({
    phase: reader.hash(),
    expectedMembershipVersion: reader.u64(),
    card: readSealedCard(reader),
  }),
);

/** `SealedCard.bytes`. The ledger takes any bytes: it could not open them anyway. */
export const { encode: encodeCardCiphertext, decode: decodeCardCiphertext } = contentCodec<CardCiphertext>(
  'sealed card',
  (writer, card) => {
    writer.hash(card.keyCommitment);
    writeWrappedKey(writer, card.wrappedKey);
    writer.bytes(card.payload);
  },
  reader => ({
    keyCommitment: reader.hash(),
    wrappedKey: readWrappedKey(reader),
    payload: reader.bytes(LIMITS.cardBytes),
  }),
);

/** The JSON that is sealed. */
export function encodeCard(card: PhaseCard | ProjectCard): Uint8Array {
  return utf8(JSON.stringify({ v: VERSION, ...card }));
}

function parse(plaintext: Uint8Array): Record<string, unknown> | null {
  const text = utf8Decode(plaintext);
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('v' in value) || value.v !== VERSION) return null;
    return value as Record<string, unknown>;
  } catch {
    return null;
  }
}

function isLabel(value: unknown): value is string {
  return typeof value === 'string' && utf8(value).length <= LIMITS.labelBytes;
}

/** Null when a card says something else than this version of the program understands. */
export function decodeProjectCard(plaintext: Uint8Array): ProjectCard | null {
  const value = parse(plaintext);
  return value !== null && isLabel(value['label']) ? { label: value['label'] } : null;
}

/** Null when a card says something else than this version of the program understands. */
export function decodePhaseCard(plaintext: Uint8Array): PhaseCard | null {
  const value = parse(plaintext);
  if (value === null) return null;
  const { label, project, recordTypes } = value;
  if (!isLabel(label) || !isLabel(project) || !Array.isArray(recordTypes)) return null;
  const types: { name: string; schema: unknown }[] = [];
  for (const type of recordTypes as unknown[]) {
    if (typeof type !== 'object' || type === null || !('name' in type) || !('schema' in type)) return null;
    if (!isLabel(type.name)) return null;
    types.push({ name: type.name, schema: type.schema });
  }
  return { label, project, recordTypes: types };
}
