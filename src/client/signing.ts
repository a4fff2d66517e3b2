import { utf8 } from '../core/base/bytes.ts';
import type { Hash, MemberId, Sha256 } from '../core/base/ids.ts';
import { REQUEST_NONCE_BYTES, signedCallBytes } from '../core/codec/request.ts';
import type { RandomBytes } from '../ports/random.ts';

/** A member's key and what its requests are bound to. */
export interface RequestSigner {
  readonly chainId: Hash;
  /** Id of the member that runs the management server. */
  readonly audience: MemberId;
  readonly member: MemberId;
  /** Index of the signing key in the member's key history. */
  readonly keyId: number;
  readonly sha256: Sha256;
  readonly random: RandomBytes;
  /** Unix milliseconds; the server allows a minute of difference. */
  readonly nowMs: () => number;
  /** 64 bytes r‖s, low s. */
  readonly sign: (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** The parameters of a signed call. The text that was signed travels as it is: nobody encodes it again. */
export async function signParams(signer: RequestSigner, method: string, params: object): Promise<object> {
  const { chainId, audience, member, keyId } = signer;
  const text = JSON.stringify(params);
  const nonce = signer.random(REQUEST_NONCE_BYTES);
  const timeMs = signer.nowMs();
  const paramsHash = signer.sha256(utf8(text));
  const signature = await signer.sign(
    signedCallBytes({ chainId, audience, method, paramsHash, timeMs, nonce, member, keyId }),
  );
  return {
    signed: { member, keyId, timeMs, nonce: base64(nonce), signature: base64(signature), params: text },
  };
}
