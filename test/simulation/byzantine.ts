import { isReject } from '../../src/core/base/reject.ts';
import { headerHash } from '../../src/core/codec/chain.ts';
import { decodeMessage, encodeContent } from '../../src/core/pbft/message-codec.ts';
import type { MessageContent, SignedMessage } from '../../src/core/pbft/messages.ts';
import { signedBytes } from '../../src/core/pbft/signing.ts';
import { CHAIN_ID } from './ledger.ts';
import type { SimulatedNode } from './node.ts';
import type { Random } from './random.ts';
import { simulatedSign, simulatedSuite as suite } from './suite.ts';

/** Turns what the honest engine inside would send to one receiver into what the faulty node sends. */
export type Behaviour = (message: SignedMessage, to: number, node: SimulatedNode) => readonly SignedMessage[];

function forge(original: SignedMessage, content: MessageContent, node: SimulatedNode): SignedMessage {
  const bytes = signedBytes(suite.sha256, CHAIN_ID, original.validatorSetId, content);
  return {
    ...original,
    kind: content.kind,
    body: encodeContent(content),
    signature: simulatedSign(node.identity.publicKey, bytes),
  };
}

/** Proposes another block to half of the others and votes for each half's block (SCENARIOS 19, 29). */
export function equivocator(): Behaviour {
  const twins = new Map<string, string>();
  return (message, to, node) => {
    const decoded = decodeMessage(message);
    if (isReject(decoded) || to % 2 === 0) return [message];
    const { content } = decoded;
    if (content.kind === 'prePrepare') {
      const { block } = content;
      const header = { ...block.header, timeMs: block.header.timeMs + 1 };
      twins.set(headerHash(suite.sha256, block.header), headerHash(suite.sha256, header));
      return [forge(message, { ...content, block: { ...block, header } }, node)];
    }
    if (content.kind !== 'prepare' && content.kind !== 'commit') return [message];
    const twin = twins.get(content.blockHash);
    if (twin === undefined) return [message];
    return [forge(message, { ...content, blockHash: twin as typeof content.blockHash }, node), message];
  };
}

/** Takes part in everything but the votes (SCENARIOS 35). */
export function voteDropper(): Behaviour {
  return message => (message.kind === 'prepare' || message.kind === 'commit' ? [] : [message]);
}

/** Hides what it prepared, and asks for views far ahead (SCENARIOS 39, 42, 45). */
export function amnesiac(random: Random): Behaviour {
  return (message, _to, node) => {
    const decoded = decodeMessage(message);
    if (isReject(decoded)) return [message];
    const { content } = decoded;
    if (content.kind === 'viewChange') {
      const view = content.view + (random.chance(0.2) ? random.between(1, 1000) : 0);
      return [forge(message, { ...content, view, prepared: [] }, node)];
    }
    if (content.kind === 'status' && random.chance(0.3))
      return [
        message,
        forge(message, { kind: 'complaint', view: content.view, height: 1e6, lasting: true, gone: [] }, node),
      ];
    return [message];
  };
}

/** Sends each message to some only, old and future votes among them (SCENARIOS 23, 70). */
export function capricious(random: Random): Behaviour {
  return (message, _to, node) => {
    if (random.chance(0.3)) return [];
    const decoded = decodeMessage(message);
    if (isReject(decoded)) return [message];
    const { content } = decoded;
    if ((content.kind === 'prepare' || content.kind === 'commit') && random.chance(0.3)) {
      const far = {
        ...content,
        view: content.view + random.between(0, 3),
        height: content.height + random.between(0, 40),
      };
      return [message, forge(message, far, node)];
    }
    return [message];
  };
}
