import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { PruneError } from '../errors.js';

/**
 * The text of echarts' minified build, to stand in a report.
 * @throws PruneError `runtime` if echarts is not installed
 */
export async function chartLibrary(): Promise<string> {
  try {
    const folder = join(createRequire(import.meta.url).resolve('echarts/package.json'), '..');
    return await readFile(join(folder, 'dist', 'echarts.min.js'), 'utf8');
  } catch (cause) {
    throw new PruneError('runtime', 'reports need echarts to draw; run npm install echarts', { cause });
  }
}
