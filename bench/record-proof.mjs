// What the proof of one record takes: bytes, part by part, and the time of a third party who verifies it.
import { randomBytes } from 'node:crypto';
import { buildTransaction, signTransactions } from '../dist/core/codec/build.js';
import { encodeCertificate, headerHash, validatorSetHash, voteBytes } from '../dist/core/codec/chain.js';
import { encodeRecordMeta } from '../dist/core/codec/operation.js';
import { mapKeyOf, mapValueOf, systemDigest, systemSections } from '../dist/core/codec/state.js';
import { encodeLeaf, encodeSignedTransaction, logIdOf } from '../dist/core/codec/transaction.js';
import { NOTHING_SHOWN } from '../dist/core/light/dossier.js';
import { buildDossier } from '../dist/core/light/dossier-codec.js';
import { verifyDossier } from '../dist/core/light/dossier-verify.js';
import { openLogs, provenMembers } from '../dist/core/light/prove.js';
import { appendLeaves, EMPTY_FRONTIER, leafHash, treeRoot } from '../dist/core/merkle/log.js';
import { mapProve, mapUpdate } from '../dist/core/merkle/map.js';
import { EMPTY_OPENING } from '../dist/core/merkle/map-opening.js';
import { hashesRightOf } from '../dist/core/merkle/range.js';
import { INITIAL_GOVERNANCE } from '../dist/core/types/governance.js';
import { generateSigningKey, p256Signer } from '../dist/crypto/signer.js';
import { nodeSuite } from '../dist/crypto/suite.js';

const { sha256 } = nodeSuite;
const ZERO = '0'.repeat(64);
const randomHash = () => randomBytes(32).toString('hex');
const chainId = randomHash();

function header(height, mapRoot, setHash) {
  const fixed = { version: 1, chainId, parentHash: randomHash(), transactionsRoot: randomHash(), mapRoot };
  const sets = { validatorSetId: 0, validatorSetHash: setHash, nextValidatorSetHash: setHash };
  return { ...fixed, ...sets, height, timeMs: 1_700_000_000_000 + height, previousSetChangeHeight: 0 };
}

function systemOf(count) {
  const members = Array.from({ length: count }, (_, index) => {
    const { publicKey } = p256Signer(generateSigningKey());
    const id = `member-${String(index).padStart(5, '0')}`;
    const key = {
      signingKey: publicKey,
      sealingKey: publicKey,
      fromHeight: 0,
      untilHeight: 0,
      user: null,
      replaced: false,
    };
    return {
      id,
      name: `Member ${index}`,
      version: 0,
      revoked: false,
      suspendedHeight: 0,
      peerIds: ['1'.repeat(52)],
      keys: [key],
    };
  });
  const parameters = Object.fromEntries(
    ['blockTransactionsMax', 'blockBytesMax', 'transactionBytesMax', 'replayWindowBlocks']
      .concat([
        'memberTransactionsPerBlockMax',
        'memberBytesPerBlockMax',
        'clockDriftMsMax',
        'checkpointIntervalBlocks',
      ])
      .concat(['windowBlocks', 'viewTimeoutMs', 'viewTimeoutMsMax', 'rotationBlocks'])
      .map(name => [name, 1]),
  );
  const set = { id: 0, validators: [] };
  const rest = {
    version: 0,
    parameters,
    validatorSet: set,
    setChangeHeight: 0,
    governance: INITIAL_GOVERNANCE,
  };
  return { ...rest, administrators: [], administratorThreshold: 1, members };
}

