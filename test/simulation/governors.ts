import type { MemberId } from '../../src/core/base/ids.ts';
import {
  encodeProposalCreate,
  encodeProposalVote,
  encodeProposalWithdraw,
  validatorKeyBytes,
} from '../../src/core/codec/governance.ts';
import { readSystem } from '../../src/core/ledger/read.ts';
import type { Validator } from '../../src/core/types/chain.ts';
import type { Action } from '../../src/core/types/governance.ts';
import type { SystemState } from '../../src/core/types/state.ts';
import { faultsOf } from './checker-certificate.ts';
import { actorIn } from './consortium.ts';
import type { Drafts } from './drafts.ts';
import type { World } from './machine.ts';
import type { SimulatedNode } from './node.ts';

/** What the administrators act on. */
export interface Governed {
  /** Numbers of validators to bring the set to, one after the other. */
  readonly options: { readonly sizes?: readonly number[] };
  readonly nodes: readonly SimulatedNode[];
  /** Those of a set that are faulty, or have lost the votes of their key. */
  unable(validators: readonly Validator[]): readonly Validator[];
  readonly clients: {
    readonly drafts: Drafts;
    submit(kind: string, draft: ReturnType<Drafts['sign']>): void;
  };
}

const VALID_BLOCKS = 40;
/** No run comes that far: no program knows another version yet. */
const FAR_HEIGHT = 1_000_000_000;
const ADMINISTRATORS_MAX = 4;

/** Greatest values that are proposed; the window of ids grows by little, because pruning nodes keep that many blocks. */
const PARAMETERS_MAX = {
  blockTransactionsMax: 1000,
  viewTimeoutMs: 1000,
  windowBlocks: 64,
  replayWindowBlocks: 1000,
} as const;
const REPLAY_GROWTH_BLOCKS = 10;
const ACTIONS = [
  'validatorAdd',
  'validatorRemove',
  'validatorRekey',
  'parameters',
  'administrators',
  'protocolVersion',
];

export const GOVERNANCE_NAMES = [
  ...ACTIONS.flatMap(type => [`proposal: ${type}`, `carried out: ${type}`]),
  'carried out: replayWindowBlocks',
];
export const sizeName = (size: number) => `governed: a set of ${size} as planned`;

/** The administrators: they add, remove, replace and re-key validators and change parameters, by proposals and ballots. */
export class Governors {
  /** Proposals up to here are counted. */
  private counted = 0;
  private sizesReached = 0;

  constructor(
    private readonly world: World,
    private readonly governed: Governed,
  ) {}

  /** One of them does something; reads the state of a node that may be behind. */
  act(): void {
    const ready = this.governed.nodes.filter(node => node.isHonest && node.isReady);
    const node = ready.length === 0 ? null : this.world.random.pick(ready);
    if (node?.program === null || node?.program === undefined) return;
    try {
      const system = readSystem(node.program.store.state);
      this.count(system);
      const open = system.governance.proposals.filter(({ status }) => status === 'open');
      if (open.length > 0 && this.world.random.chance(0.8)) this.vote(system, node.height);
      else this.propose(system, node.height);
    } catch (error) {
      node.failed(error);
    }
  }

  private count({ governance, validatorSet }: SystemState): void {
    const { coverage } = this.world;
    for (const { number, status, actions } of governance.proposals) {
      // In the order of their numbers, so that none is counted twice; what is decided after a later one is not counted.
      if (number <= this.counted || status === 'open') continue;
      this.counted = number;
      if (status !== 'executed') continue;
      for (const action of actions) {
        coverage.hit(`carried out: ${action.type}`);
        if (action.type === 'parameters')
          for (const { name } of action.changes) coverage.hit(`carried out: ${name}`);
      }
    }
    const { sizes = [] } = this.governed.options;
    for (; sizes[this.sizesReached] === validatorSet.validators.length; this.sizesReached += 1)
      coverage.hit(sizeName(validatorSet.validators.length));
  }

  private submit(
    kind: 'proposalCreate' | 'proposalVote' | 'proposalWithdraw',
    by: MemberId,
    system: SystemState,
    height: number,
    content: Uint8Array,
  ): void {
    const { clients } = this.governed;
    const scopes = [clients.drafts.consortium.logId('system')];
    const actor = actorIn(system, by);
    const draft = clients.drafts.sign(actor, kind, height + VALID_BLOCKS, scopes, [{ scope: 0, content }]);
    clients.submit(kind, draft);
  }

  private vote(system: SystemState, height: number): void {
    const { random } = this.world;
    const open = system.governance.proposals.filter(({ status }) => status === 'open');
    const { number, proposer, ballots } = random.pick(open);
    if (random.chance(0.05)) {
      this.submit('proposalWithdraw', proposer, system, height, encodeProposalWithdraw({ proposal: number }));
      return;
    }
    const silent = system.administrators.filter(id => !ballots.some(({ member }) => member === id));
    if (silent.length === 0) return;
    const content = encodeProposalVote({ proposal: number, approve: random.chance(0.9) });
    this.submit('proposalVote', random.pick(silent), system, height, content);
  }

  private propose(system: SystemState, height: number): void {
    const { random } = this.world;
    const size = this.governed.options.sizes?.[this.sizesReached];
    if (size === undefined && random.chance(0.25)) {
      const dice = random.next();
      if (dice < 0.7) this.create(system, height, [this.newParameters(system)]);
      else if (dice < 0.9) this.create(system, height, [this.newAdministrators(system)]);
      else this.create(system, height, [newVersion(system)]);
      return;
    }
    const actions = size === undefined ? this.newValidators(system) : this.toSize(system, size);
    void actions.then(some => {
      if (some !== null) this.create(system, height, some);
    });
  }

