import type { Hash, LogId } from '../base/ids.ts';
import { readCertificate, readHeader, writeCertificate, writeHeader } from '../codec/chain.ts';
import { readOptional, writeOptional } from '../codec/content.ts';
import type { Reader } from '../codec/reader.ts';
import type { Writer } from '../codec/writer.ts';
import { readMapProof, writeMapProof } from '../merkle/map.ts';
import type { CertifiedHeader } from '../types/chain.ts';
import type { ProvenEntry, RecordPlace } from './dossier.ts';

/** Twice the levels of a tree whose size is a safe integer. */
const PATH_MAX = 106;

export function writeCertified(writer: Writer, certified: CertifiedHeader): void {
  writeHeader(writer, certified.header);
  writeCertificate(writer, certified.certificate);
}

export function readCertified(reader: Reader): CertifiedHeader {
  return { header: readHeader(reader), certificate: readCertificate(reader) };
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

export function writePlace(writer: Writer, place: RecordPlace): void {
  writer.hash(place.logId).u64(place.position);
  writeOptional(writer, place.item, (out, item) => out.u32(item));
}

export function readPlace(reader: Reader): RecordPlace {
  return {
    logId: reader.hash() as LogId,
    position: reader.u64(),
    item: readOptional(reader, from => from.u32()),
  };
}
