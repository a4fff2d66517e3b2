/** HPKE base mode (RFC 9180), DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. */
export interface Hpke {
  /** @returns enc (65 bytes) ‖ ciphertext */
  seal(recipientPublicKey: Uint8Array, info: Uint8Array, plaintext: Uint8Array): Promise<Uint8Array>;
}

/** Holds one sealing (P-256 ECDH) private key: a member's, or one derived from an epoch secret. */
export interface Unsealer {
  /** 33 bytes, compressed. */
  readonly publicKey: Uint8Array;
  /** Null when the envelope does not open. */
  open(info: Uint8Array, sealed: Uint8Array): Promise<Uint8Array | null>;
}
