import { describe, expect, it } from 'vitest';
import type { BlockHash, Hash, TransactionId } from '../../src/core/base/ids.ts';
import { headerHash } from '../../src/core/codec/chain.ts';
import { leafHash, treeRoot } from '../../src/core/merkle/log.ts';
import type { Reign } from '../../src/core/pbft/config.ts';
import { encodeContent } from '../../src/core/pbft/message-codec.ts';
import type {
  NewView,
  PreparedProof,
  SignedMessage,
  ViewChange,
  Vote,
} from '../../src/core/pbft/messages.ts';
import { newViewDigest, signedBytes } from '../../src/core/pbft/signing.ts';
import type { Certificate, Header } from '../../src/core/types/chain.ts';
import { BoundRules } from './checker-bounds.ts';
import { hashOfHeader } from './checker-certificate.ts';
import { keptWith, later, NOTHING_KEPT } from './checker-engine.ts';
import { digestOf, Judge, openingOf, rootOf } from './checker-judge.ts';
import { StarvingRules } from './checker-starving.ts';
import { ViewRules } from './checker-views.ts';
import { hashOf } from './consortium.ts';
import { Coverage } from './coverage.ts';
import { simulatedKey, simulatedSign, simulatedSuite as suite } from './suite.ts';

const N = 4;
const chainId = hashOf('chain');
const validators = Array.from({ length: N }, (_, index) => ({
  name: `n${index}`,
  peerId: `peer-n${index}`,
  publicKey: simulatedKey(`n${index}`),
}));
const startHash = hashOf('genesis') as BlockHash;
const reign: Reign = { chainId, set: { id: 0, validators }, startHeight: 0, startHash };
const NONE = '0'.repeat(64) as Hash;

const headerAt = (height: number, parentHash: string, name = ''): Header => ({
  version: 1,
  chainId,
  height,
  parentHash: parentHash as BlockHash,
  timeMs: 1000 + height,
  transactionsRoot: hashOf(`transactions ${height} ${name}`),
  mapRoot: hashOf('map'),
  validatorSetId: 0,
  validatorSetHash: hashOf('set'),
  nextValidatorSetHash: hashOf('set'),
  previousSetChangeHeight: 0,
});

const keyOf = (signer: number) => validators[signer]?.publicKey as Uint8Array;

function certify(kind: Vote['kind'], header: Header, view: number, signers = [0, 1, 2]): Certificate {
  const vote: Vote = {
    kind,
    view,
    newViewDigest: NONE,
    height: header.height,
    blockHash: hashOfHeader(header) as BlockHash,
  };
  const bytes = signedBytes(suite.sha256, chainId, 0, vote);
  const signatures = signers.map(signer => ({ signer, signature: simulatedSign(keyOf(signer), bytes) }));
  const { newViewDigest: digest, height, blockHash } = vote;
  return { validatorSetId: 0, view, newViewDigest: digest, height, blockHash, signatures };
}

const proofOf = (header: Header, view: number, signers?: number[]): PreparedProof => ({
  header,
  certificate: certify('prepare', header, view, signers),
});

const contents = new WeakMap<SignedMessage, ViewChange | NewView>();

function sign(signer: number, content: ViewChange | NewView): SignedMessage {
  const signature = simulatedSign(keyOf(signer), signedBytes(suite.sha256, chainId, 0, content));
  const signed = { kind: content.kind, validatorSetId: 0, signer, body: encodeContent(content), signature };
  contents.set(signed, content);
  return signed;
}

const one = headerAt(1, startHash);
const two = headerAt(2, hashOfHeader(one));
const three = headerAt(3, hashOfHeader(two));
const head = { header: one, certificate: certify('commit', one, 0) };

const asks = (prepared: PreparedProof[], view = 5): ViewChange => ({
  kind: 'viewChange',
  view,
  head,
  prepared,
});

function opens(
  window: readonly string[],
  prepared: readonly PreparedProof[][],
  signers = [0, 1, 2],
): SignedMessage {
  const viewChanges = signers.map((signer, at) => sign(signer, asks(prepared[at] ?? [])));
  return sign(1, { kind: 'newView', view: 5, viewChanges, window: window as BlockHash[] });
}

const judge = new Judge(signed => contents.get(signed) ?? null);
const fail = (what: string): never => {
  throw new Error(what);
};

