import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataPaths } from '../../config/node-config.ts';
import { readPassphrase } from '../../config/passphrase.ts';
import { ownKeyOf } from '../../core/access/member-keys.ts';
import { assertDefined } from '../../core/base/assert.ts';
import { equalBytes } from '../../core/base/bytes.ts';
import { isMemberId, type MemberId, type PhaseId } from '../../core/base/ids.ts';
import { isReject, type Reject } from '../../core/base/reject.ts';
import { findMember } from '../../core/ledger/index.ts';
import type { MemberCard } from '../../core/types/operation.ts';
import { generateSealingKey, p256Unsealer } from '../../crypto/hpke.ts';
import { createKeystore, openKeystore } from '../../crypto/keystore.ts';
import { phaseCrypto } from '../../crypto/phase-crypto.ts';
import { generateSigningKey, p256Signer } from '../../crypto/signer.ts';
import { nodeSuite } from '../../crypto/suite.ts';
import type { HostingApi } from '../../manager/api.ts';
import type { Service } from '../../ports/lifecycle.ts';
import type { Signer } from '../../ports/signer.ts';
import type { Committed } from '../../services/records/sender.ts';
import { Records } from '../../services/records/service.ts';
import type { MemberNode } from './member-node.ts';

interface Hosted {
  readonly records: Records;
  readonly signer: Signer;
  readonly sealingKey: Uint8Array;
}

/**
 * Members without a node of their own: this server makes and keeps their keys, one encrypted keystore each, and writes in
 * their name what the ledger lets it read as the owner.
 */
export class Hosting implements HostingApi, Service {
  private readonly members = new Map<MemberId, Hosted>();
  private passphrase = '';

  constructor(
    private readonly node: MemberNode,
    private readonly paths: DataPaths,
  ) {}

  async start(): Promise<void> {
    this.passphrase = await readPassphrase(process.env, this.paths.passphrase);
    const names = await readdir(this.paths.hostedKeys).catch(() => []);
    for (const name of names.map(file => file.replace(/\.json$/, ''))) {
      if (isMemberId(name)) await this.open(name);
    }
  }

  async stop(): Promise<void> {
    this.members.clear();
  }

  /** Keys are kept before they are registered; a member is hosted once the ledger has this server's key for it. */
  isHosted(member: MemberId): boolean {
    const known = this.members.get(member);
    const registered = findMember(this.node.light.system(), member);
    if (known === undefined || registered === null) return false;
    return equalBytes(ownKeyOf(registered).key.signingKey, known.signer.publicKey);
  }

  async host(member: MemberId, name: string): Promise<Committed | null | Reject> {
    if (this.isHosted(member)) return null;
    const known = this.members.get(member) ?? (await this.create(member));
    const { signer, sealingKey } = known;
    const card: MemberCard = {
      id: member,
      name,
      signingKey: signer.publicKey,
      sealingKey,
      peerIds: [],
    };
    return this.node.records.registerMember(card, this.node.records.proveCard(card, signer));
  }

  async putRecords(
    member: MemberId,
    phase: PhaseId,
    records: Parameters<HostingApi['putRecords']>[2],
  ): Promise<readonly (Committed | Reject)[]> {
    const hosted = assertDefined(this.members.get(member), 'records are put for hosted members');
    return Promise.all(
      records.map(async record => {
        const done = await hosted.records.putRecord({ ...record, phase, files: [], references: [] });
        return isReject(done)
          ? done
          : { id: done.id, height: done.height, timeMs: done.timeMs, position: done.position };
      }),
    );
  }

  private keystorePath(member: MemberId): string {
    return join(this.paths.hostedKeys, `${member}.json`);
  }

  private async create(member: MemberId): Promise<Hosted> {
    const keys = { signing: generateSigningKey(), sealing: generateSealingKey() };
    const bundle = { ...keys, retiredSealing: [], transport: null, consensus: null, nextConsensus: null };
    await createKeystore(this.keystorePath(member), this.passphrase, bundle);
    return this.keep(member, keys.signing, keys.sealing);
  }

  private async open(member: MemberId): Promise<Hosted> {
    const bundle = await openKeystore(this.keystorePath(member), this.passphrase);
    const signing = assertDefined(bundle.signing, 'a hosted member has a signing key');
    return this.keep(member, signing, assertDefined(bundle.sealing, 'a hosted member has a sealing key'));
  }

  private keep(member: MemberId, signing: Uint8Array, sealing: Uint8Array): Hosted {
    const signer = p256Signer(signing);
    const unsealer = p256Unsealer(sealing);
    const parts = { access: this.node.light, crypto: phaseCrypto, suite: nodeSuite };
    const records = new Records({ ...parts, member, signer, unsealers: [unsealer] });
    const hosted = { records, signer, sealingKey: unsealer.publicKey };
    this.members.set(member, hosted);
    return hosted;
  }
}
