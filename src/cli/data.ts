import type { DataOptions } from '../data/options.js';
import type { Data } from '../options/data.js';

/** A path given on the command line with how to read it; anything else as it is. */
export function withDataOptions(data: Data | undefined, options: Partial<DataOptions>): Data | undefined {
  return typeof data === 'string' ? { ...options, path: data } : data;
}
