#!/usr/bin/env node
import { describeFailure } from './failure.ts';
import { colorsOf, endWithOutput, printable, processIo } from './io.ts';
import { runCommand } from './program.ts';

const io = processIo();

function fail(error: unknown): void {
  const { exitCode, lines } = describeFailure(error);
  const colors = colorsOf(io);
  const [message, ...hints] = lines;
  // messages of a node name phases, members and files of others
  if (message !== undefined) io.err(`${colors.red('error:')} ${printable(message)}`);
  for (const hint of hints) io.err(printable(hint));
  process.exitCode = exitCode;
}

endWithOutput(process.stdout, fault => {
  if (fault !== null) fail(fault);
  process.exit();
});
try {
  await runCommand(process.argv.slice(2), io);
} catch (error) {
  fail(error);
}
