/** Holds one P-256 private key; `sign` hashes with SHA-256 and answers 64 bytes r‖s with low s. */
export interface Signer {
  /** 33 bytes, compressed. */
  readonly publicKey: Uint8Array;
  sign(bytes: Uint8Array): Uint8Array;
}
