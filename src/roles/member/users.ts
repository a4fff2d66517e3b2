import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataPaths } from '../../config/node-config.ts';
import { assertDefined } from '../../core/base/assert.ts';
import { fromHex, toHex } from '../../core/base/bytes.ts';
import { type Hash, isHash, type MemberId, type UserId } from '../../core/base/ids.ts';
import { isReject } from '../../core/base/reject.ts';
import { memberUserBytes, userIdBytes } from '../../core/codec/member.ts';
import { findMember, genesisBlock } from '../../core/ledger/index.ts';
import type { Genesis } from '../../core/types/state.ts';
import { createKeystore, openKeystore } from '../../crypto/keystore.ts';
import { systemRandom } from '../../crypto/random.ts';
import { generateSigningKey, p256Signer } from '../../crypto/signer.ts';
import { nodeSuite } from '../../crypto/suite.ts';
import type { Service } from '../../ports/lifecycle.ts';
import type { Signer } from '../../ports/signer.ts';
import type { UserCredentials, UserKeySource, UsersApi, UserView } from '../../rpc/users-api.ts';
import type { LightClient } from '../../services/light-client/light-client.ts';
import type { RecordUser } from '../../services/records/payload.ts';
import { type Refusal, refuse } from '../../services/records/refusal.ts';
import type { Committed } from '../../services/records/sender.ts';
import type { Records, SignedRecords } from '../../services/records/service.ts';

const SALT_BYTES = 32;
const NO_OTHER_KEYS = {
  ...{ sealing: null, retiredSealing: [], transport: null, consensus: null, nextConsensus: null },
};

/** What signs for a call: the member's own key, or that of one of its users. */
export interface SigningRecords {
  readonly records: SignedRecords;
  /** Goes into the payload, where the participants of the phase read it. */
  readonly user: RecordUser | null;
}

/**
 * The users of this node's member. The chain has a hash of each name; the names are here, one file a user, and so are private
 * keys that were made here, each under its user's own passphrase, which is not kept.
 */
export class Users implements UsersApi, Service {
  private readonly names = new Map<UserId, RecordUser>();

  constructor(
    private readonly member: MemberId,
    private readonly light: Pick<LightClient, 'system' | 'chainId'>,
    private readonly records: Records,
    private readonly paths: DataPaths,
  ) {}

  async start(): Promise<void> {
    for (const file of await readdir(this.paths.users).catch(() => [])) {
      const id = file.replace(/\.json$/, '');
      if (isHash(id)) this.names.set(id, JSON.parse(await readFile(this.namePath(id), 'utf8')) as RecordUser);
    }
  }

  async stop(): Promise<void> {
    this.names.clear();
  }

  nameOf(user: UserId): string | null {
    return this.names.get(user)?.name ?? null;
  }

  async users(): Promise<readonly UserView[]> {
    const files = new Set(await readdir(this.paths.users).catch(() => []));
    const keys = findMember(this.light.system(), this.member)?.keys ?? [];
    return keys.flatMap(({ user, fromHeight, untilHeight }, keyId) => {
      if (user === null) return [];
      const kept = files.has(`${user}.keystore.json`) && untilHeight === 0;
      const ended = untilHeight === 0 ? null : untilHeight;
      return [{ user, name: this.nameOf(user), keyId, fromHeight, untilHeight: ended, kept }];
    });
  }

  async addUser(
    name: string,
    key: UserKeySource,
  ): Promise<(Committed & { readonly user: UserId }) | Refusal> {
    if (this.activeUser(name) !== null) {
      return refuse(
        'userExists',
        `there is a user "${name}" already`,
        'Revoke it first, or add another name.',
      );
    }
    const salt = toHex(systemRandom(SALT_BYTES)) as Hash;
    const user = nodeSuite.sha256(
      userIdBytes(this.member, name, assertDefined(fromHex(salt), 'salt is hex')),
    );
    const shown = await this.keyOf(user, key);
    await this.keepName(user, { name, salt });
    const done = await this.records.addUser({ user, ...shown });
    if (!isReject(done)) return { ...done, user };
    this.names.delete(user);
    await Promise.all([this.namePath(user), this.keystorePath(user)].map(path => rm(path, { force: true })));
    return done;
  }

