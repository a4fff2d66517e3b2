import type { Hash, LogId, MemberId, PhaseId, ProjectId, Suite } from '../base/ids.ts';
import type { ScopeKind, ScopeRef } from '../codec/state.ts';
import type { Contents, KindName, PhaseAddPhase, PhaseLifecycle } from '../types/operation.ts';
import { OUTCOMES } from '../types/outcome.ts';
import type { Member, PhaseState, ProjectState, SystemState } from '../types/state.ts';

/** What the rules read: the state as the transactions before this one left it. */
export interface LedgerReader {
  readonly chainId: Hash;
  system(): SystemState;
  project(id: ProjectId): ProjectState | null;
  phase(id: PhaseId): PhaseState | null;
  logIdOf(scope: ScopeKind, id: Hash): LogId;
  logScope(logId: LogId): ScopeRef | null;
  leafHash(logId: LogId, position: number): Hash | null;
  /** How many projects and phases the member ever had a part in. */
  memberScopeCount(member: MemberId): number;
}

export interface CheckContext {
  readonly suite: Suite;
  readonly state: LedgerReader;
  /** Active as of now; of evidence, which proves itself, `EVIDENCE_SENDER`. */
  readonly sender: Member;
  /** Of the block that is executed. */
  readonly height: number;
  readonly timeMs: number;
  /** `body.scopes` */
  readonly scopes: readonly LogId[];
}

/** Where the leaf stands whose effect is applied. */
export interface LeafPlace {
  readonly sender: MemberId;
  readonly height: number;
  readonly timeMs: number;
  readonly position: number;
}

/** The content that the phase scope of a kind receives. */
export type PhaseContent<K extends KindName> = K extends 'phaseAdd'
  ? PhaseAddPhase
  : K extends 'phaseSkip'
    ? PhaseLifecycle
    : Contents[K][0];

/**
 * What a committed leaf does to each scope. Every function sees its own scope's state, its own scope's part and the leaf's
 * place and nothing else, so that whoever holds a scope's leaves can compute its state (DESIGN.md section 2). They
 * are called after `check` and cannot fail; state is null before the scope's first leaf.
 */
export interface Effects<K extends KindName> {
  readonly system?: (state: SystemState, content: Contents[K][0], place: LeafPlace) => SystemState;
  readonly project?: (state: ProjectState | null, content: Contents[K][0], place: LeafPlace) => ProjectState;
  readonly phase?: (state: PhaseState | null, content: PhaseContent<K>, place: LeafPlace) => PhaseState;
}

/** One kind of transaction: who may, when, and what it changes. */
export interface Rule<K extends KindName> {
  /** The logs that the body must name, in order. */
  readonly scopes: (context: CheckContext, contents: Contents[K]) => readonly LogId[];
  /** `OUTCOMES.committed`, or the first reason against. Called when the scopes are right. */
  readonly check: (context: CheckContext, contents: Contents[K]) => number;
  readonly apply: Effects<K>;
}

/** Reads as: the first of these that does not hold is the answer. */
export function firstRefusal(...checks: readonly (() => number)[]): number {
  for (const check of checks) {
    const outcome = check();
    if (outcome !== OUTCOMES.committed) return outcome;
  }
  return OUTCOMES.committed;
}

export function demand(holds: boolean, otherwise: number): number {
  return holds ? OUTCOMES.committed : otherwise;
}

/** 33 bytes, compressed: the form only; that the point is on the curve shows when the key is used. */
export function hasPublicKeyForm(key: Uint8Array): boolean {
  return key.length === 33 && (key[0] === 2 || key[0] === 3);
}

export function isStrictlyAscending(values: readonly string[]): boolean {
  return values.every((value, index) => index === 0 || values[index - 1]! < value);
}

/** Keeps lists in the state sorted by member id. */
export function insertById<T extends { readonly member: MemberId }>(list: readonly T[], entry: T): T[] {
  const index = list.findIndex(other => other.member > entry.member);
  return index < 0 ? [...list, entry] : list.toSpliced(index, 0, entry);
}
