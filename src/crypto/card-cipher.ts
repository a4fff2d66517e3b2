import { ZERO_HASH } from '../core/base/ids.ts';
import { tagBytes } from '../core/codec/tags.ts';
import { Writer } from '../core/codec/writer.ts';
import type { ProjectCardContext } from '../ports/phase-crypto.ts';
import type { Unsealer } from '../ports/sealing.ts';
import { hpke } from './hpke.ts';
import { pad, unpad } from './padding.ts';

function cardInfo({ chainId, project, phase }: ProjectCardContext): Uint8Array {
  const writer = new Writer().raw(tagBytes('projectCard')).hash(chainId).hash(project);
  return writer.hash(phase ?? ZERO_HASH).finish();
}

/** @param ownerKey the owner's current sealing key, 33 bytes */
export function sealProjectCard(
  context: ProjectCardContext,
  ownerKey: Uint8Array,
  plaintext: Uint8Array,
): Promise<Uint8Array> {
  return hpke.seal(ownerKey, cardInfo(context), pad(plaintext));
}

/** Null when it was not sealed to this key for this place. */
export async function openProjectCard(
  context: ProjectCardContext,
  unsealer: Unsealer,
  sealed: Uint8Array,
): Promise<Uint8Array | null> {
  const padded = await unsealer.open(cardInfo(context), sealed);
  return padded === null ? null : unpad(padded);
}
