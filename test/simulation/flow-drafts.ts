import { bridged } from '../../src/core/access/flow.ts';
import type { LogId, PhaseId, ProjectId } from '../../src/core/base/ids.ts';
import { isReject } from '../../src/core/base/reject.ts';
import { encodePhaseCardChange, encodeProjectCardChange } from '../../src/core/codec/card.ts';
import * as flow from '../../src/core/codec/flow.ts';
import * as handovers from '../../src/core/codec/handover.ts';
import { encodePhaseLifecycle } from '../../src/core/codec/operation.ts';
import { decodeLeaf } from '../../src/core/codec/transaction.ts';
import { readPhase, readProject } from '../../src/core/ledger/read.ts';
import { treeRoot } from '../../src/core/merkle/log.ts';
import type { Deed, PhasePolicy } from '../../src/core/types/flow.ts';
import { type HandoverItem, KINDS } from '../../src/core/types/operation.ts';
import type { StateView } from '../../src/core/types/state.ts';
import type { ChainStore } from '../../src/ports/chain-store.ts';
import { type Actor, bytesOf } from './consortium.ts';
import type { Draft, Drafts } from './drafts.ts';
import { decodeTransaction } from './shared-work.ts';
import { simulatedSuite as suite } from './suite.ts';

/** What a client reads of a node. */
export type Readable = Pick<ChainStore, 'state' | 'leaves' | 'transaction'>;

/** Leaves of a log that a client looks through for records. */
const LOOKED_AT_MAX = 400;

/** Transactions that change how phases follow each other, what they ask for, and what one hands to the next. */
export class FlowDrafts {
  private made = 0;

  constructor(private readonly drafts: Drafts) {}

  private inPhase(
    by: Actor,
    kind: 'phasePolicy' | 'approvalRequest' | 'approvalVote' | 'approvalWithdraw' | 'phaseCard',
    phase: PhaseId,
    content: Uint8Array,
    until: number,
  ): Draft {
    return this.drafts.sign(by, kind, until, [this.phaseLog(phase)], [{ scope: 0, content }]);
  }

  private phaseLog(phase: PhaseId): LogId {
    return this.drafts.consortium.logId('phase', phase);
  }

  /** @param after what comes before the phase from then on */
  rewire(
    state: StateView,
    by: Actor,
    project: ProjectId,
    phase: PhaseId,
    after: readonly PhaseId[],
    until: number,
  ): Draft {
    const known = readProject(state, project);
    const before = known?.phases.find(({ id }) => id === phase)?.predecessors ?? [];
    const expectedVersion = known?.version ?? 0;
    const content = flow.encodeFlowChange({ project, expectedVersion, changes: [{ phase, before, after }] });
    const scopes = [this.drafts.consortium.logId('project', project)];
    return this.drafts.sign(by, 'flowChange', until, scopes, [{ scope: 0, content }]);
  }

  skip(state: StateView, by: Actor, project: ProjectId, phase: PhaseId, until: number): Draft | null {
    const known = readProject(state, project);
    if (known === null || !known.phases.some(({ id }) => id === phase)) return null;
    const inProject = flow.encodePhaseSkipProject({
      ...{ project, expectedVersion: known.version, phase },
      changes: bridged(known.phases, phase),
    });
    const expectedVersion = readPhase(state, phase)?.version ?? 0;
    const scopes = [this.drafts.consortium.logId('project', project), this.phaseLog(phase)];
    return this.drafts.sign(by, 'phaseSkip', until, scopes, [
      { scope: 0, content: inProject },
      { scope: 1, content: encodePhaseLifecycle({ phase, expectedVersion }) },
    ]);
  }

  policy(
    state: StateView,
    by: Actor,
    phase: PhaseId,
    change: Partial<PhasePolicy>,
    until: number,
  ): Draft | null {
    const known = readPhase(state, phase);
    if (known === null) return null;
    const { version: expectedVersion, policy: before } = known;
    const after = { ...before, ...change };
    const content = flow.encodePhasePolicyChange({ phase, expectedVersion, before, after });
    return this.inPhase(by, 'phasePolicy', phase, content, until);
  }

