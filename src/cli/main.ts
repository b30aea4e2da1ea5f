#!/usr/bin/env node
import { reportFailure, reportFailedOutput } from './failure.js';

process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(reportFailedOutput(error)));
// There is no place left to say so.
process.stderr.on('error', () => undefined);

try {
  const { main } = await import('./program.js');
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = reportFailure(error);
}
