/**
 * `VerifySignature` on another thread. The bytes are copied before it returns; `verified` is called once, in a later turn of
 * the event loop.
 */
export type VerifyAside = (
  publicKey: Uint8Array,
  bytes: Uint8Array,
  signature: Uint8Array,
  verified: (isGood: boolean) => void,
) => void;