  request(state: StateView, by: Actor, phase: PhaseId, deed: Deed, until: number): Draft | null {
    const known = readPhase(state, phase);
    if (known === null) return null;
    const { version: expectedVersion, membershipVersion: expectedMembershipVersion } = known;
    const versions = { expectedVersion, expectedMembershipVersion };
    const content = flow.encodeApprovalRequest({ phase, ...versions, expiresHeight: until, deed });
    return this.inPhase(by, 'approvalRequest', phase, content, until);
  }

  vote(by: Actor, phase: PhaseId, request: number, approve: boolean, until: number): Draft {
    const content = flow.encodeApprovalVote({ phase, request, approve });
    return this.inPhase(by, 'approvalVote', phase, content, until);
  }

  withdraw(by: Actor, phase: PhaseId, request: number, until: number): Draft {
    const content = flow.encodeApprovalWithdraw({ phase, request });
    return this.inPhase(by, 'approvalWithdraw', phase, content, until);
  }

  phaseCard(state: StateView, by: Actor, phase: PhaseId, until: number): Draft | null {
    const known = readPhase(state, phase);
    if (known === null) return null;
    const card = { epoch: known.epochs.length - 1, bytes: bytesOf(`card ${until}`, 90) };
    const content = encodePhaseCardChange({
      ...{ phase, expectedMembershipVersion: known.membershipVersion, card },
    });
    return this.inPhase(by, 'phaseCard', phase, content, until);
  }

  projectCard(state: StateView, by: Actor, project: ProjectId, until: number): Draft {
    const expectedVersion = readProject(state, project)?.version ?? 0;
    const card = bytesOf(`project card ${until}`, 90);
    const content = encodeProjectCardChange({ project, expectedVersion, phase: null, card });
    const scopes = [this.drafts.consortium.logId('project', project)];
    return this.drafts.sign(by, 'projectCard', until, scopes, [{ scope: 0, content }]);
  }

  /** Records that were written in the source; null where this node has none of them whole. @param most records at most */
  handover(
    store: Readable,
    by: Actor,
    source: PhaseId,
    target: PhaseId,
    most: number,
    until: number,
  ): Draft | null {
    const items = this.items(store, source).slice(-most);
    if (items.length === 0) return null;
    const epoch = readPhase(store.state, target)?.epochs.at(-1)?.number ?? 0;
    const { sha256 } = suite;
    const hashes = items.map(({ item }) => handovers.handoverItemHash(sha256, item.salt, item, []));
    const records = items.map(({ item, id }) => ({ position: item.position, item: null, id }));
    const itemsRoot = treeRoot(sha256, hashes);
    const contents = [
      handovers.encodePhaseHandoverSource({ phase: source, target, records }),
      handovers.encodePhaseHandoverTarget({
        ...{ phase: target, source, epoch, itemCount: items.length, itemsRoot },
      }),
      handovers.encodeHandoverItems(items.map(({ item }) => item)),
    ];
    const scopes = [this.phaseLog(source), this.phaseLog(target)];
    const parts = contents.map((content, at) => ({ scope: Math.min(at, 1), content }));
    return this.drafts.sign(by, 'phaseHandover', until, scopes, parts);
  }

  private items(store: Readable, source: PhaseId) {
    const leaves = store.leaves(this.phaseLog(source), 0, LOOKED_AT_MAX, LOOKED_AT_MAX);
    return leaves.flatMap(({ leaf, transactionId: id }, position) => {
      const item = this.item(store, leaf, id, position);
      return item === null ? [] : [{ item, id }];
    });
  }

  private item(store: Readable, leaf: Uint8Array, id: Draft['transaction']['id'], position: number) {
    const read = decodeLeaf(leaf);
    if (isReject(read) || read.outcome !== 0) return null;
    const wrapper = store.transaction(id);
    const transaction = wrapper === null ? null : decodeTransaction(suite.sha256, wrapper);
    if (transaction === null || isReject(transaction)) return null;
    if (transaction.body.kind !== KINDS.recordPut) return null;
    const { body, signature, batch, parts } = transaction.signed;
    const [meta, payload] = parts;
    if (meta === null || meta === undefined || payload === null || payload === undefined) return null;
    this.made += 1;
    const salt = bytesOf(`handed over ${this.made}`, 32);
    const wrappedKey = { mode: 'hpke', bytes: bytesOf('resealed', 113) } as const;
    const item: HandoverItem = {
      ...{ position, relay: null, salt, leaf, body, signature, batch, meta, payload, wrappedKey },
    };
    return item;
  }
}
