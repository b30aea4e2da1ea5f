import { PruneError } from '../errors.js';
import type { Model } from './model.js';

/** `''` for the default domain, which files may also call `ai.onnx`. */
export const normalDomain = (domain: string): string => (domain === 'ai.onnx' ? '' : domain);

/** The oldest opset whose ops mean what they mean today: broadcasting came with 7. */
export const minOpset = 7;

/** Version of a domain's operator set. @throws PruneError `invalid-file` if the model doesn't import it. */
export function opsetOf(model: Model, domain = ''): number {
  const version = model.opsets.get(normalDomain(domain));
  if (version !== undefined) return version;
  const name = domain === '' ? 'the default domain' : `domain '${domain}'`;
  throw new PruneError('invalid-file', `the model imports no opset of ${name}; export it again`);
}

/**
 * Throws for models older than opset 7. Opsets newer than this version knows pass: what changed there is
 * blocked rule by rule.
 * @throws PruneError `unsupported`
 */
export function checkOpset(model: Model): void {
  const version = opsetOf(model);
  if (version < minOpset)
    throw new PruneError(
      'unsupported',
      `opset ${version} is older than ${minOpset}; convert the model with onnx.version_converter`,
    );
}