describe('the checker', () => {
  it('lays out headers, trees and digests as the nodes do', () => {
    expect(hashOfHeader(two)).toBe(headerHash(suite.sha256, two));
    const leaves = [1, 2, 3, 4, 5].map(number => leafHash(suite.sha256, Uint8Array.of(number)));
    expect(rootOf(leaves)).toBe(treeRoot(suite.sha256, leaves));
    const signed = opens([], []);
    expect(digestOf(reign, signed)).toBe(
      newViewDigest(suite.sha256, chainId, 0, contents.get(signed) as NewView),
    );
  });

  it('takes what is right and says what is wrong with a VIEW-CHANGE', () => {
    const fault = (prepared: PreparedProof[], view?: number) =>
      judge.faultOf(reign, sign(3, asks(prepared, view)));
    expect(fault([proofOf(two, 1), proofOf(three, 4)])).toBeNull();
    expect(fault([proofOf(three, 4), proofOf(two, 1)])).toContain('prepared at 3,2');
    expect(fault([proofOf(two, 5)])).toContain('of view 5');
    expect(fault([proofOf(two, 1, [0, 1])])).toContain('with 2 signatures');
    expect(fault([proofOf(two, 1, [0, 1, 1])])).toContain('out of order');
    expect(fault([proofOf(headerAt(258, startHash), 1)])).toContain('prepared at 258');
    expect(fault([], 0)).toContain('no such view');
    const { signature } = sign(2, asks([]));
    const forged = { ...sign(3, asks([])), signature };
    contents.set(forged, asks([]));
    expect(judge.faultOf(reign, forged)).toContain('bad signature');
  });

  it('takes what is right and says what is wrong with a NEW-VIEW', () => {
    const [second, third] = [hashOfHeader(two), hashOfHeader(three)];
    const shown = [[proofOf(two, 1)], [proofOf(two, 1), proofOf(three, 1)], []];
    expect(judge.faultOf(reign, opens([second, third], shown))).toBeNull();
    expect(judge.faultOf(reign, opens([second], shown))).toContain('proposes 1 again, due are 2');
    expect(judge.faultOf(reign, opens([second, third], shown, [0, 1]))).toContain('after 2 who');
    expect(judge.faultOf(reign, opens([second, third], shown, [0, 2, 1]))).toContain('out of order');
  });

  it('chooses the highest view at each height and stops at a hole', () => {
    const other = headerAt(2, hashOfHeader(one), 'other');
    const chosen = openingOf([asks([proofOf(two, 1)]), asks([proofOf(other, 3), proofOf(three, 4)])]);
    expect(chosen).toEqual({ base: 1, window: [hashOfHeader(other)], highest: 3 });
  });

  it('misses a committed block in a later NEW-VIEW, whichever of them is known first', () => {
    const block = { set: 0, height: 2, hash: hashOfHeader(two), view: 3 };
    const { viewChanges } = contents.get(opens([], [])) as NewView;
    const asked = viewChanges.map(signed => contents.get(signed) as ViewChange);
    const open = (rules: ViewRules) =>
      rules.opens('key', 'n0', 0, { kind: 'newView', view: 5, viewChanges, window: [] }, asked);
    expect(() => open(new ViewRules(new Coverage(), () => [block], fail))).toThrow('leaves out committed 2');
    const rules = new ViewRules(new Coverage(), () => [], fail);
    open(rules);
    rules.committed({ ...block, view: 5 });
    rules.committed({ ...block, height: 1 });
    expect(() => rules.committed(block)).toThrow('leaves out committed 2');
  });

  it('keeps what logs held, for the newest set', () => {
    const stable = (validatorSetId: number, height: number) =>
      keptWith(NOTHING_KEPT, { type: 'stable', validatorSetId, height, blockHash: startHash });
    const signed = sign(3, asks([]));
    const asked = keptWith(stable(0, 8), { type: 'message', message: { signed, content: asks([]) } });
    expect(asked).toEqual({ set: 0, view: 5, stable: 8 });
    expect(later(asked, stable(0, 12))).toEqual({ set: 0, view: 5, stable: 12 });
    expect(later(asked, stable(1, 12))).toEqual({ set: 1, view: 0, stable: 12 });
    expect(later(stable(1, 12), asked)).toEqual({ set: 1, view: 0, stable: 12 });
  });

  it('tells one that starves from one that was refused or had no time', () => {
    const id = hashOf('transaction') as TransactionId;
    const at = (reason: string | null) => ({
      name: 'n0',
      program: {
        pool: {
          size: 3,
          get: () => (reason === null ? ({} as never) : null),
          dismissal: () => (reason === null ? null : { reject: reason, detail: '', peer: 'ignore' as const }),
        },
      },
    });
    const wait = (reason: string, from: number) => () => {
      const rules = new StarvingRules({ blocks: 30, blocksEach: 2, ms: 0 }, () => false, fail);
      rules.look({ height: from, ms: 0 }, [[id, 100]], [at(null)]);
      rules.look({ height: 100, ms: 500 }, [], [at(reason)]);
    };
    expect(wait('expired', 64)).toThrow('waited everywhere with 3 others for 36 blocks');
    expect(wait('expired', 65)).not.toThrow();
    expect(wait('sender_revoked', 0)).not.toThrow();
  });

  it('counts the views in an archive, and looks for those that it has given up', () => {
    const index = (count: number, first: number) => {
      const bytes = new Uint8Array(4 + 76 * count);
      const view = new DataView(bytes.buffer);
      view.setUint32(0, count);
      for (let at = 0; at < count; at += 1) view.setBigUint64(4 + 76 * at, BigInt(first + at));
      return bytes;
    };
    const rules = new BoundRules(8, fail);
    const archive = (count: number, first: number, left: string | null = null) =>
      rules.archive('n0', index(count, first), key => (key === left ? new Uint8Array(1) : null));
    archive(256, 7);
    expect(() => archive(257, 7)).toThrow('257 views');
    expect(() => archive(256, 7, 'views/0000000000000006')).toThrow('given up');
  });
});
