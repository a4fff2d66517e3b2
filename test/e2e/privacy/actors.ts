import { join } from 'node:path';
import { createClient } from '../../../src/client/client.ts';
import type { Hash, MemberId } from '../../../src/core/base/ids.ts';
import { systemRandom } from '../../../src/crypto/random.ts';
import { p256Signer } from '../../../src/crypto/signer.ts';
import { nodeSuite } from '../../../src/crypto/suite.ts';
import { LIGHT_PROTOCOL } from '../../../src/services/light-server/limits.ts';
import { lightRequestCodec } from '../../../src/wire/light.ts';
import type { Devnet } from '../support/devnet.ts';
import { until } from '../support/until.ts';
import {
  type Aims,
  askEverything,
  attackFiles,
  attackLog,
  attackValidators,
  downloadEverything,
  fetchLog,
  type LogItems,
} from './attacks.ts';
import { readDisk } from './disk.ts';
import { Hostile, keysOf, recordingPath, type Target } from './hostile.ts';
import { Material } from './material.ts';

export const VALIDATORS = ['node-1', 'node-2', 'node-3', 'node-4'];
const HOLDERS = ['alice', 'bob', 'manager'];

/** A network under attack, with what each actor got hold of. */
export class Scene {
  private readonly found = new Map<string, Material>();
  private readonly targets = new Map<string, Target>();
  private readonly frozen = new Set<string>();

  constructor(readonly devnet: Devnet) {}

  of(actor: string): Material {
    let material = this.found.get(actor);
    if (material === undefined) {
      material = new Material();
      this.found.set(actor, material);
    }
    return material;
  }

  dir(name: string): string {
    return join(this.devnet.dir, name);
  }

  async learnTargets(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const client = await this.devnet.client(name);
      const status = await client.call<{ peerId: string; addresses: string[] }>('node_status');
      this.targets.set(name, { name, peerId: status.peerId, addresses: status.addresses });
    }
  }

  target(name: string): Target {
    return this.targets.get(name)!;
  }

  /** A frozen process: its peers let go of it after a few heartbeats, and its keys can be used by another. */
  async freeze(...names: string[]): Promise<void> {
    for (const name of names) {
      process.kill(await this.devnet.pid(name), 'SIGSTOP');
      this.frozen.add(name);
    }
  }

  async thaw(): Promise<void> {
    for (const name of this.frozen) process.kill(await this.devnet.pid(name), 'SIGCONT');
    this.frozen.clear();
  }

  /** Its own node's RPC, with the token that its operator has. */
  async askOwnNode(actor: string, node: string, aims: Aims): Promise<void> {
    const client = await this.devnet.client(node);
    await askEverything(client, aims, this.of(actor));
    await downloadEverything(client, aims, this.of(actor));
  }

  /** Somebody without any key of the consortium, at every port of every node. */
  async outsider(actor: string, aims: Aims): Promise<void> {
    const material = this.of(actor);
    for (const name of [...VALIDATORS, ...HOLDERS]) {
      const { url } = await this.devnet.client(name);
      const client = createClient({ url });
      await askEverything(client, aims, material, true);
      await downloadEverything(client, aims, material);
      for (const path of ['metrics', 'readyz', 'healthz', '', 'console', 'openrpc.json']) {
        material.add(await (await fetch(`${url}/${path}`)).text());
      }
    }
    const hostile = await Hostile.start(systemRandom(32), material);
    for (const name of ['node-1', 'node-2']) {
      await attackLog(hostile, this.target(name), null, aims);
      await attackValidators(hostile, this.target(name), aims);
    }
    for (const name of ['alice', 'bob']) await attackFiles(hostile, this.target(name), aims);
    await hostile.stop();
  }

  /** One with the keys of a frozen node, who asks past every check of its own node. @param from first position asked for */
  async member(actor: string, name: string, aims: Aims, from: readonly number[]): Promise<boolean> {
    const material = this.of(actor);
    const { transport } = await keysOf(this.dir(name));
    const hostile = await Hostile.start(transport!, material);
    const isIn = await hostile.connect(this.target('node-1'), 30_000);
    for (const validator of VALIDATORS) {
      for (const position of from) {
        await attackLog(hostile, this.target(validator), name as MemberId, aims, position);
      }
    }
    for (const holder of HOLDERS) await attackFiles(hostile, this.target(holder), aims);
    for (const validator of VALIDATORS) await attackValidators(hostile, this.target(validator), aims);
    await hostile.stop();
    return isIn;
  }

  /**
   * Logs as a participant gets them, over a path on which somebody listens.
   * @param own a transaction of the participant, sent first
   */
  async overheard(
    listener: string,
    name: string,
    logIds: readonly Hash[],
    own: Uint8Array | null,
  ): Promise<LogItems[]> {
    const { transport } = await keysOf(this.dir(name));
    const hostile = await Hostile.start(transport!, new Material());
    const path = await recordingPath(this.target('node-2'), this.of(listener));
    if (!(await hostile.connect(path, 30_000))) throw new Error(`${name} was not let in`);
    if (own !== null) {
      const request = lightRequestCodec.encode({ kind: 'submit', transactions: [own] });
      await hostile.ask(path.peerId, LIGHT_PROTOCOL.id, request);
    }
    const logs: LogItems[] = [];
    for (const logId of logIds) {
      logs.push(await until('the log to be served', () => fetchLog(hostile, path, logId), 20_000));
    }
    await hostile.stop();
    return logs;
  }

  /** An administrator of another member, who adds itself to the phase through the management server. */
  async administrator(actor: string, name: string, aims: Aims): Promise<void> {
    const { devnet } = this;
    const [phase] = aims.phases;
    await devnet.ask('proposal', 'propose-administrators', `${name},manager`, '--threshold', '1');
    const { signing } = await keysOf(this.dir(name));
    const signer = p256Signer(signing!);
    const own = await devnet.client(name);
    const { chainId } = await own.call<{ chainId: Hash }>('node_status');
    const client = createClient({
      url: (await devnet.client('manager')).url,
      signer: {
        ...{ chainId, audience: 'manager' as MemberId, member: name as MemberId, keyId: 0 },
        ...{ sha256: nodeSuite.sha256, random: systemRandom, nowMs: () => Date.now() },
        sign: bytes => signer.sign(bytes),
      },
    });
    await until('the administrator to be one', async () => {
      await client.callSigned('manager_participantAdd', {
        ...{ phase, member: name, roles: ['reader'], grant: 'all' },
      });
      return true;
    });
    await until('its node to read the phase', () => own.call('phase_get', { phase }));
    await until('its node to have the files', async () => {
      const status = { phase: phase!, cid: null };
      const { files } = await own.call<{ files: { local: string }[] }>('file_status', status);
      return files.length > 0 && files.every(({ local }) => local === 'whole') ? true : null;
    }).catch(() => undefined);
    await this.askOwnNode(actor, name, aims);
  }

  /** What is left of a node that has stopped. */
  async disk(actor: string, name: string): Promise<void> {
    await readDisk(this.dir(name), this.of(actor));
  }
}
