import type { ScopeValue } from '../access/apply.ts';
import type { LedgerReader } from '../access/rule.ts';
import { partakersOf } from '../access/standing.ts';
import { assertDefined } from '../base/assert.ts';
import type { Hash, LogId, MemberId, PhaseId, ProjectId, Sha256 } from '../base/ids.ts';
import {
  encodeCount,
  encodeLogRow,
  encodePhaseState,
  encodeProjectState,
  encodeScopeRef,
  encodeSystemState,
  type LogRow,
  mapKeyOf,
  mapValueOf,
  type ScopeKind,
  type ScopeRef,
  STATE_KEYS,
  scopeDigest,
} from '../codec/state.ts';
import { encodeLeaf, logIdOf } from '../codec/transaction.ts';
import { appendLeaves, EMPTY_FRONTIER, frontierRoot, leafHash } from '../merkle/log.ts';
import { mapUpdate } from '../merkle/map.ts';
import type { Diff, NewLeaf, PhaseState, ProjectState, StateView, SystemState } from '../types/state.ts';
import type { Leaf } from '../types/transaction.ts';
import {
  readLog,
  readMemberScope,
  readMemberScopeCount,
  readPhase,
  readProject,
  readSystem,
} from './read.ts';

/** A log that a block writes to: as it was, and the leaves that are new. */
interface OpenLog {
  readonly ref: ScopeRef;
  readonly before: LogRow | null;
  readonly added: Hash[];
}

/**
 * The state while one block is executed: reads through to the parent's, keeps what changes, decoded, and encodes each
 * changed value once at the end. A record changes only the row of its log.
 */
export class Workspace implements LedgerReader {
  private systemState: SystemState | null = null;
  private readonly projects = new Map<ProjectId, ProjectState>();
  private readonly phases = new Map<PhaseId, PhaseState>();
  private readonly changed = new Set<string>();
  private readonly logs = new Map<LogId, OpenLog>();
  private readonly logIds = new Map<string, LogId>();
  private readonly memberScopes = new Map<MemberId, ScopeRef[]>();
  private readonly leaves: NewLeaf[] = [];

  constructor(
    private readonly sha256: Sha256,
    private readonly view: StateView,
    readonly chainId: Hash,
  ) {}

  system(): SystemState {
    this.systemState ??= readSystem(this.view);
    return this.systemState;
  }

  project(id: ProjectId): ProjectState | null {
    return this.projects.get(id) ?? readProject(this.view, id);
  }

  phase(id: PhaseId): PhaseState | null {
    const known = this.phases.get(id);
    if (known !== undefined) return known;
    const read = readPhase(this.view, id);
    if (read !== null) this.phases.set(id, read);
    return read;
  }

  logIdOf(scope: ScopeKind, id: Hash): LogId {
    const key = `${scope}/${id}`;
    let logId = this.logIds.get(key);
    if (logId === undefined) {
      logId = logIdOf(this.sha256, this.chainId, scope, id);
      this.logIds.set(key, logId);
    }
    return logId;
  }

  logScope(logId: LogId): ScopeRef | null {
    return this.logs.get(logId)?.ref ?? readLog(this.view, logId);
  }

  leafHash(logId: LogId, position: number): Hash | null {
    const log = this.logs.get(logId);
    const size = log?.before?.size ?? 0;
    if (log !== undefined && position >= size) return log.added[position - size] ?? null;
    return this.view.leafHash(logId, position);
  }

  memberScopeCount(member: MemberId): number {
    return readMemberScopeCount(this.view, member) + (this.memberScopes.get(member)?.length ?? 0);
  }

  /** Projects and phases that the member ever had a part in, oldest first. */
  *scopesOf(member: MemberId): Generator<ScopeRef> {
    const count = readMemberScopeCount(this.view, member);
    for (let index = 0; index < count; index += 1) yield readMemberScope(this.view, member, index);
    yield* this.memberScopes.get(member) ?? [];
  }

  value(ref: ScopeRef): ScopeValue {
    if (ref.scope === 'system') return { scope: 'system', state: this.system() };
    if (ref.scope === 'project') return { scope: 'project', state: this.project(ref.id) };
    return { scope: 'phase', state: this.phase(ref.id) };
  }

  setValue(ref: ScopeRef, value: ScopeValue): void {
    const { scope, state } = value;
    if (state === null || state === this.value(ref).state) return;
    if (scope === 'system') this.systemState = state;
    else if (scope === 'project') this.setProject(state);
    else this.setPhase(state);
    this.changed.add(`${scope}/${ref.id}`);
  }

