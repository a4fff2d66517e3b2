import { describe, expect, it } from 'vitest';
import { headerHash } from '../../../src/core/codec/chain.ts';
import type { SigningRecord } from '../../../src/ports/signing-state.ts';
import { SigningLog } from '../../../src/services/consensus/signing-log.ts';
import { MemoryWal } from '../../../src/store/memory-wal.ts';
import { simulatedKey, simulatedSign } from '../../simulation/suite.ts';
import { Consortium, Driver, suite } from '../pbft/kit.ts';

const SEAT = 3;
const consortium = new Consortium(4);
const one = consortium.block(consortium.genesis, 'one');
const two = consortium.block(one.header, 'two');
const three = consortium.block(two.header, 'three');

/** A replica that has committed height 2, has said COMMIT to height 3, left the view, and then trimmed its log. */
function trimmed(): Driver {
  const driver = new Driver(consortium.engine(SEAT));
  for (const block of [one, two, three]) {
    driver.receive(consortium.proposal(block));
    for (const signer of [0, 1]) driver.receive(consortium.vote(signer, 'prepare', block));
    if (block === three) continue;
    for (const signer of [0, 1]) driver.receive(consortium.vote(signer, 'commit', block));
  }
  const complaint = { kind: 'complaint', view: 0, height: 2, lasting: true, gone: [] } as const;
  for (const signer of [1, 2]) driver.receive(consortium.sign(signer, complaint));
  const checkpoint = {
    kind: 'checkpoint',
    height: 2,
    blockHash: headerHash(suite.sha256, two.header),
  } as const;
  for (const signer of [1, 2]) driver.receive(consortium.sign(signer, checkpoint));
  return driver;
}

describe('what a trimmed log still says of the votes that left', () => {
  it('[16] an own COMMIT of an earlier view is not taken for that of an old copy', async () => {
    const driver = trimmed();
    expect(driver.engine).toMatchObject({ view: 1, active: false, stableHeight: 2 });
    expect(driver.sent('commit').map(({ height }) => height)).toContain(3);
    const publicKey = simulatedKey(`v${SEAT}`);
    const wal = new MemoryWal();
    const logIdentity = await wal.create();
    await wal.append(driver.log);
    await wal.close();
    let records: readonly SigningRecord[] = [{ publicKey, logIdentity, lost: false }];
    const signing = new SigningLog({
      peerId: `peer-${SEAT}`,
      wal,
      records: {
        read: () => records,
        write: async next => {
          records = next;
        },
      },
      firstStart: { isMarked: async () => false, consume: async () => {} },
      keys: {
        signers: () => [{ publicKey, sign: bytes => simulatedSign(publicKey, bytes) }],
        prepare: () => Promise.reject(new Error('no next key')),
        adopt: async () => {},
      },
    });
    await signing.open(2);
    const votes = [0, 1, SEAT].map(signer => consortium.vote(signer, 'commit', three).signed);
    const certificate = {
      ...consortium.certificate('commit', three),
      signatures: votes.map(({ signer, signature }) => ({ signer, signature })),
    };
    // the others decided height 3 in view 0, with the COMMIT of this node
    await signing.inspect(certificate, consortium.set);
    expect(signing.observes(consortium.set)).toBeNull();
    expect(records).toMatchObject([{ lost: false }]);
  });
});
