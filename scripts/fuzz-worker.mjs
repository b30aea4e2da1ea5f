// Runs the seeds that `scripts/fuzz.mjs` sends: one process, so that a native crash is seen from outside.
const [, , built, count, symbolicCount] = process.argv;
const { runSeed } = await import(`${built}/test/fuzz/run-seed.js`);
const { nodeRuntime } = await import(`${built}/src/runtime/node.js`);
const runtime = await nodeRuntime();
process.on('message', async (seed) =>
  process.send(await runSeed(seed, Number(count), Number(symbolicCount), runtime)),
);
