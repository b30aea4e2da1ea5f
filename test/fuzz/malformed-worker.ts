/** A process that checks the files it is told to, so that a native crash is seen from outside. */
import { nodeRuntime } from '../../src/runtime/node.js';
import { checkMalformed } from './check-malformed.js';

const runtime = await nodeRuntime();
process.on('message', (seed: number) => {
  void checkMalformed(seed, runtime).then((outcome) => {
    process.send!({ ...outcome, rss: process.memoryUsage.rss() });
  });
});
