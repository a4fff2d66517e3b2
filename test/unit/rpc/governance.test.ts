import { describe, expect, it } from 'vitest';
import { parseSettings } from '../../../src/cli/commands/proposal.ts';
import { readSystem } from '../../../src/core/ledger/read.ts';
import { RpcFailure } from '../../../src/rpc/errors.ts';
import type { GovernanceApi } from '../../../src/rpc/governance-api.ts';
import { governanceMethods } from '../../../src/rpc/groups.ts';
import type { CallContext } from '../../../src/rpc/method.ts';
import type { PresentedProposal } from '../../../src/rpc/methods/proposal/present.ts';
import { refuse } from '../../../src/services/records/refusal.ts';
import { GovernanceActions } from '../../support/governance-actions.ts';
import { createActor, TestLedger, testGenesis, testSigner } from '../../support/ledger-kit.ts';

const alice = createActor('alice');
const bob = createActor('bob');
const CONTEXT: CallContext = {
  caller: { kind: 'session' },
  signal: new AbortController().signal,
  connection: null,
};

/** Two administrators, both must agree; the answers of a node at the ledger's head. */
function world() {
  const ledger = new TestLedger({ ...testGenesis([alice, bob], []), administratorThreshold: 2 });
  const govern = new GovernanceActions(ledger);
  const inputs: unknown[] = [];
  const refused = refuse('notAdministrator', 'no', 'hint');
  const api: GovernanceApi = {
    system: () => readSystem(ledger.state),
    headHeight: () => ledger.height,
    reachedPeers: () => ['peer-of-validator-v1', 'peer-of-validator-v3'],
    signedHead: () => ['v1'],
    createProposal: async input => {
      inputs.push(input);
      return refused;
    },
    voteOnProposal: async () => refused,
    withdrawProposal: async () => refused,
  };
  const methods = new Map(governanceMethods(api).map(method => [method.name, method]));
  const call = async <T>(name: string, params: object = {}) => {
    const method = methods.get(name)!;
    const answer = await method.handle(method.params.parse(params), CONTEXT);
    return method.result.parse(answer) as T;
  };
  return { ledger, govern, inputs, call, methods };
}

describe('proposal_show', () => {
  it('tells each change before and after, the tally and what became of it', async () => {
    const { ledger, govern, call } = world();
    ledger.commit(
      govern.propose(alice, [
        govern.add('v5'),
        govern.remove('v2'),
        govern.rekey('v1', testSigner('next')),
        govern.parameters({ viewTimeoutMs: 2_000 }),
        govern.administrators(['bob'], 1),
        govern.version(2, 900),
      ]),
    );
    const open = await call<PresentedProposal>('proposal_show', { proposal: 1 });
    expect(open).toMatchObject({ status: 'open', approvals: 1, outstanding: 1, threshold: 2 });
    expect(open.changes).toEqual([
      {
        what: 'validator v5',
        before: null,
        after: expect.stringMatching(/^key .*peer-of-validator-v5, \/ip4/),
      },
      { what: 'validator v2', before: expect.stringMatching(/peer-of-validator-v2/), after: null },
      { what: 'validator v1', before: expect.stringMatching(/^key/), after: expect.stringMatching(/^key/) },
      { what: 'viewTimeoutMs', before: '1000', after: '2000' },
      { what: 'administrators', before: '2 of alice, bob', after: '1 of bob' },
      { what: 'protocol version', before: '1', after: '2 from height 900 on' },
    ]);
    ledger.commit(govern.vote(bob, 1, false));
    const { proposals } = await call<{ proposals: PresentedProposal[] }>('proposal_list');
    expect(proposals).toMatchObject([{ proposal: 1, status: 'rejected', closedHeight: 2 }]);
    // the set of now says nothing of the one before a decision
    expect(proposals[0]!.changes.slice(1, 3).map(({ before }) => before)).toEqual([
      'in the set',
      'in the set',
    ]);
    expect(await call('proposal_list', { openOnly: true })).toEqual({ proposals: [] });
  });

  it('says that there is no such proposal, and that one has expired before the chain notes it', async () => {
    const { ledger, govern, call } = world();
    await expect(call('proposal_show', { proposal: 7 })).rejects.toBeInstanceOf(RpcFailure);
    ledger.commit(govern.propose(alice, [govern.add('v5')], { expiresHeight: 1 }));
    ledger.commit(govern.vote(bob, 9));
    expect(await call('proposal_show', { proposal: 1 })).toMatchObject({
      status: 'expired',
      closedHeight: null,
    });
  });
});

describe('validator_list', () => {
  it('[29] marks who is connected, who signed the head, and against whom there is evidence', async () => {
    const { ledger, govern, call } = world();
    ledger.commit(govern.evidence(govern.equivocation('v3')));
    const answer = await call<{ setId: number; quorum: number; validators: object[] }>('validator_list');
    expect(answer).toMatchObject({ setId: 0, quorum: 3, faultsTolerated: 1, protocolVersion: 1 });
    expect(answer.validators).toMatchObject([
      { name: 'v1', connected: true, signedHead: true, evidence: 0 },
      { name: 'v2', connected: false, signedHead: false, evidence: 0 },
      { name: 'v3', connected: true, signedHead: false, evidence: 1 },
      { name: 'v4', connected: false, signedHead: false, evidence: 0 },
    ]);
  });
});

describe('proposal_create', () => {
  it.each([
    ['an address that nobody can dial', { type: 'validatorAdd', addresses: ['nowhere'] }],
    ['a parameter that there is not', { type: 'parameters', values: { speed: 9 } }],
    ['no parameter at all', { type: 'parameters', values: {} }],
    ['a threshold of none', { type: 'administrators', members: ['alice'], threshold: 0 }],
    ['an action that there is not', { type: 'validatorPromote', name: 'v1' }],
    ['a name that is none', { type: 'validatorRemove', name: '../v1' }],
  ])('[90] refuses %s before it asks the ledger', async (_, action) => {
    const { methods, inputs } = world();
    const { params } = methods.get('proposal_create')!;
    expect(params.safeParse({ title: 'x', actions: [action] }).success).toBe(false);
    expect(params.safeParse({ title: 'x', actions: [] }).success).toBe(false);
    expect(inputs).toEqual([]);
  });
});

describe('parameters on the command line', () => {
  it('are NAME=NUMBER', () => {
    expect(parseSettings(['viewTimeoutMs=2000', 'windowBlocks=64'])).toEqual({
      viewTimeoutMs: 2000,
      windowBlocks: 64,
    });
    for (const wrong of ['viewTimeoutMs', 'viewTimeoutMs=', 'viewTimeoutMs=-1', '=3', 'a b=3'])
      expect(() => parseSettings([wrong])).toThrow(/is not NAME=NUMBER/);
  });
});
