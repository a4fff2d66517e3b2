import { describe, expect, it } from 'vitest';
import { ZERO_HASH } from '../../../src/core/base/ids.ts';
import { isReject } from '../../../src/core/base/reject.ts';
import { headerHash } from '../../../src/core/codec/chain.ts';
import { decodeMessage } from '../../../src/core/pbft/message-codec.ts';
import type { ConsensusMessage, MessageContent } from '../../../src/core/pbft/messages.ts';
import { verifyConsensusMessage } from '../../../src/core/pbft/verify.ts';
import { Consortium, Driver, suite } from './kit.ts';

const consortium = new Consortium(4);
const one = consortium.block(consortium.genesis, 'one');
const two = consortium.block(one.header, 'two');
const blockHash = headerHash(suite.sha256, one.header);
const changes = [0, 1, 2].map(signer => consortium.viewChange(signer, 1, [consortium.prepared(one)]));

const messages: Record<string, ConsensusMessage> = {
  prePrepare: consortium.proposal(one),
  prepare: consortium.vote(1, 'prepare', one),
  commit: consortium.vote(1, 'commit', one),
  checkpoint: consortium.sign(1, { kind: 'checkpoint', height: 1, blockHash }),
  viewChange: consortium.viewChange(2, 3, [consortium.prepared(two, 2)], consortium.head(one)),
  newView: consortium.sign(1, {
    kind: 'newView',
    view: 1,
    viewChanges: changes.map(({ signed }) => signed),
    window: [blockHash],
  }),
  status: consortium.sign(3, {
    kind: 'status',
    view: 1,
    active: true,
    head: consortium.head(one),
    acceptedHeight: 2,
    stableHeight: 0,
    reply: false,
  }),
  complaint: consortium.sign(3, { kind: 'complaint', view: 1, height: 4, lasting: true, gone: [0, 2] }),
};

describe('messages', () => {
  it.each(Object.entries(messages))('%s decodes to what was encoded, and verifies', (_name, message) => {
    expect(decodeMessage(message.signed)).toEqual(message);
    expect(consortium.verifies(message)).toBe(true);
  });

  it.each(Object.entries(messages))(
    '[32] %s cut anywhere or with a byte more is refused',
    (_name, { signed }) => {
      for (let length = 0; length < signed.body.length; length += 1)
        expect(isReject(decodeMessage({ ...signed, body: signed.body.slice(0, length) }))).toBe(true);
      const longer = Uint8Array.of(...signed.body, 0);
      expect(isReject(decodeMessage({ ...signed, body: longer }))).toBe(true);
    },
  );

  it.each(Object.entries(messages))('[37] %s with any byte changed does not verify', (_name, { signed }) => {
    for (let at = 0; at < signed.body.length; at += 1) {
      const body = signed.body.slice();
      body[at] = (body[at] ?? 0) ^ 1;
      const message = decodeMessage({ ...signed, body });
      if (!isReject(message)) expect(consortium.verifies(message)).toBe(false);
    }
  });

  it.each(Object.entries(messages))(
    '[30][33] %s of another signer, a stranger or another set is refused',
    (_name, message) => {
      const { signed, content } = message;
      for (const signer of [0, 1, 2, 3, 4, 200].filter(index => index !== signed.signer))
        expect(consortium.verifies({ signed: { ...signed, signer }, content })).toBe(false);
      expect(consortium.verifies({ signed: { ...signed, validatorSetId: 1 }, content })).toBe(false);
      const elsewhere = { ...consortium.reign, chainId: suite.sha256(new Uint8Array(9)) };
      expect(verifyConsensusMessage(suite, elsewhere, message)).toBe(false);
    },
  );

  it('[31] the kind of the envelope decides how the body is read, and is signed', () => {
    const { signed } = consortium.vote(1, 'prepare', one);
    const other = decodeMessage({ ...signed, kind: 'commit' });
    expect(isReject(other)).toBe(false);
    if (!isReject(other)) expect(consortium.verifies(other)).toBe(false);
    expect(isReject(decodeMessage({ ...signed, kind: 'checkpoint' }))).toBe(true);
  });

  it('[21] a proposal of one who is not the primary is refused', () => {
    const content: MessageContent = { kind: 'prePrepare', view: 0, newViewDigest: ZERO_HASH, block: one };
    expect(consortium.verifies(consortium.sign(1, content))).toBe(false);
  });

  it('[28] a proposal whose entries are not those of its header is refused', () => {
    const [entry] = one.entries;
    for (const entries of [[], [entry!, entry!], two.entries])
      expect(consortium.verifies(consortium.proposal({ ...one, entries }))).toBe(false);
  });

  it('[75] certificates: short, repeated, unordered, foreign or misattributed signatures are refused', () => {
    const good = consortium.certificate('commit', one);
    const [a, b, c] = good.signatures;
    const d = { signer: 3, signature: consortium.vote(3, 'commit', one).signed.signature };
    const lists = [
      [],
      [a!, b!],
      [a!, b!, b!],
      [b!, a!, c!],
      [a!, b!, { ...c!, signer: 3 }],
      [a!, b!, { ...c!, signer: 9 }],
    ];
    const withHead = (signatures: typeof good.signatures) =>
      consortium.viewChange(2, 3, [], { header: one.header, certificate: { ...good, signatures } });
    expect(consortium.verifies(withHead([a!, b!, d]))).toBe(true);
    expect(consortium.verifies(withHead([a!, b!, c!, d]))).toBe(true);
    for (const signatures of lists) expect(consortium.verifies(withHead(signatures))).toBe(false);
    const prepares = consortium.certificate('prepare', one);
    expect(consortium.verifies(withHead(prepares.signatures))).toBe(false);
  });

  it('a prepared proof must be below the view asked for and above the head', () => {
    expect(consortium.verifies(consortium.viewChange(2, 3, [consortium.prepared(one, 3)]))).toBe(false);
    const atHead = consortium.viewChange(2, 3, [consortium.prepared(one)], consortium.head(one));
    expect(consortium.verifies(atHead)).toBe(false);
    const unordered = [consortium.prepared(two), consortium.prepared(one)];
    expect(consortium.verifies(consortium.viewChange(2, 3, unordered))).toBe(false);
  });
});

