/**
 * A refusal as a value: what a border answers to input that it does not accept. `code` is stable and documented;
 * `detail` names the object; `peer` tells a network border whether the sender is at fault.
 */
export interface Reject {
  readonly reject: string;
  readonly detail: string;
  readonly peer: 'ignore' | 'penalise';
}

export function reject(code: string, detail: string, peer: 'ignore' | 'penalise' = 'penalise'): Reject {
  return { reject: code, detail, peer };
}

export function isReject(value: unknown): value is Reject {
  return typeof value === 'object' && value !== null && 'reject' in value;
}