  private create(system: SystemState, height: number, actions: readonly Action[]): void {
    const content = encodeProposalCreate({
      title: 'change',
      expiresHeight: height + VALID_BLOCKS,
      validatorSetId: system.validatorSet.id,
      actions,
    });
    for (const { type } of actions) this.world.coverage.hit(`proposal: ${type}`);
    this.submit('proposalCreate', this.world.random.pick(system.administrators), system, height, content);
  }

  private newParameters({ parameters }: SystemState): Action {
    const { random } = this.world;
    const name = random.pick(Object.keys(PARAMETERS_MAX) as (keyof typeof PARAMETERS_MAX)[]);
    const before = parameters[name];
    const grown = {
      blockTransactionsMax: random.between(before, 2 * before),
      viewTimeoutMs: random.between(before, 2 * before),
      windowBlocks: before * 2,
      replayWindowBlocks: before + random.between(1, REPLAY_GROWTH_BLOCKS),
    };
    return {
      type: 'parameters',
      changes: [{ name, before, after: Math.min(grown[name], PARAMETERS_MAX[name]) }],
    };
  }

  /** One comes or one goes, and another threshold may hold. */
  private newAdministrators(system: SystemState): Action {
    const { random } = this.world;
    const { administrators, administratorThreshold } = system;
    const others = system.members.filter(({ id, revoked }) => !revoked && !administrators.includes(id));
    const comes = others.length > 0 && administrators.length < ADMINISTRATORS_MAX && random.chance(0.6);
    const members = comes
      ? [...administrators, random.pick(others).id].sort()
      : random
          .shuffled(administrators)
          .slice(Math.min(1, administrators.length - 1))
          .sort();
    return {
      type: 'administrators',
      before: { members: administrators, threshold: administratorThreshold },
      after: { members, threshold: random.between(1, members.length) },
    };
  }

  /** Null where too few nodes are ready to come in. */
  private async toSize(system: SystemState, size: number): Promise<Action[] | null> {
    const { random } = this.world;
    const { validators } = system.validatorSet;
    if (validators.length > size) {
      const unable = this.governed.unable(validators);
      const able = random.shuffled(validators).filter(validator => !unable.includes(validator));
      const leaving = [...able, ...unable].slice(size);
      return leaving.map(({ name }) => ({ type: 'validatorRemove', name }));
    }
    const coming = random.shuffled(this.outside(validators)).slice(0, size - validators.length);
    if (validators.length + coming.length < size) return null;
    return Promise.all(coming.map(node => this.add(node)));
  }

  private outside(validators: readonly Validator[]): SimulatedNode[] {
    return this.governed.nodes.filter(
      node => node.isHonest && node.isReady && !validators.some(({ name }) => name === node.name),
    );
  }

  /** Some leave, some come, some get new keys; never more faulty ones than the next set tolerates. Null where that is so. */
  private async newValidators(system: SystemState): Promise<Action[] | null> {
    const { random } = this.world;
    const { validators } = system.validatorSet;
    const { nodes } = this.governed;
    const unable = new Set(this.governed.unable(validators).map(({ name }) => name));
    const leaving = new Set(
      random
        .shuffled(validators)
        .slice(0, random.between(0, Math.min(2, validators.length - 1)))
        .map(({ name }) => name),
    );
    const coming = random.shuffled(this.outside(validators)).slice(0, random.between(0, 3));
    const next = [
      ...validators.map(({ name }) => name).filter(name => !leaving.has(name)),
      ...coming.map(({ name }) => name),
    ];
    const bad = next.filter(name => unable.has(name)).length;
    const [before, after] = [faultsOf(validators.length), faultsOf(next.length)];
    if (next.length === 0 || bad > after || (before > 0 && after === 0)) return null;
    const actions: Action[] = [...leaving].map(name => ({ type: 'validatorRemove', name }));
    for (const node of coming) actions.push(await this.add(node));
    const staying = nodes.filter(
      node => node.isHonest && node.isReady && next.includes(node.name) && !coming.includes(node),
    );
    const silent = staying.filter(({ name }) => unable.has(name));
    const rekeyed = silent.length > 0 ? silent : staying;
    if (random.chance(0.4) && rekeyed.length > 0) actions.push(await this.rekey(random.pick(rekeyed)));
    return actions.length === 0 ? null : actions;
  }

  private async add(node: SimulatedNode): Promise<Action> {
    const { name, peerId } = node.options.identity;
    const signer = (await node.program?.signing.prepare()) ?? node.options.identity.signer;
    const validator = { name, publicKey: signer.publicKey, peerId };
    const proof = signer.sign(validatorKeyBytes(node.chainId as never, validator));
    return { type: 'validatorAdd', validator, addresses: [], proof };
  }

  private async rekey(node: SimulatedNode): Promise<Action> {
    const { name, peerId } = node.options.identity;
    const signer = (await node.program?.signing.prepare()) ?? node.options.identity.signer;
    const { publicKey } = signer;
    const proof = signer.sign(validatorKeyBytes(node.chainId as never, { name, publicKey, peerId }));
    return { type: 'validatorRekey', name, publicKey, proof };
  }
}

function newVersion({ governance: { protocolVersion, activation } }: SystemState): Action {
  const before = activation?.version ?? protocolVersion;
  return { type: 'protocolVersion', before, version: before + 1, height: FAR_HEIGHT };
}
