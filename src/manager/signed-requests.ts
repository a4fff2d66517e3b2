import { z } from 'zod';
import { mayAct } from '../core/access/standing.ts';
import { toHex, utf8 } from '../core/base/bytes.ts';
import type { MemberId } from '../core/base/ids.ts';
import { REQUEST_NONCE_BYTES, signedCallBytes } from '../core/codec/request.ts';
import { findMember } from '../core/ledger/read.ts';
import { SIZES } from '../core/types/limits.ts';
import type { SignedRequestCheck } from '../rpc/dispatcher.ts';
import { failure } from '../rpc/errors.ts';
import { parseJson } from '../rpc/json.ts';
import { parseParams } from '../rpc/params.ts';
import { bytesSchema, memberIdSchema } from '../rpc/schemas.ts';
import type { ManagerApi } from './api.ts';
import { MANAGER_LIMITS } from './limits.ts';

const signedRequestSchema = z.strictObject({
  signed: z.strictObject({
    member: memberIdSchema,
    keyId: z.int().min(0).max(0xffff_ffff),
    timeMs: z.int().min(0),
    nonce: bytesSchema(REQUEST_NONCE_BYTES, REQUEST_NONCE_BYTES),
    signature: bytesSchema(SIZES.signature, SIZES.signature),
    params: z.string().max(MANAGER_LIMITS.requestParamsCharactersMax),
  }),
});

/** Nonces of requests within the window, by member, so that nobody can fill another's share. */
class SeenNonces {
  private readonly byMember = new Map<MemberId, Map<string, number>>();

  /** @returns false when the nonce was seen or the member has too many */
  take(member: MemberId, nonce: Uint8Array, untilMs: number, nowMs: number): 'fresh' | 'seen' | 'full' {
    let nonces = this.byMember.get(member);
    if (nonces === undefined) {
      nonces = new Map();
      this.byMember.set(member, nonces);
    }
    const key = toHex(nonce);
    if (nonces.has(key)) return 'seen';
    if (nonces.size >= MANAGER_LIMITS.requestNoncesPerMember) {
      for (const [old, expiresMs] of nonces) if (expiresMs < nowMs) nonces.delete(old);
      if (nonces.size >= MANAGER_LIMITS.requestNoncesPerMember) return 'full';
    }
    nonces.set(key, untilMs);
    return 'fresh';
  }
}

const unauthorized = (reason: string, detail: string, hint: string | null = null) =>
  failure('unauthorized', reason, detail, hint);

/**
 * Checks calls that a member signed: current key of its own in certified data, audience, time within the window, nonce never seen. A
 * request from before this server started is refused, since its nonce could have been used then.
 */
export function createSignedRequestCheck(
  api: Pick<ManagerApi, 'member' | 'data' | 'suite' | 'clock'>,
): SignedRequestCheck {
  const { data, suite, clock, member: audience } = api;
  const startedMs = clock.nowMs();
  const seen = new SeenNonces();
  const { requestWindowMs, requestJsonDepthMax } = MANAGER_LIMITS;
  return (method, given) => {
    const { signed } = parseParams(signedRequestSchema, { signed: given });
    const { member, keyId, timeMs, nonce } = signed;
    const nowMs = clock.nowMs();
    if (Math.abs(nowMs - timeMs) > requestWindowMs || timeMs < startedMs) {
      const hint = `The server's time is ${new Date(nowMs).toISOString()}; sign the request anew.`;
      throw unauthorized(
        'stale_request',
        'the time of the request is not within a minute of the server',
        hint,
      );
    }
    const found = findMember(data.system(), member);
    const key = found?.keys[keyId];
    // a user's key signs in projects and phases, not for the member before a server
    const isOwn = key?.untilHeight === 0 && key.user === null;
    if (found === null || !mayAct(found) || key === undefined || !isOwn) {
      throw unauthorized('unknown_key', `"${member}" has no current key ${keyId}`);
    }
    const paramsHash = suite.sha256(utf8(signed.params));
    const call = { chainId: data.chainId, audience, method, paramsHash, timeMs, nonce, member, keyId };
    if (!suite.verify(key.signingKey, signedCallBytes(call), signed.signature)) {
      throw unauthorized('bad_signature', 'the signature of the request is not valid');
    }
    const fresh = seen.take(member, nonce, timeMs + 2 * requestWindowMs, nowMs);
    if (fresh === 'seen') throw unauthorized('replayed_request', 'this request was made before');
    if (fresh === 'full')
      throw failure('rate_limited', 'too_many_requests', 'too many signed requests in a minute');
    return { caller: { kind: 'member', member }, params: parseJson(signed.params, requestJsonDepthMax) };
  };
}
