import { z } from 'zod';
import { isReject } from '../core/base/reject.ts';
import { decodeForkEvidence, encodeForkEvidence, type ForkEvidence } from '../core/light/fork.ts';
import { OperatingError } from '../ports/lifecycle.ts';

const FORMAT = 'phaseline/fork/1';

/** What people read stands beside the evidence; only the evidence itself is checked. */
const fileSchema = z.object({ format: z.literal(FORMAT), evidence: z.base64() });

/** Names the height and both blocks; the same evidence has the same name. */
export function evidenceFileName({ first, second }: ForkEvidence): string {
  const short = (hash: string) => hash.slice(0, 12);
  const { height } = first.header;
  return `fork-${height}-${short(first.certificate.blockHash)}-${short(second.certificate.blockHash)}.json`;
}

export function formatEvidence(evidence: ForkEvidence): string {
  const { chainId, first, second } = evidence;
  const told = [first, second].map(({ header, certificate }) => ({
    height: header.height,
    hash: certificate.blockHash,
    time: new Date(header.timeMs).toISOString(),
    validatorSetId: certificate.validatorSetId,
    view: certificate.view,
  }));
  const bytes = Buffer.from(encodeForkEvidence(evidence)).toString('base64');
  return `${JSON.stringify({ format: FORMAT, chainId, headers: told, evidence: bytes }, null, 2)}\n`;
}

/** @throws OperatingError `bad_evidence` when the text is no evidence file */
export function parseEvidence(text: string, source: string): ForkEvidence {
  const fail = (detail: string, cause?: unknown): never => {
    const hint = 'Give a file of the evidence directory of a member\u2019s node.';
    throw new OperatingError('bad_evidence', `${source} is no evidence file: ${detail}`, hint, cause);
  };
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    return fail('not JSON', cause);
  }
  const parsed = fileSchema.safeParse(document);
  if (!parsed.success) return fail(parsed.error.issues[0]!.message);
  const evidence = decodeForkEvidence(new Uint8Array(Buffer.from(parsed.data.evidence, 'base64')));
  return isReject(evidence) ? fail(evidence.detail) : evidence;
}
