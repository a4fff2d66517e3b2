import type { Hash } from '../core/base/ids.ts';
import type { ByteRange } from './file-dag.ts';

/**
 * Encryption of off-chain files (DESIGN.md section 6): STREAM over AES-256-GCM segments. Both directions work on chunks of any
 * size with constant memory. `src/crypto/file-cipher.ts` is the implementation.
 */
export interface FileCipher {
  /** A fresh content key, 32 bytes; never used for a second file. */
  generateKey(): Uint8Array;
  /** What the signed metadata says about the key; compared before anything is decrypted. */
  keyCommitment(key: Uint8Array): Hash;
  /** Pads to a bucket: the ciphertext's length says little of the plaintext's. */
  encrypt(key: Uint8Array, plaintext: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  /**
   * Yields authenticated plaintext only. Throws OperatingError `file_corrupt` at the first segment that does not open, and when
   * the last segment is missing or followed by more (SCENARIOS 85): whoever consumes this publishes nothing before the end.
   * @param plaintextBytes the true length, from the encrypted payload
   */
  decrypt(
    key: Uint8Array,
    plaintextBytes: number,
    ciphertext: AsyncIterable<Uint8Array>,
  ): AsyncIterable<Uint8Array>;
  /**
   * Plaintext of a range, reading and authenticating only the segments it touches: for copies that are known to be whole.
   * Throws as `decrypt` does.
   * @param read a range of the ciphertext
   */
  decryptRange(
    file: { readonly key: Uint8Array; readonly ciphertextBytes: number; readonly plaintextBytes: number },
    range: ByteRange,
    read: (range: ByteRange) => AsyncIterable<Uint8Array>,
  ): AsyncIterable<Uint8Array>;
}
