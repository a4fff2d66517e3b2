import type { MemberId } from '../../src/core/base/ids.ts';
import { validatorKeyBytes } from '../../src/core/codec/governance.ts';
import { tagBytes } from '../../src/core/codec/tags.ts';
import { Writer } from '../../src/core/codec/writer.ts';
import { findMember, readSystem } from '../../src/core/ledger/read.ts';
import type { Validator } from '../../src/core/types/chain.ts';
import type { Action, EvidenceKind, Proposal } from '../../src/core/types/governance.ts';
import type { EvidenceProof, ProposalCreate } from '../../src/core/types/operation.ts';
import type { Parameters, StateView } from '../../src/core/types/state.ts';
import type { Transaction } from '../../src/core/types/transaction.ts';
import type { Signer } from '../../src/ports/signer.ts';
import { type Actor, cardProof, hashOf, type TestLedger, testSigner } from './ledger-kit.ts';

type ActionOf<T extends Action['type']> = Extract<Action, { readonly type: T }>;

/** Correct governance transactions for the current state of a test ledger; what a test wants wrong it gives as changes. */
export class GovernanceActions {
  private made = 0;

  /**
   * @param ledger builds and signs
   * @param view the state that the transactions are made for; the ledger's own by default
   */
  constructor(
    readonly ledger: TestLedger,
    private readonly view: () => StateView = () => ledger.state,
  ) {}

  get system() {
    return readSystem(this.view());
  }

  get validators(): readonly string[] {
    return this.system.validatorSet.validators.map(({ name }) => name);
  }

  proposal(number: number): Proposal {
    return this.system.governance.proposals.find(entry => entry.number === number)!;
  }

  private get scopes() {
    return [this.ledger.logId('system')];
  }

  add(
    name: string,
    changes: Partial<Validator> & { readonly addresses?: readonly string[] } = {},
    signer = testSigner(`validator ${name}`),
  ): ActionOf<'validatorAdd'> {
    const { addresses = ['/ip4/10.0.0.9/tcp/7801'], ...rest } = changes;
    const plain = { name, publicKey: signer.publicKey, peerId: `peer-of-validator-${name}` };
    const validator = { ...plain, ...rest };
    const proof = signer.sign(validatorKeyBytes(this.ledger.chainId, validator));
    return { type: 'validatorAdd', validator, addresses, proof };
  }

  remove(name: string): ActionOf<'validatorRemove'> {
    return { type: 'validatorRemove', name };
  }

  rekey(name: string, signer: Signer, proofFor: Partial<Validator> = {}): ActionOf<'validatorRekey'> {
    const { publicKey } = signer;
    const peerId =
      this.system.validatorSet.validators.find(entry => entry.name === name)?.peerId ?? 'unknown';
    const bytes = validatorKeyBytes(this.ledger.chainId, { name, publicKey, peerId, ...proofFor });
    return { type: 'validatorRekey', name, publicKey, proof: signer.sign(bytes) };
  }

  parameters(after: Partial<Parameters>): ActionOf<'parameters'> {
    const names = Object.keys(after) as (keyof Parameters)[];
    const changes = names.map(name => ({
      name,
      before: this.system.parameters[name],
      after: after[name]!,
    }));
    return { type: 'parameters', changes };
  }

  administrators(members: readonly string[], threshold: number): ActionOf<'administrators'> {
    const { administrators, administratorThreshold } = this.system;
    return {
      type: 'administrators',
      before: { members: administrators, threshold: administratorThreshold },
      after: { members: members as MemberId[], threshold },
    };
  }

  version(version: number, height: number, before?: number): ActionOf<'protocolVersion'> {
    const { activation, protocolVersion } = this.system.governance;
    return {
      type: 'protocolVersion',
      before: before ?? activation?.version ?? protocolVersion,
      version,
      height,
    };
  }

  /** @param next the member with the keys that it gets */
  memberRekey(next: Actor, changes: Partial<ActionOf<'memberRekey'>> = {}): ActionOf<'memberRekey'> {
    const proof = cardProof(this.ledger.chainId, next);
    const before = findMember(this.system, next.id)?.version ?? 0;
    return { type: 'memberRekey', before, card: next.card, proof, ...changes };
  }

  propose(
    actor: Actor,
    actions: readonly Action[],
    changes: Partial<ProposalCreate> = {},
    lastValidHeight?: number,
  ): Transaction {
    this.made += 1;
    const content: ProposalCreate = {
      title: `proposal ${this.made}`,
      expiresHeight: this.ledger.height + 20,
      validatorSetId: this.system.validatorSet.id,
      actions,
      ...changes,
    };
    const options = lastValidHeight === undefined ? {} : { lastValidHeight };
    return this.ledger.make(actor, 'proposalCreate', this.scopes, [content], options);
  }

  vote(actor: Actor, proposal: number, approve = true): Transaction {
    return this.ledger.make(actor, 'proposalVote', this.scopes, [{ proposal, approve }]);
  }

  withdraw(actor: Actor, proposal: number): Transaction {
    return this.ledger.make(actor, 'proposalWithdraw', this.scopes, [{ proposal }]);
  }

  /** Two PREPAREs (or votes of another kind) of one validator for one slot, each for another block. */
  equivocation(
    name: string,
    kind: EvidenceKind = 'prepare',
    slot = { view: 0, height: 7 },
    values: readonly [string, string] = ['one block', 'another block'],
  ): EvidenceProof {
    const { id, validators } = this.system.validatorSet;
    const signer = validators.findIndex(entry => entry.name === name);
    const message = (value: string) => {
      const writer = new Writer();
      if (kind !== 'checkpoint') writer.u64(slot.view);
      if (kind === 'viewChange' || kind === 'newView') writer.hash(hashOf(value));
      else if (kind === 'checkpoint') writer.u64(slot.height).hash(hashOf(value));
      else writer.hash(hashOf('new view')).u64(slot.height).hash(hashOf(value));
      const body = writer.finish();
      const bytes = new Writer().raw(tagBytes(kind)).hash(this.ledger.chainId).u64(id).raw(body).finish();
      return { body, signature: testSigner(`validator ${name}`).sign(bytes) };
    };
    return { validatorSetId: id, signer, kind, first: message(values[0]), second: message(values[1]) };
  }

  /** Without a sender and a signature, as a consensus node makes it. */
  evidence(
    proof: EvidenceProof,
    changes: { readonly sender?: string; readonly signature?: Uint8Array } = {},
  ): Transaction {
    const pseudo = { id: changes.sender ?? 'evidence', keyId: 0 } as unknown as Actor;
    const built = this.ledger.build(pseudo, 'evidence', this.scopes, [proof]);
    return this.ledger.decode({
      body: built.body,
      parts: built.parts,
      signature: changes.signature ?? new Uint8Array(64),
      batch: { treeSize: 1, index: 0, path: [] },
    });
  }
}
