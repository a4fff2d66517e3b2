#!/usr/bin/env node
import { describeFailure } from './failure.ts';
import { colorsOf, processIo } from './io.ts';
import { runCommand } from './program.ts';

const io = processIo();
try {
  await runCommand(process.argv.slice(2), io);
} catch (error) {
  const { exitCode, lines } = describeFailure(error);
  const colors = colorsOf(io);
  const [message, ...hints] = lines;
  if (message !== undefined) io.err(`${colors.red('error:')} ${message}`);
  for (const hint of hints) io.err(hint);
  process.exitCode = exitCode;
}
