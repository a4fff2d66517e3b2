import { concatBytes } from '../../src/core/base/bytes.ts';
import { isReject, type Reject } from '../../src/core/base/reject.ts';

/** What a handler answers, as the peer receives it. */
export function joinedAnswer(answer: Uint8Array | readonly Uint8Array[] | Reject): Uint8Array | Reject {
  return answer instanceof Uint8Array || isReject(answer) ? answer : concatBytes(...answer);
}
