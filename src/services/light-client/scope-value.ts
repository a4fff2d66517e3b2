import type { ScopeValue } from '../../core/access/apply.ts';
import { isReject, type Reject } from '../../core/base/reject.ts';
import {
  decodePhaseState,
  decodeProjectState,
  decodeSystemState,
  encodePhaseState,
  encodeProjectState,
  encodeSystemState,
  type ScopeRef,
} from '../../core/codec/state.ts';

/** @param bytes encoded scope state; null before the scope's first leaf */
export function decodeScopeValue(ref: ScopeRef, bytes: Uint8Array | null): ScopeValue | Reject {
  if (ref.scope === 'system') {
    const state = decodeSystemState(bytes ?? new Uint8Array(0));
    return isReject(state) ? state : { scope: 'system', state };
  }
  if (ref.scope === 'project') {
    const state = bytes === null ? null : decodeProjectState(bytes);
    return isReject(state) ? state : { scope: 'project', state };
  }
  const state = bytes === null ? null : decodePhaseState(bytes);
  return isReject(state) ? state : { scope: 'phase', state };
}

export function encodeScopeValue(value: ScopeValue): Uint8Array | null {
  if (value.scope === 'system') return encodeSystemState(value.state);
  if (value.scope === 'project') return value.state === null ? null : encodeProjectState(value.state);
  return value.state === null ? null : encodePhaseState(value.state);
}
