import { filesConfigOf } from '../../config/files-config.ts';
import { assertDefined } from '../../core/base/assert.ts';
import type { LogId, MemberId } from '../../core/base/ids.ts';
import { logIdOf } from '../../core/codec/transaction.ts';
import type { Validator } from '../../core/types/chain.ts';
import type { MemberCard } from '../../core/types/operation.ts';
import { fileCipher } from '../../crypto/file-cipher.ts';
import { p256Unsealer } from '../../crypto/hpke.ts';
import { phaseCrypto } from '../../crypto/phase-crypto.ts';
import { systemRandom } from '../../crypto/random.ts';
import { p256Signer } from '../../crypto/signer.ts';
import { nodeSuite } from '../../crypto/suite.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { KeyValueStore } from '../../ports/kv.ts';
import type { Service } from '../../ports/lifecycle.ts';
import type { Signer } from '../../ports/signer.ts';
import type { PeerId, Transport } from '../../ports/transport.ts';
import { FileService } from '../../services/files/file-service.ts';
import { LightClient } from '../../services/light-client/light-client.ts';
import { rememberingSuite } from '../../services/pool/verified.ts';
import { Records } from '../../services/records/service.ts';
import { Steward } from '../../services/records/steward.ts';
import { carFormat } from '../../store/car.ts';
import { LevelStore } from '../../store/level-store.ts';
import { UnixFsDag } from '../../store/unixfs.ts';
import { systemClock } from '../../system/clock.ts';
import { createLibp2pTransport } from '../../transport/libp2p-transport.ts';
import { publicIdentity } from '../data-directory.ts';
import { type RoleInput, sequence } from '../node-role.ts';
import { createBlobStore, limitsOf, placeOf } from './blob-store.ts';
import { keepsEvidence } from './evidence.ts';
import { PeerLinks } from './peer-links.ts';
import { PhaseFiles } from './phase-files.ts';
import { Users } from './users.ts';

/** Signatures remembered as verified: a certificate's come with every receipt of its block, and again with the head. */
const VERIFIED_SIGNATURES_MAX = 65_536;

/** Everything that a node of one member is made of; the participant's and the manager's RPC stand on it. */
export interface MemberNode {
  readonly member: MemberId;
  readonly card: MemberCard;
  readonly signer: Signer;
  readonly transport: Transport;
  readonly light: LightClient;
  readonly records: Records;
  readonly users: Users;
  readonly phaseFiles: PhaseFiles;
  readonly files: FileService;
  /** True for peers that this node links to by itself: its consensus nodes, and the nodes that share a phase with it. */
  keeps(peer: PeerId): boolean;
  readonly service: Service;
}

/** Runs one task at a time; a call while it runs asks for one more run after it. */
function coalesced(work: () => Promise<void>, onError: (error: unknown) => void): () => void {
  let running = false;
  let again = false;
  const run = async () => {
    running = true;
    do {
      again = false;
      try {
        await work();
      } catch (error) {
        onError(error);
      }
    } while (again);
    running = false;
  };
  return () => {
    if (running) again = true;
    else void run();
  };
}

function validators(light: LightClient): readonly Validator[] {
  return light.system().validatorSet.validators;
}

async function createFiles(
  { paths, config, logger }: RoleInput,
  parts: { readonly kv: KeyValueStore; readonly transport: Transport; readonly ledger: PhaseFiles },
): Promise<{ readonly blobs: BlobStore; readonly files: FileService }> {
  const filesConfig = filesConfigOf(config);
  const blobs = await createBlobStore(filesConfig, paths, process.env);
  const files = new FileService({
    ...parts,
    ...{ blobs, dag: new UnixFsDag(blobs), car: carFormat, cipher: fileCipher },
    ...{ clock: systemClock, logger, random: systemRandom, sha256: nodeSuite.sha256 },
    ...{ limits: limitsOf(filesConfig), place: placeOf(filesConfig) },
  });
  return { blobs, files };
}

/** Null where the operator wants to open epochs, and to complain, by hand. */
function createSteward({ config, logger }: RoleInput, access: LightClient, records: Records): Steward | null {
  if (config.steward?.automatic === false) return null;
  const { custody } = records;
  return new Steward({ access, custody, member: config.name, clock: systemClock, logger });
}

/** @param fail called when the node can no longer do its work */
export async function createMemberNode(
  input: RoleInput,
  fail: (error: unknown) => void,
): Promise<MemberNode> {
  const { paths, config, genesis, keys, logger } = input;
  const seed = assertDefined(keys.transport, 'a node has a transport key');
  const signer = p256Signer(assertDefined(keys.signing, 'a member has a signing key'));
  const sealing = assertDefined(keys.sealing, 'a member has a sealing key');
  const { listen, peers } = config.network;
  const member = config.name;
  const identity = await publicIdentity(config.role, member, config.displayName ?? member, keys);
  const card = assertDefined(identity.role === 'consensus' ? null : identity.card, 'a member has a card');
  const clock = systemClock;
  const transport = await createLibp2pTransport({ privateKeySeed: seed, listen, logger, clock });
  const kv = new LevelStore(paths.state);
  const sources = peers.map(({ peerId, addresses }) => ({ peer: peerId, addresses }));
  const light = new LightClient({
    ...{ genesis, member, kv, transport, clock, logger, sources },
    suite: rememberingSuite(nodeSuite, VERIFIED_SIGNATURES_MAX),
    random: systemRandom,
    fail,
  });
  const unsealers = [sealing, ...keys.retiredSealing].map(key => p256Unsealer(key));
  const parts = { access: light, crypto: phaseCrypto, suite: nodeSuite };
  const records = new Records({ ...parts, member, signer, unsealers });
  const users = new Users(member, light, records, paths);
  const phaseFiles = new PhaseFiles(light, records, nodeSuite.sha256, member, logger);
  const { blobs, files } = await createFiles(input, { kv, transport, ledger: phaseFiles });
  const links = new PeerLinks(light, transport, member, clock);
  const steward = createSteward(input, light, records);
  light.register();
  files.register();
  transport.setGate(
    peer => validators(light).some(entry => entry.peerId === peer) || phaseFiles.memberOfPeer(peer) !== null,
  );
  const systemLog = logIdOf(nodeSuite.sha256, light.chainId, 'system', light.chainId);
  const changed = new Set<LogId>();
  const advance = coalesced(async () => {
    const logs = [...changed];
    changed.clear();
    if (logs.length === 0) return;
    await phaseFiles.advance(logs);
    await links.refresh();
    steward?.review();
  }, fail);
  light.onEvents({
    head: advance,
    updated: logId => {
      changed.add(logId);
      // who may be linked to stands in the system log only
      if (logId === systemLog) transport.recheckGate();
    },
  });
  const service = sequence([
    { start: () => kv.open(), stop: () => kv.close() },
    { start: () => blobs.open(), stop: () => blobs.close() },
    { start: () => transport.start(), stop: () => transport.stop() },
    light,
    keepsEvidence(light, paths, { logger, fail }),
    users,
    { start: () => phaseFiles.load(), stop: async () => {} },
    files,
    links,
    { start: async () => steward?.start(), stop: async () => steward?.stop() },
  ]);
  const keeps = (peer: PeerId) => peers.some(({ peerId }) => peerId === peer) || links.keeps(peer);
  return { member, card, signer, transport, light, records, users, phaseFiles, files, keeps, service };
}