describe('catching up', () => {
  it('answers a status with what its sender lacks, and asks once for what it lacks itself', () => {
    const driver = new Driver(consortium.engine(2));
    driver.receive(
      consortium.proposal(one),
      consortium.vote(0, 'prepare', one),
      consortium.vote(1, 'prepare', one),
    );
    driver.forget();
    const lagging = consortium.sign(1, {
      kind: 'status',
      view: 0,
      active: true,
      head: consortium.head(null),
      acceptedHeight: 0,
      stableHeight: 0,
      reply: false,
    });
    driver.receive(lagging);
    expect(driver.all('send').map(({ to, message }) => [to, message.kind])).toEqual([
      [{ peerId: 'peer-1' }, 'prepare'],
      [{ peerId: 'peer-1' }, 'commit'],
    ]);
  });

  it('takes a certified head for the block it holds, and syncs for one it does not', () => {
    const driver = new Driver(consortium.engine(2));
    driver.receive(consortium.proposal(one));
    const show = (block: typeof one) =>
      consortium.sign(1, {
        kind: 'status',
        view: 0,
        active: true,
        head: consortium.head(block),
        acceptedHeight: block.header.height,
        stableHeight: 0,
        reply: true,
      });
    driver.receive(show(one));
    expect(driver.engine.head.header.height).toBe(1);
    expect(driver.all('sync')).toHaveLength(0);
    const three = consortium.block(two.header, 'three');
    driver.receive(show(three));
    expect(driver.all('sync')).toMatchObject([{ head: { header: three.header } }]);
    const start = {
      ...consortium.start(),
      header: three.header,
      certificate: consortium.certificate('commit', three),
    };
    driver.give({ type: 'synced', head: { ...start, blockHash: headerHash(suite.sha256, three.header) } });
    expect(driver.engine.head.header.height).toBe(3);
    expect(driver.engine.syncTarget).toBeNull();
  });

  it('tells a node of an earlier set, and follows one of a later', () => {
    const driver = new Driver(consortium.engine(2));
    driver.forget();
    driver.give({ type: 'otherSet', validatorSetId: 4, peerId: 'peer-1' });
    driver.give({ type: 'otherSet', validatorSetId: 4, peerId: 'peer-1' });
    expect(driver.all('sync')).toMatchObject([{ head: null, peerIds: ['peer-1'] }]);
  });
});
