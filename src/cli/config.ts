import { PruneError } from '../errors.js';
import type { OptionsOf } from '../options/option.js';
import { configOptions } from '../options/config.js';
import { validate } from '../options/validate.js';
import { isRecord, readJson } from './json-file.js';

/**
 * The options of a configuration file: JSON with the names of the library. A plan may be the path of its file.
 * @throws PruneError `invalid-option` naming a key that isn't known or whose value doesn't fit, `invalid-file`
 */
export function readConfig(path: string | undefined): OptionsOf<typeof configOptions> {
  if (path === undefined) return {};
  const content = readJson(path);
  if (!isRecord(content))
    throw new PruneError('invalid-option', `'${path}' holds no object; write {"ratio": 0.5} for example`);
  const { $schema: _, ...given } = content;
  const options = validate(configOptions, given, {
    kind: 'key',
    nameOf: (key) => `'${key}'`,
    where: ` in '${path}'`,
  });
  return typeof options.plan === 'string' ? { ...options, plan: readJson(options.plan) } : options;
}
