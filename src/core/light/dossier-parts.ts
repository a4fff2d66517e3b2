import { assert } from '../base/assert.ts';
import { type Hash, type LogId, ZERO_HASH } from '../base/ids.ts';
import { readCertificate, readHeader, writeCertificate, writeHeader } from '../codec/chain.ts';
import { readOptional, writeOptional } from '../codec/content.ts';
import type { Reader } from '../codec/reader.ts';
import type { Writer } from '../codec/writer.ts';
import { readMapProof, writeMapProof } from '../merkle/map.ts';
import type { CertifiedHeader } from '../types/chain.ts';
import type { ProvenEntry, RecordPlace } from './dossier.ts';

/** Twice the levels of a tree whose size is a safe integer. */
const PATH_MAX = 106;

/** The next set is spelled out only where it is another one. */
export function writeCertified(writer: Writer, { header, certificate }: CertifiedHeader): void {
  const { validatorSetHash, nextValidatorSetHash: next } = header;
  writeHeader(writer, header, to =>
    writeOptional(to, next === validatorSetHash ? null : next, (out, hash) => out.hash(hash)),
  );
  writeCertificate(writer, certificate);
}

export function readCertified(reader: Reader): CertifiedHeader {
  const header = readHeader(reader, present => {
    const next = readOptional(reader, from => from.hash());
    if (next === present) reader.fail('the header spells out the set that stays');
    return next ?? present;
  });
  return { header, certificate: readCertificate(reader) };
}

export function writePath(writer: Writer, path: readonly Hash[]): void {
  writer.list(path, (out, hash) => out.hash(hash));
}

export function readPath(reader: Reader): Hash[] {
  return reader.list(PATH_MAX, from => from.hash());
}

/** A map proof without its leaf: whoever knows the log and its entry makes that itself. */
export function writeSiblings(writer: Writer, siblings: readonly Hash[]): void {
  writeMapProof(writer, { siblings, leaf: null });
}

export function readSiblings(reader: Reader): readonly Hash[] {
  const { siblings, leaf } = readMapProof(reader);
  if (leaf !== null) reader.fail('the proof of an entry spells out its leaf');
  return siblings;
}

export function writeEntry(writer: Writer, { entry, siblings }: ProvenEntry): void {
  writer.u64(entry.size).hash(entry.root).hash(entry.digest);
  writeSiblings(writer, siblings);
}

export function readEntry(reader: Reader): ProvenEntry {
  const entry = { size: reader.u64(), root: reader.hash(), digest: reader.hash() };
  return { entry, siblings: readSiblings(reader) };
}

/** The logs of a file by number; places and claims name them so. */
export class LogNumbers {
  private readonly numbers: ReadonlyMap<LogId, number>;

  constructor(private readonly ids: readonly LogId[]) {
    this.numbers = new Map(ids.map((id, number) => [id, number]));
  }

  write(writer: Writer, logId: LogId): void {
    const number = this.numbers.get(logId);
    assert(number !== undefined, 'what a dossier says is of its own logs');
    writer.u32(number);
  }

  read(reader: Reader): LogId {
    const number = reader.u32();
    const id = this.ids[number];
    if (id === undefined) reader.fail(`there is no log ${number}`);
    return id ?? (ZERO_HASH as LogId);
  }
}

export function writePlace(writer: Writer, logs: LogNumbers, place: RecordPlace): void {
  logs.write(writer, place.logId);
  writer.u64(place.position);
  writeOptional(writer, place.item, (out, item) => out.u32(item));
}

export function readPlace(reader: Reader, logs: LogNumbers): RecordPlace {
  return {
    logId: logs.read(reader),
    position: reader.u64(),
    item: readOptional(reader, from => from.u32()),
  };
}