  private setProject(project: ProjectState): void {
    if (this.project(project.id) === null) this.addMemberScope(project.owner, 'project', project.id);
    this.projects.set(project.id, project);
  }

  /** Whoever had no part in the phase before gets it into its list of scopes. */
  private setPhase(phase: PhaseState): void {
    const before = this.phase(phase.id);
    if (before === null) this.addMemberScope(phase.owner, 'phase', phase.id);
    for (const member of partakersOf(phase)) {
      const known =
        member === phase.owner ||
        (before !== null &&
          (partakersOf(before).has(member) || before.former.some(entry => entry.member === member)));
      if (!known) this.addMemberScope(member, 'phase', phase.id);
    }
    this.phases.set(phase.id, phase);
  }

  private addMemberScope(member: MemberId, scope: ScopeKind, id: Hash): void {
    const scopes = this.memberScopes.get(member);
    if (scopes === undefined) this.memberScopes.set(member, [{ scope, id }]);
    else scopes.push({ scope, id });
  }

  /** @returns the new leaf's position */
  appendLeaf(ref: ScopeRef, leaf: Omit<Leaf, 'logId' | 'position'>): number {
    const logId = this.logIdOf(ref.scope, ref.id);
    const log = this.openLog(logId, ref);
    const position = (log.before?.size ?? 0) + log.added.length;
    const bytes = encodeLeaf({ ...leaf, logId, position });
    const hash = leafHash(this.sha256, bytes);
    log.added.push(hash);
    this.leaves.push({
      logId,
      position,
      leaf: bytes,
      leafHash: hash,
      transactionId: leaf.transactionId,
    });
    return position;
  }

  /** Makes the log's row part of the block's changes. */
  openLog(logId: LogId, ref: ScopeRef): OpenLog {
    let log = this.logs.get(logId);
    if (log === undefined) {
      log = { ref: { scope: ref.scope, id: ref.id }, before: readLog(this.view, logId), added: [] };
      this.logs.set(logId, log);
    }
    return log;
  }

  private scopeBytes(ref: ScopeRef): { key: string; bytes: Uint8Array } {
    const value = this.value(ref);
    if (value.scope === 'system') return { key: STATE_KEYS.system, bytes: encodeSystemState(value.state) };
    if (value.scope === 'project') {
      const state = assertDefined(value.state, 'a changed project exists');
      return { key: STATE_KEYS.project(ref.id), bytes: encodeProjectState(state) };
    }
    const state = assertDefined(value.state, 'a changed phase exists');
    return { key: STATE_KEYS.phase(ref.id), bytes: encodePhaseState(state) };
  }

  private writeLog(log: OpenLog, out: Map<string, Uint8Array | null>): LogRow {
    const { ref, before, added } = log;
    const frontier = appendLeaves(this.sha256, before?.frontier ?? EMPTY_FRONTIER, added);
    const root = frontierRoot(this.sha256, frontier);
    let digest = before?.digest;
    if (this.changed.has(`${ref.scope}/${ref.id}`)) {
      const { key, bytes } = this.scopeBytes(ref);
      out.set(key, bytes);
      digest = scopeDigest(this.sha256, bytes);
    }
    const known = assertDefined(digest, 'the first leaf of a log makes its state');
    return { ...ref, size: frontier.size, root, digest: known, frontier };
  }

  private writeMemberScopes(out: Map<string, Uint8Array | null>): void {
    for (const [member, scopes] of this.memberScopes) {
      const count = readMemberScopeCount(this.view, member);
      for (const [index, ref] of scopes.entries()) {
        out.set(STATE_KEYS.memberScope(member, count + index), encodeScopeRef(ref));
      }
      out.set(STATE_KEYS.memberScopeCount(member), encodeCount(count + scopes.length));
    }
  }

  /** @param mapRoot the parent's */
  finish(height: number, mapRoot: Hash, ids: readonly Hash[]): { diff: Diff; mapRoot: Hash } {
    const state = new Map<string, Uint8Array | null>();
    const entries = new Map<Hash, Hash>();
    for (const [logId, log] of this.logs) {
      const row = this.writeLog(log, state);
      state.set(STATE_KEYS.log(logId), encodeLogRow(row));
      entries.set(mapKeyOf(this.sha256, logId), mapValueOf(this.sha256, row));
    }
    this.writeMemberScopes(state);
    const map = mapUpdate(this.sha256, hash => this.view.mapNode(hash), mapRoot, entries);
    return {
      mapRoot: map.root,
      diff: {
        height,
        state,
        mapNodes: map.added,
        staleMapNodes: map.stale,
        leaves: this.leaves,
        ids,
      },
    };
  }
}
