import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assert } from '../../../src/core/base/assert.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { writeFileReference } from '../../../src/core/codec/content.ts';
import { decodeRecordMeta } from '../../../src/core/codec/operation.ts';
import { decodeTransaction, encodeLeaf } from '../../../src/core/codec/transaction.ts';
import { Writer } from '../../../src/core/codec/writer.ts';
import { ROLES, type RoleName } from '../../../src/core/types/operation.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import type { Devnet } from '../support/devnet.ts';
import { until } from '../support/until.ts';
import type { LogItems } from './attacks.ts';
import type { Period } from './material.ts';

/** Nobody writes these words by accident. */
export const canary = (what: string) => `canary-${what}-${randomBytes(9).toString('hex')}`;

export interface Labels {
  readonly phase: string;
  readonly project: string;
}

/** What a record was made of, before anybody looked for it. */
export interface Told {
  readonly labels: Labels;
  readonly roles: readonly RoleName[];
  readonly record: string;
  readonly cid: string;
  readonly text: string;
  readonly fileText: string;
  readonly fileBytes: number;
}

export interface RecordAnswer {
  readonly id: string;
  readonly position: number;
  readonly content: { readonly files: readonly { readonly cid: string }[] } | null;
}

/** A record with a text and a file, each with a word of its own; `bob` has read it when this resolves. */
export async function writeRecord(
  devnet: Devnet,
  author: string,
  phase: string,
  labels: Labels,
  roles: readonly RoleName[],
): Promise<Told> {
  const [text, fileText] = [canary('text'), canary('file')];
  const noise = randomBytes(40_000 + (randomBytes(2).readUInt16BE() % 20_000));
  const file = Buffer.concat([noise, Buffer.from(fileText), noise]);
  const path = join(devnet.cwd, `${canary('name')}.bin`);
  writeFileSync(path, file);
  const put = ['record', 'put', '--phase', phase, '--text', text, '--file', path];
  const { id: record } = await devnet.ask<{ id: string }>('--as', author, ...put);
  const bob = await devnet.client('bob');
  const read = await until('bob to read the record', () =>
    bob.call<RecordAnswer>('record_get', { phase, record }),
  );
  const [{ cid } = { cid: '' }] = read.content!.files;
  return { labels, roles, record, cid, text, fileText, fileBytes: file.length };
}

/** The words and bytes that show that somebody knows of a record. @param items the phase's log, as a participant gets it */
export function periodOf(name: Period['name'], told: Told, items: LogItems): Period {
  const at = items.findIndex(({ leaf }) => leaf.transactionId === told.record);
  const { leaf, transaction } = items[at]!;
  const decoded = decodeTransaction(nodeSuite.sha256, transaction);
  assert(!isReject(decoded), 'a leaf has its transaction');
  const meta = decodeRecordMeta(decoded.signed.parts[0]!.content);
  assert(!isReject(meta), 'a record has its metadata');
  const reference = new Writer();
  writeFileReference(reference, meta.files[0]!);
  const bits = told.roles.reduce((sum, role) => sum | ROLES[role], 0);
  return {
    name,
    record: told.record,
    text: told.text,
    fileText: told.fileText,
    fileBytes: told.fileBytes,
    ciphertextBytes: meta.files[0]!.ciphertextBytes,
    phaseLabel: told.labels.phase,
    projectLabel: told.labels.project,
    roles: told.roles,
    leaf: encodeLeaf(leaf),
    body: decoded.signed.body,
    fileReference: reference.finish(),
    participant: new Writer().text('bob').u8(bits).u64(0).u32(0).finish(),
  };
}
