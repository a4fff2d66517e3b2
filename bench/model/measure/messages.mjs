// Consensus messages: signing, codec, entries of proposals, and the engine's own steps.
import { Consortium } from '../consortium.mjs';
import { PRICES, TRANSACTION_BYTES } from '../prices.mjs';
import { simulate } from '../simulate.mjs';
import { each, line } from './clock.mjs';

const SIGNATURES = 1_000;
/** Of a vote. */
const SIGNED_BYTES = 134;
const VOTES = 2_000;
const ENTRIES = 500;
const PROPOSALS = 20;
const ROUNDS = 10;
const PROBED = [4, 40];
const PROBED_BLOCKS = 1_600;
/** Few, so that it is votes that are timed and not the entries of large proposals. */
const PROBE_CLIENTS = 40;
/** Of everything: only the course of a run matters where the engine itself is timed. */
const PROBE_US = 10;
const PROBE = {
  ...Object.fromEntries(Object.keys(PRICES).map(name => [name, PROBE_US])),
  [TRANSACTION_BYTES]: 830,
};
const LOOPBACK = { delayUs: 50, jitter: 0, bytesPerSecond: 1e9 };

function codec(parts, consortium) {
  const { consensusMessageCodec, decodeMessage, encodeContent, nodeSuite } = parts;
  const digest = '0'.repeat(64);
  const signature = new Uint8Array(64).fill(1);
  const signed = content => ({
    kind: content.kind,
    validatorSetId: 0,
    signer: 1,
    body: encodeContent(content),
    signature,
  });
  const votes = Array.from({ length: VOTES }, (_, at) =>
    signed({
      ...{ kind: 'prepare', view: 0, newViewDigest: digest, height: at + 1 },
      blockHash: nodeSuite.sha256(new Uint8Array([at & 255, at >> 8])),
    }),
  );
  const encode = each(VOTES, at => consensusMessageCodec.encode(votes[at]));
  const frames = votes.map(vote => consensusMessageCodec.encode(vote));
  const decode = each(VOTES, at => decodeMessage(consensusMessageCodec.decode(frames[at])));
  const proposals = Array.from({ length: PROPOSALS }, (_, at) => {
    const groups = [{ from: at * ENTRIES, count: ENTRIES }];
    const { block } = consortium.block(consortium.genesis, consortium.genesisHash, at * 1e6, groups);
    return consensusMessageCodec.encode(
      signed({ kind: 'prePrepare', view: 0, newViewDigest: digest, block }),
    );
  });
  const proposal = each(PROPOSALS * ROUNDS, at => {
    const { content } = decodeMessage(consensusMessageCodec.decode(proposals[at % PROPOSALS]));
    if (!parts.verifyBlockEntries(nodeSuite, content.block)) throw new Error('the entries are the block’s');
  });
  return { encode, decode, entry: Math.max(0, proposal - decode) / ENTRIES };
}

/** What a step of the engine takes, in a model of that many nodes with a clock round each step. */
function steps(parts, nodes) {
  let steps = 0;
  let tookMs = 0;
  const timed = {
    ...parts,
    step: (engine, input) => {
      const startMs = performance.now();
      const effects = parts.step(engine, input);
      tookMs += performance.now() - startMs;
      steps += 1;
      return effects;
    },
  };
  const options = { nodes, network: LOOPBACK, machine: { shared: false, cores: 4 }, clients: PROBE_CLIENTS };
  const length = { warmUpBlocks: 5, blocks: Math.round(PROBED_BLOCKS / nodes), secondsMin: 0.1 };
  simulate(timed, PROBE, { ...options, ...length });
  return (tookMs * 1000) / steps;
}

export function measureMessages(parts) {
  const consortium = new Consortium(parts, 4);
  const { encode, decode, entry } = codec(parts, consortium);
  const [few, many] = PROBED;
  steps(parts, few);
  const step = line(few, steps(parts, few), many, steps(parts, many));
  const signer = parts.p256Signer(parts.generateSigningKey());
  const bytes = new Uint8Array(SIGNED_BYTES);
  const sign = each(SIGNATURES, at => {
    bytes[0] = at & 255;
    signer.sign(bytes);
  });
  const probed = `real steps of a model of ${few} and of ${many} nodes, timed one by one; the line through both`;
  return {
    'signature.sign': { value: sign, how: `${SIGNATURES} signatures as a node's consensus key makes them` },
    'message.encode': { value: encode, how: `${VOTES} votes encoded as frames` },
    'message.decode': { value: decode, how: `${VOTES} frames decoded, with their bodies` },
    'message.entry': {
      value: entry,
      how: `${PROPOSALS} proposals of ${ENTRIES} entries decoded, their root computed; less a vote's decoding`,
    },
    'engine.step': { value: step.base, how: probed },
    'engine.stepValidator': { value: step.slope, how: probed },
  };
}
