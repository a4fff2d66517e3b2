import type { z } from 'zod';
import { RpcFailure } from './errors.ts';

const FAULTS_MAX = 16;

/**
 * Parameters by name or by position, validated; every fault names its parameter.
 *
 * @throws RpcFailure `invalid_params`
 */
export function parseParams<P extends z.ZodObject>(schema: P, params: unknown): z.output<P> {
  const names = Object.keys(schema.shape);
  const named = Array.isArray(params) ? byPosition(names, params) : params;
  const parsed = schema.safeParse(named);
  if (parsed.success) return parsed.data;
  throw invalidParams(parsed.error.issues.flatMap(faultsOf).slice(0, FAULTS_MAX));
}

function byPosition(names: readonly string[], values: readonly unknown[]): Record<string, unknown> {
  if (values.length > names.length) {
    throw invalidParams([
      { parameter: `[${names.length}]`, fault: `at most ${names.length} parameters are taken` },
    ]);
  }
  return Object.fromEntries(values.map((value, index) => [names[index]!, value]));
}

function faultsOf(issue: z.core.$ZodIssue): { parameter: string; fault: string }[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map(key => ({
      parameter: pathText([...issue.path, key]),
      fault: 'there is no such parameter',
    }));
  }
  return [{ parameter: pathText(issue.path), fault: issue.message }];
}

function pathText(path: readonly PropertyKey[]): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += text === '' ? String(step) : `.${String(step)}`;
  }
  return text.slice(0, 200);
}

export function invalidParams(faults: readonly { parameter: string; fault: string }[]): RpcFailure {
  const first = faults[0] ?? { parameter: '', fault: 'not understood' };
  const where = first.parameter === '' ? '' : `${first.parameter}: `;
  return new RpcFailure('invalid_params', `Invalid params: ${where}${first.fault}`, {
    reason: 'invalid_params',
    hint: 'rpc.discover describes the parameters of every method.',
    parameter: first.parameter,
    faults,
  });
}
