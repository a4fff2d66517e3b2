import { assert } from '../base/assert.ts';

/** Largest number of Byzantine validators that a set of `n` survives: n ≥ 3f + 1. */
export function faultsTolerated(n: number): number {
  assert(Number.isSafeInteger(n) && n >= 1, 'a validator set is not empty');
  return Math.floor((n - 1) / 3);
}

/** ⌈(n + f + 1) / 2⌉: any two quorums share at least f + 1 validators, and n − f of them are enough for one. */
export function quorumSize(n: number): number {
  return Math.ceil((n + faultsTolerated(n) + 1) / 2);
}

/** f + 1: at least one of them is honest. */
export function honestWitnesses(n: number): number {
  return faultsTolerated(n) + 1;
}

/** The primary's index: round robin over the views of one set. */
export function primaryIndex(n: number, view: number): number {
  return view % n;
}
