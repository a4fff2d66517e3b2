import type { Hash, LogId, MemberId, PhaseId, ProjectId } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { decodeCardCiphertext } from '../../../src/core/codec/card.ts';
import { kindName, LAYOUTS } from '../../../src/core/codec/operation.ts';
import { decodeTransaction } from '../../../src/core/codec/transaction.ts';
import type { Envelope, RecordMeta } from '../../../src/core/types/operation.ts';
import { p256Unsealer } from '../../../src/crypto/hpke.ts';
import type { KeyBundle } from '../../../src/crypto/keystore.ts';
import { phaseCrypto } from '../../../src/crypto/phase-crypto.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import type { EpochKeys } from '../../../src/ports/phase-crypto.ts';
import type { Unsealer } from '../../../src/ports/sealing.ts';
import type { Material } from './material.ts';

export interface Ciphertexts {
  readonly chainId: Hash;
  readonly project: ProjectId;
  readonly phase: PhaseId;
  readonly logId: LogId;
  /** Encoded transactions of the phase's log, whole, in order. */
  readonly transactions: readonly Uint8Array[];
}

/** Every P-256 key of a node as if it could open envelopes: old and retired ones, and those that are for signing. */
export function unsealersOf(keys: KeyBundle): Unsealer[] {
  const all = [keys.sealing, ...keys.retiredSealing, keys.signing, keys.consensus, keys.nextConsensus];
  return all.filter(key => key !== null).map(key => p256Unsealer(key));
}

function contentsOf(bytes: Uint8Array): readonly unknown[] {
  const transaction = decodeTransaction(nodeSuite.sha256, bytes);
  if (isReject(transaction)) return [];
  const { body, signed } = transaction;
  const kind = kindName(body.kind);
  if (kind === null) return [];
  const layout: readonly { decode(bytes: Uint8Array): unknown }[] = LAYOUTS[kind];
  // a log has the parts of its own scope only
  return signed.parts.map((part, index) => (part === null ? null : layout[index]!.decode(part.content)));
}

/** Everything in a value that looks like an envelope. */
function* envelopesIn(value: unknown): Generator<Envelope> {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return;
  if ('sealed' in value && 'keyId' in value) yield value as Envelope;
  for (const entry of Object.values(value)) yield* envelopesIn(entry);
}

function* cardsIn(value: unknown): Generator<Uint8Array> {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return;
  if ('card' in value) {
    const { card } = value;
    if (card instanceof Uint8Array) yield card;
    else if (typeof card === 'object' && card !== null && 'bytes' in card) yield card.bytes as Uint8Array;
  }
  for (const entry of Object.values(value)) yield* cardsIn(entry);
}

/** Opens what it can of a whole log with some keys, whatever the rules say of who may: keeps every plaintext. */
export async function openWith(
  unsealers: readonly Unsealer[],
  members: readonly MemberId[],
  given: Ciphertexts,
  material: Material,
): Promise<void> {
  const contents = given.transactions.map(contentsOf);
  const epochs = await openEnvelopes(unsealers, members, given, contents);
  for (const content of contents) {
    for (const card of cardsIn(content)) await openCard(unsealers, epochs, given, card, material);
    const [meta, payload] = content as readonly [RecordMeta | null | undefined, Uint8Array | undefined];
    if (!meta || !('wrappedKey' in meta) || !(payload instanceof Uint8Array)) continue;
    for (const keys of epochs) await openRecord(keys, given, meta, payload, material);
  }
}

async function openEnvelopes(
  unsealers: readonly Unsealer[],
  members: readonly MemberId[],
  { chainId, project, phase }: Ciphertexts,
  contents: readonly (readonly unknown[])[],
): Promise<EpochKeys[]> {
  const found = new Map<string, EpochKeys>();
  const versions = contents.length + 1;
  for (const envelope of envelopesIn(contents)) {
    for (const unsealer of unsealers) {
      for (const member of new Set([...members, envelope.member])) {
        for (let at = 0; at < versions * 8; at += 1) {
          const [epoch, membershipVersion] = [at % 8, Math.floor(at / 8)];
          const place = { chainId, project, phase, epoch, membershipVersion, member, keyId: envelope.keyId };
          const secrets = await phaseCrypto.openEnvelope(place, unsealer, envelope.sealed);
          for (const { secret } of secrets ?? []) {
            found.set(Buffer.from(secret).toString('hex'), phaseCrypto.deriveEpoch(secret));
          }
          if (secrets !== null) break;
        }
      }
    }
  }
  return [...found.values()];
}

async function openRecord(
  keys: EpochKeys,
  { chainId, phase, logId }: Ciphertexts,
  { epoch, keyCommitment, wrappedKey }: Pick<RecordMeta, 'epoch' | 'keyCommitment' | 'wrappedKey'>,
  payload: Uint8Array,
  material: Material,
): Promise<void> {
  const place = { chainId, phase, epoch, keyCommitment };
  const contentKey = await phaseCrypto.unwrapContentKey(keys, place, wrappedKey);
  if (contentKey === null) return;
  const plaintext = phaseCrypto.openPayload(contentKey, { logId, epoch, keyCommitment }, payload);
  if (plaintext !== null) material.add(plaintext);
}

async function openCard(
  unsealers: readonly Unsealer[],
  epochs: readonly EpochKeys[],
  given: Ciphertexts,
  card: Uint8Array,
  material: Material,
): Promise<void> {
  const { chainId, project, phase } = given;
  for (const unsealer of unsealers) {
    for (const id of [null, phase]) {
      const label = await phaseCrypto.openProjectCard({ chainId, project, phase: id }, unsealer, card);
      if (label !== null) material.add(label);
    }
  }
  const ciphertext = decodeCardCiphertext(card);
  if (isReject(ciphertext)) return;
  for (const keys of epochs) {
    for (let epoch = 0; epoch < 8; epoch += 1) {
      await openRecord(keys, given, { ...ciphertext, epoch }, ciphertext.payload, material);
    }
  }
}