  async revokeUser(name: string): Promise<(Committed & { readonly user: UserId }) | Refusal> {
    const user = this.activeUser(name);
    if (user === null) return this.unknown(name);
    const done = await this.records.revokeUser(user);
    if (isReject(done)) return done;
    await rm(this.keystorePath(user), { force: true });
    return { ...done, user };
  }

  /**
   * What signs as a user; as the member itself where none is named. The private key is open for one call.
   *
   * @throws OperatingError `wrong_passphrase`
   */
  async signing(credentials: UserCredentials | null): Promise<SigningRecords | Refusal> {
    if (credentials === null) return { records: this.records, user: null };
    const { name, passphrase } = credentials;
    const user = this.activeUser(name);
    if (user === null) return this.unknown(name);
    const { kept } = assertDefined(
      (await this.users()).findLast(entry => entry.user === user),
      'an active user has a key',
    );
    if (!kept) {
      const detail = `the private key of user "${name}" is not kept on this node`;
      return refuse('key_elsewhere', detail, 'Revoke the user, and add it with a key that is kept here.');
    }
    const { signing } = await openKeystore(this.keystorePath(user), passphrase);
    const signer = p256Signer(assertDefined(signing, 'a user has a signing key'));
    return { records: this.records.signedBy(signer), user: this.names.get(user)! };
  }

  private unknown(name: string): Refusal {
    const hint = 'phaseline member user list shows the users of this member.';
    return refuse('unknownUser', `there is no user "${name}" of ${this.member} with a valid key`, hint);
  }

  private activeUser(name: string): UserId | null {
    const keys = findMember(this.light.system(), this.member)?.keys ?? [];
    const active = keys.filter(key => key.untilHeight === 0 && key.user !== null);
    return active.find(({ user }) => user !== null && this.nameOf(user) === name)?.user ?? null;
  }

  private async keyOf(user: UserId, key: UserKeySource) {
    if ('signingKey' in key) return key;
    const signing = generateSigningKey();
    await createKeystore(this.keystorePath(user), key.passphrase, { signing, ...NO_OTHER_KEYS });
    return proveUserKey(this.light.chainId, this.member, p256Signer(signing));
  }

  private async keepName(user: UserId, name: RecordUser): Promise<void> {
    await mkdir(this.paths.users, { recursive: true, mode: 0o700 });
    await writeFile(this.namePath(user), JSON.stringify(name), { mode: 0o600, flag: 'wx', flush: true });
    this.names.set(user, name);
  }

  private namePath(user: UserId): string {
    return join(this.paths.users, `${user}.json`);
  }

  private keystorePath(user: UserId): string {
    return join(this.paths.users, `${user}.keystore.json`);
  }
}

/** A key that its user keeps, in a new file; what is printed of it, `member user add --key` takes. */
export async function makeUserKey(genesis: Genesis, member: MemberId, path: string, passphrase: string) {
  const signing = generateSigningKey();
  await createKeystore(path, passphrase, { signing, ...NO_OTHER_KEYS });
  const { chainId } = genesisBlock(nodeSuite, genesis).block.header;
  const { signingKey, proof } = proveUserKey(chainId, member, p256Signer(signing));
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  return { member, signingKey: text(signingKey), proof: text(proof) };
}

/** What registering a user's key takes: whoever asks holds it. */
export function proveUserKey(chainId: Hash, member: MemberId, signer: Signer) {
  const signingKey = signer.publicKey;
  return { signingKey, proof: signer.sign(memberUserBytes(chainId, member, signingKey)) };
}