/** One record among `leaves` of its phase, the phase among `logs`, its author among `members`. */
function sample({ leaves, logs, members, validators }) {
  const signers = Array.from({ length: validators }, () => p256Signer(generateSigningKey()));
  const named = signers.map(({ publicKey }, index) => ({
    name: `validator-${index}`,
    publicKey,
    peerId: `peer-${index}`,
  }));
  const genesisSet = { id: 0, validators: named };
  const author = p256Signer(generateSigningKey());
  const system = systemOf(members);
  const known = {
    ...system.members[0],
    keys: [{ ...system.members[0].keys[0], signingKey: author.publicKey }],
  };
  const state = { ...system, members: [known, ...system.members.slice(1)] };
  const id = randomHash();
  const logId = logIdOf(sha256, chainId, 'phase', id);
  const wrappedKey = { mode: 'epoch', bytes: randomBytes(60) };
  const commitments = { keyCommitment: randomHash(), fieldsRoot: randomHash() };
  const meta = encodeRecordMeta({ epoch: 0, wrappedKey, ...commitments, files: [], references: [] });
  const parts = [meta, randomBytes(272)].map(content => ({ scope: 0, salt: randomBytes(32), content }));
  const body = {
    chainId,
    sender: known.id,
    keyId: 0,
    kind: 'recordPut',
    lastValidHeight: 9_999,
    scopes: [logId],
    parts,
  };
  const [signed] = signTransactions(sha256, author, [buildTransaction(sha256, body)]);
  const transaction = encodeSignedTransaction({ ...signed, parts: [null, null] });
  const position = Math.floor(leaves / 3);
  const place = { height: 50, timeMs: 1_700_000_000_050, outcome: 0 };
  const transactionId = buildTransaction(sha256, body).id;
  const leaf = leafHash(sha256, encodeLeaf({ logId, position, ...place, transactionId }));
  const hashes = Array.from({ length: leaves }, (_, at) => (at === position ? leaf : randomHash()));
  const entry = { size: leaves, root: treeRoot(sha256, hashes), digest: randomHash() };
  const systemLog = logIdOf(sha256, chainId, 'system', chainId);
  const sections = systemSections(state);
  const sectionsRoot = treeRoot(
    sha256,
    sections.map(section => leafHash(sha256, section)),
  );
  const systemEntry = {
    size: 1,
    root: randomHash(),
    digest: systemDigest(sha256, sections.length, sectionsRoot),
  };
  const own = [
    [logId, entry],
    [systemLog, systemEntry],
  ].map(([log, is]) => [mapKeyOf(sha256, log), mapValueOf(sha256, is)]);
  const others = Array.from({ length: logs }, () => [randomHash(), randomHash()]);
  const map = mapUpdate(sha256, () => null, ZERO, new Map([...own, ...others]));
  const prove = log =>
    mapProve(sha256, hash => map.added.get(hash) ?? null, map.root, mapKeyOf(sha256, log)).siblings;
  const opened = pairs =>
    openLogs(sha256, new Map(pairs.map(([log, is]) => [log, { entry: is, siblings: prove(log) }])));
  const setHash = validatorSetHash(sha256, genesisSet);
  const head = header(100, map.root, setHash);
  const subject = {
    validatorSetId: 0,
    view: 0,
    newViewDigest: ZERO,
    height: 100,
    blockHash: headerHash(sha256, head),
  };
  const vote = voteBytes('commit', { chainId, ...subject });
  const quorum = Math.ceil((validators + Math.floor((validators - 1) / 3) + 1) / 2);
  const signatures = signers.slice(0, quorum).map((key, signer) => ({ signer, signature: key.sign(vote) }));
  const certificate = { ...subject, signatures };
  const proven = provenMembers(sha256, state, [known.id], systemEntry);
  const log = {
    ...{ scope: 'phase', id, size: leaves, digest: entry.digest, state: null },
    items: [{ ...place, transaction }],
    frontier: appendLeaves(sha256, EMPTY_FRONTIER, hashes.slice(0, position)),
    right: hashesRightOf((from, to) => treeRoot(sha256, hashes.slice(from, to)), position + 1, leaves),
  };
  const claims = [{ type: 'record', place: { logId, position, item: null } }];
  const content = {
    setChanges: [],
    head: { header: head, certificate },
    map: opened([
      [logId, entry],
      [systemLog, systemEntry],
    ]),
    members: proven,
    logs: [log],
    ...NOTHING_SHOWN,
    claims,
  };
  const anchor = { genesisHeader: header(0, ZERO, setHash), genesisSet };
  const pinned = { header: head, hash: headerHash(sha256, head), set: genesisSet };
  const bare = { ...content, map: opened([[logId, entry]]), members: null };
  return { content, bare, anchor, pinned };
}

/** Logs stand at random depths of the map: the smallest and largest proof of some such consortia, without the certificate, in bytes. */
function spread(scale, count) {
  const sizes = Array.from({ length: count }, () => {
    const { content } = sample(scale);
    return buildDossier(sha256, content).length - encodeCertificate(content.head.certificate).length;
  });
  return [Math.min(...sizes), Math.max(...sizes)];
}

/** Of the processor: what else the machine does counts for nothing. */
function microseconds(work) {
  for (let call = 0; call < 200; call += 1) work();
  const calls = 1000;
  const before = process.cpuUsage();
  for (let call = 0; call < calls; call += 1) work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}

/** Prints the lines of one size of consortium. */
export function recordProof(scale) {
  const { content, bare: withoutKeys, anchor, pinned } = sample(scale);
  const file = buildDossier(sha256, content);
  const certificateBytes = encodeCertificate(content.head.certificate).length;
  const bare = buildDossier(sha256, withoutKeys).length;
  const nothing = { ...content, map: EMPTY_OPENING, members: null, logs: [], claims: [] };
  const verdict = verifyDossier(nodeSuite, file, anchor);
  if (!verdict.ok) throw new Error(JSON.stringify(verdict.checks.filter(check => !check.ok)));
  const { leaves, logs, members, validators } = scale;
  const whole = microseconds(() => verifyDossier(nodeSuite, file, anchor));
  const own = microseconds(() => verifyDossier(nodeSuite, file, { pinned }));
  const signer = p256Signer(generateSigningKey());
  const message = randomBytes(200);
  const signature = signer.sign(message);
  const one = microseconds(() => nodeSuite.verify(signer.publicKey, message, signature));
  console.log(
    `a record among ${leaves} of its phase, ${logs} logs, ${members} members, ${validators} validators:`,
  );
  console.log(
    `  ${file.length} bytes; without the certificate ${file.length - certificateBytes}: log, leaf and signed transaction ` +
      `${bare - certificateBytes}, keys of its author ${file.length - bare}; header and frame are ${buildDossier(sha256, nothing).length - certificateBytes}`,
  );
  if (logs <= 10_000) {
    const [smallest, largest] = spread(scale, 100);
    console.log(`  100 drawn anew: ${smallest} to ${largest} bytes without the certificate`);
  }
  console.log(
    `  verified in ${whole.toFixed(0)} µs of CPU, under a pinned head in ${own.toFixed(0)} µs: ` +
      `${(whole / one).toFixed(1)} and ${(own / one).toFixed(1)} times one P-256 signature of ${one.toFixed(0)} µs`,
  );
}
