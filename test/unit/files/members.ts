import { join } from 'node:path';
import { dataPaths } from '../../../src/config/node-config.ts';
import { fileCipher } from '../../../src/crypto/file-cipher.ts';
import { systemRandom } from '../../../src/crypto/random.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { PhaseFiles } from '../../../src/roles/member/phase-files.ts';
import { createRecordApi } from '../../../src/roles/member/record-api.ts';
import { Users } from '../../../src/roles/member/users.ts';
import type { FileInput, RecordApi } from '../../../src/rpc/api.ts';
import { FileService } from '../../../src/services/files/file-service.ts';
import type { Records } from '../../../src/services/records/service.ts';
import { carFormat } from '../../../src/store/car.ts';
import { FileBlobStore } from '../../../src/store/file-blob-store.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import { UnixFsDag } from '../../../src/store/unixfs.ts';
import { MemoryNetwork, type MemoryTransport } from '../../support/memory-transport.ts';
import { type MemoryAccess, World } from '../records/support.ts';
import { ManualClock } from './manual-clock.ts';
import { chunked } from './world.ts';

/** A member's records and files as its node wires them, over the real ledger in memory and without consensus nodes. */
export interface Member {
  readonly access: MemoryAccess;
  readonly records: Records;
  readonly phaseFiles: PhaseFiles;
  readonly files: FileService;
  readonly transport: MemoryTransport;
  readonly blobs: FileBlobStore;
  readonly api: RecordApi;
}

export class Members {
  readonly world: World;
  readonly network = new MemoryNetwork();
  readonly clock = new ManualClock();
  private readonly members: Member[] = [];

  constructor(
    private readonly root: string,
    names: readonly string[],
  ) {
    this.world = new World(names);
  }

  async add(name: string): Promise<Member> {
    const { world, network, clock } = this;
    const access = world.access(name);
    const records = world.records(name, access);
    const { id } = world.actor(name);
    const { sha256 } = nodeSuite;
    const phaseFiles = new PhaseFiles(access, records, sha256, id, silentLogger);
    const transport = network.create({ peerId: `peer-of-${name}` });
    const blobs = new FileBlobStore(join(this.root, name));
    const kv = new MemoryStore();
    const dag = new UnixFsDag(blobs);
    const shared = { sha256, logger: silentLogger, car: carFormat, random: systemRandom };
    const ports = { blobs, dag, kv, transport, clock, ...shared };
    const files = new FileService({ ...ports, cipher: fileCipher, ledger: phaseFiles });
    await blobs.open();
    await kv.open();
    files.register();
    await transport.start();
    await phaseFiles.load();
    await files.start();
    const light = Object.assign(access, { onEvents: () => () => {} });
    const users = new Users(id, access, records, dataPaths(join(this.root, name)));
    const api = createRecordApi({ records, users, files, light });
    const member = { access, records, phaseFiles, files, transport, blobs, api };
    this.members.push(member);
    return member;
  }

  /** Every node hears of the new head. */
  async advance(): Promise<void> {
    const logs = this.world.phases.map(id => this.world.ledger.logId('phase', id));
    for (const { phaseFiles } of this.members) await phaseFiles.advance(logs);
  }

  async stop(): Promise<void> {
    for (const { files, transport } of this.members) {
      await files.stop();
      await transport.stop();
    }
  }
}

export const input = (name: string, content: Uint8Array | AsyncIterable<Uint8Array>): FileInput => ({
  name,
  mediaType: 'application/pdf',
  source: content instanceof Uint8Array ? chunked(content) : content,
  bytes: null,
});

export async function blocksOf(member: Member): Promise<string[]> {
  const cids: string[] = [];
  for await (const cid of member.blobs.list()) cids.push(cid);
  return cids.sort();
}
