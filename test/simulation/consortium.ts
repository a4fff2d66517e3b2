import { hash } from 'node:crypto';
import type { BlockHash, Hash, LogId, MemberId } from '../../src/core/base/ids.ts';
import type { ScopeKind } from '../../src/core/codec/state.ts';
import { logIdOf } from '../../src/core/codec/transaction.ts';
import { genesisBlock } from '../../src/core/ledger/genesis.ts';
import type { MemberCard } from '../../src/core/types/operation.ts';
import type { Genesis, Parameters } from '../../src/core/types/state.ts';
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

export function actorOf(id: string, keyId = 0): Actor {
  const name = `${id}/${keyId}`;
  const actor = actors.get(name) ?? makeActor(id, keyId);
  if (actors.size >= ACTORS_MAX) actors.clear();
  actors.set(name, actor);
  return actor;
}

function makeActor(id: string, keyId: number): Actor {
  const signer = simulatedSigner(`member ${id} ${keyId}`);
  const sealingKey = simulatedKey(`sealing ${id} ${keyId}`);
  const card = {
    id,
    name: `${id} Ltd`,
    signingKey: signer.publicKey,
    sealingKey,
    peerIds: [`peer-of-${id}`],
  };
  return { id: id as MemberId, keyId, signer, card: { ...card, id: id as MemberId } };
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
