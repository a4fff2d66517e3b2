// What the commit of one transaction must wait for when nothing else is under way, each step as the ceilings measured it.

/** The transaction is in a node's hands; it goes to the primary, and three rounds of messages follow. */
const HOPS = 4;
/** Proposal and prepare of the primary, a replica's prepare, a replica's commit. */
const SIGNATURES = 4;
/** Before the proposal, a prepare, and a commit leave; and the block itself (docs/PROTOCOL.md: what is durable before what). */
const FLUSHES = 4;

/**
 * @param delayMs of the network between two nodes, one way
 * @returns steps with how often each is waited for, and their sum in ms
 */
export function criticalPath({ verify, sign, sync, noise, tcp }, nodes, delayMs) {
  const others = nodes - 1;
  const quorum = Math.ceil((nodes + Math.floor(others / 3) + 1) / 2);
  const several = nodes > 1;
  const verifyMs = verify.processorUs / 1000;
  const votes = several ? 1 + 2 * (quorum - 1) : 0;
  const steps = [
    { what: 'client to node and back', count: 1, ms: tcp.roundTripMs },
    { what: 'hops between nodes', count: several ? HOPS : 0, ms: noise.roundTripMs / 2 + delayMs },
    {
      what: "verification of the member's signature, at one node after the other",
      count: several ? 2 : 1,
      ms: verifyMs,
    },
    { what: 'verification of the proposal and of two quorums of votes', count: votes, ms: verifyMs },
    { what: 'signing', count: SIGNATURES, ms: sign.processorUs / 1000 },
    { what: 'fdatasync', count: FLUSHES, ms: sync.p50Ms },
  ];
  return { steps, totalMs: steps.reduce((sum, { count, ms }) => sum + count * ms, 0) };
}
