import { hash } from 'node:crypto';
import { ownKeyOf } from '../../src/core/access/member-keys.ts';
import type { BlockHash, Hash, LogId, MemberId } from '../../src/core/base/ids.ts';
import type { ScopeKind } from '../../src/core/codec/state.ts';
import { logIdOf } from '../../src/core/codec/transaction.ts';
import { genesisBlock } from '../../src/core/ledger/genesis.ts';
import { findMember } from '../../src/core/ledger/read.ts';
import type { MemberCard } from '../../src/core/types/operation.ts';
import type { Genesis, Parameters, SystemState } from '../../src/core/types/state.ts';
import type { Signer } from '../../src/ports/signer.ts';
import { KvChainStore } from '../../src/store/kv-chain-store.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import { simulatedKey, simulatedSigner, simulatedSuite as suite } from './suite.ts';

const { sha256 } = suite;

export function hashOf(text: string): Hash {
  return hash('sha256', text, 'hex') as Hash;
}

/** Bytes that stand for `text`, at most 32 of them different. */
export function bytesOf(text: string, length: number): Uint8Array {
  const digest = Buffer.from(hashOf(text), 'hex');
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index += 1) bytes[index] = digest[index % 32] as number;
  return bytes;
}

/** A consensus node as the consortium knows it. */
export interface Identity {
  readonly index: number;
  readonly name: string;
  readonly peerId: string;
  readonly signer: Signer;
}

export function identityOf(index: number, keyNumber = 0): Identity {
  const name = `n${index}`;
  const signer = simulatedSigner(keyNumber === 0 ? name : `${name}/${keyNumber}`);
  return { index, name, peerId: `peer-${name}`, signer };
}

/** A member with the key that it signs with now. */
export interface Actor {
  readonly id: MemberId;
  readonly keyId: number;
  readonly signer: Signer;
  readonly card: MemberCard;
}

const ACTORS_MAX = 1000;
const actors = new Map<string, Actor>();

/** @param number of its own keys, users' keys not counted */
export function actorOf(id: string, number = 0): Actor {
  const name = `${id}/${number}`;
  const actor = actors.get(name) ?? makeActor(id, number);
  if (actors.size >= ACTORS_MAX) actors.clear();
  actors.set(name, actor);
  return actor;
}

function makeActor(id: string, number: number): Actor {
  const signer = simulatedSigner(`member ${id} ${number}`);
  const sealingKey = simulatedKey(`sealing ${id} ${number}`);
  const card = {
    id,
    name: `${id} Ltd`,
    signingKey: signer.publicKey,
    sealingKey,
    peerIds: [`peer-of-${id}`],
  };
  return { id: id as MemberId, keyId: number, signer, card: { ...card, id: id as MemberId } };
}

/** Own keys of a member, those before among them; one when the state does not know it. */
export function ownKeyCount(system: SystemState, id: MemberId): number {
  return findMember(system, id)?.keys.filter(key => key.user === null).length ?? 1;
}

/** What is sealed to the member is sealed to this key. */
export function keyIdOf(system: SystemState, id: MemberId): number {
  const member = findMember(system, id);
  return member === null ? 0 : ownKeyOf(member).keyId;
}

/** As the state knows the member. */
export function actorIn(system: SystemState, id: MemberId): Actor {
  return { ...actorOf(id, ownKeyCount(system, id) - 1), keyId: keyIdOf(system, id) };
}

/** Where every chain of the simulation begins. */
export const EPOCH_MS = 1_800_000_000_000;

export interface Consortium {
  readonly genesis: Genesis;
  readonly chainId: Hash;
  readonly genesisHash: BlockHash;
  readonly administrators: readonly Actor[];
  readonly members: readonly Actor[];
  /** The database of a node that has applied genesis. */
  readonly image: ReadonlyMap<string, Uint8Array>;
  logId(scope: ScopeKind, id?: Hash): LogId;
}

export async function foundConsortium(
  validators: readonly Identity[],
  people: { readonly administrators: number; readonly threshold: number; readonly members: number },
  parameters: Parameters,
): Promise<Consortium> {
  const administrators = Array.from({ length: people.administrators }, (_, index) =>
    actorOf(`admin${index}`),
  );
  const members = Array.from({ length: people.members }, (_, index) => actorOf(`member${index}`));
  const cards = [...administrators, ...members].map(({ card }) => card);
  const genesis: Genesis = {
    name: 'simulated consortium',
    timeMs: EPOCH_MS - 1000,
    parameters,
    validators: validators.map(({ name, peerId, signer }) => ({ name, peerId, publicKey: signer.publicKey })),
    administrators: administrators.map(({ id }) => id),
    administratorThreshold: people.threshold,
    members: cards.sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
  const { block, hash, diff } = genesisBlock(suite, genesis);
  const kv = new MemoryStore();
  await kv.open();
  await new KvChainStore(kv).commit({ block, hash, certificate: null }, diff, []);
  const image = new Map<string, Uint8Array>();
  for await (const [key, value] of kv.entries({ from: '', to: '\uffff' })) image.set(key, value);
  const { chainId } = block.header;
  const logId = (scope: ScopeKind, id: Hash = chainId) => logIdOf(sha256, chainId, scope, id);
  return { genesis, chainId, genesisHash: hash, administrators, members, image, logId };
}
