import { describe, expect, it } from 'vitest';
import { describeFailure } from '../../../src/cli/failure.ts';
import { rpcErrorOf } from '../../../src/client/rpc-error.ts';

const told = (code: number, message: string, hint: string | null) =>
  describeFailure(rpcErrorOf({ code, message, data: { reason: 'x', hint } }));

describe('what a node answered, told on a command line', () => {
  it('advises commands where the node advises methods', () => {
    const { exitCode, lines } = told(
      1002,
      'no phase is called "x"',
      'phase_list shows what this node may read.',
    );
    expect(exitCode).toBe(1);
    expect(lines).toEqual(['no phase is called "x"', 'phaseline phase list shows what this node may read.']);
    expect(told(1006, 'x', 'file_purgeStatus tells.').lines[1]).toBe(
      'phaseline file certificate CID --phase PHASE tells.',
    );
    expect(told(1002, 'x', 'some_word stays.').lines).toEqual(['x', 'some_word stays.']);
  });

  it('names a wrong value and a wrong node without words of JSON-RPC', () => {
    const wrong = told(-32602, 'Invalid params: label: may not be empty', 'rpc.discover describes them.');
    expect(wrong.lines).toEqual([
      'label: may not be empty',
      'phaseline COMMAND --help shows what a command takes.',
    ]);
    const elsewhere = told(-32601, 'Method not found', 'rpc.discover lists the methods of this node.');
    expect(elsewhere.lines.join(' ')).toMatch(/another role.*--as NAME.*phaseline status/);
  });

  it('ends with 5 for what does not verify, and with 3 for what is refused', () => {
    expect([1005, 1000, 1002].map(code => told(code, 'x', null).exitCode)).toEqual([5, 3, 1]);
  });
});
