import type { DataPaths } from '../config/node-config.ts';
import { readPassphrase } from '../config/passphrase.ts';
import { assertDefined } from '../core/base/assert.ts';
import { type KeyBundle, replaceKeystore } from '../crypto/keystore.ts';
import { generateSigningKey, p256PublicKey, p256Signer } from '../crypto/signer.ts';
import type { Signer } from '../ports/signer.ts';
import type { ConsensusKeys } from '../ports/signing-state.ts';
import { FileFirstStart } from '../store/first-start.ts';

/** The consensus keys in the node's keystore; each change of it is one atomic replacement of the encrypted file. */
export class KeystoreConsensusKeys implements ConsensusKeys {
  private held: readonly Signer[];

  /** @param bundle what the keystore holds */
  constructor(
    private readonly paths: DataPaths,
    private bundle: KeyBundle,
  ) {
    this.held = signersOf(bundle);
  }

  signers(): readonly Signer[] {
    return this.held;
  }

  /** The mark comes first: a key without it could never sign, a mark without a key is for nobody. */
  async prepare(): Promise<Signer> {
    const nextConsensus = generateSigningKey();
    await new FileFirstStart(this.paths.firstStart).mark(p256PublicKey(nextConsensus, 'compressed'));
    await this.replace({ ...this.bundle, nextConsensus });
    return assertDefined(this.held[1], 'the next key was made');
  }

  async adopt(): Promise<void> {
    const { nextConsensus } = this.bundle;
    const consensus = assertDefined(nextConsensus, 'there is a next key to adopt');
    await this.replace({ ...this.bundle, consensus, nextConsensus: null });
  }

  private async replace(bundle: KeyBundle): Promise<void> {
    const passphrase = await readPassphrase(process.env, this.paths.passphrase);
    await replaceKeystore(this.paths.keystore, passphrase, bundle);
    this.bundle = bundle;
    this.held = signersOf(bundle);
  }
}

function signersOf({ consensus, nextConsensus }: KeyBundle): Signer[] {
  const current = p256Signer(assertDefined(consensus, 'a consensus node has a consensus key'));
  return nextConsensus === null ? [current] : [current, p256Signer(nextConsensus)];
}
