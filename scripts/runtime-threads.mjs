import { nodeRuntime } from '../dist/index.js';

/** onnxruntime with so many threads a session: on a machine that does other work too, more wait for each other. */
export async function runtimeWithThreads(threads) {
  const runtime = await nodeRuntime();
  const load = (bytes, options = {}) => runtime.load(bytes, { threads, ...options });
  return Object.create(runtime, { load: { value: load } });
}
