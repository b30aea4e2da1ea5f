/** The other side of `weight-sums.ts`: sums weights that it reads from files, and ends. */
import { parentPort, workerData } from 'node:worker_threads';

import { leadingSums } from '../members/sums.js';
import { PruneError } from '../errors.js';
import { FileBytes } from '../files/file-bytes.js';
import { subrange } from '../onnx/bytes.js';
import { StoredData } from '../onnx/tensor-data.js';
import type { SumAnswer, SumJob } from './weight-sums.js';

const { tasks, power } = workerData as SumJob;
parentPort!.postMessage(answer());

function answer(): SumAnswer {
  try {
    const sums = tasks.map(({ name, dims, dtype, path, offset, byteLength }) => {
      const bytes = subrange(new FileBytes(path, `weights '${name}'`), offset, offset + byteLength);
      return leadingSums({ name, dims, dtype, docString: '', data: new StoredData(bytes) }, power);
    });
    return { sums };
  } catch (error) {
    const code = error instanceof PruneError ? error.code : 'internal';
    return { error: { code, message: error instanceof Error ? error.message : String(error) } };
  }
}
