import { PruneError } from '../errors.js';
import { graphAttributes } from './attributes.js';
import type { Graph, Model, Node } from './model.js';

/** Given to a model without nodes of the default domain, for those that pruning adds. */
const plainOpset = 13;

/**
 * The model with an import for every domain that its nodes are of. Version 1 stands for one that is missing, the
 * default domain aside: its ops have changed too often to be guessed.
 * @throws PruneError `unsupported` for files older than imports, `invalid-file` for a node of a default domain that is
 *   not imported.
 */
export function withImports(model: Model): { readonly model: Model; readonly warnings: readonly string[] } {
  const missing = new Map<string, Node>();
  const stack: Graph[] = [model.graph];
  for (let graph = stack.pop(); graph; graph = stack.pop())
    for (const node of graph.nodes) {
      if (!model.opsets.has(node.domain) && !missing.has(node.domain)) missing.set(node.domain, node);
      stack.push(...graphAttributes(node).map((body) => body.graph));
    }
  const plain = missing.get('');
  if (plain && model.irVersion < 3)
    throw new PruneError(
      'unsupported',
      `a model of ir version ${model.irVersion} is of opset 1, which is older than 7; convert it with onnx.version_converter`,
    );
  if (plain)
    throw new PruneError(
      'invalid-file',
      `the model imports no opset of the default domain, which node '${plain.name}' (${plain.opType}) is of, so what its ops mean is not known; export it again`,
    );
  const warnings = Array.from(
    missing,
    ([domain, node]) =>
      `the model doesn't import domain '${domain}', which node '${node.name}' (${node.opType}) is of; version 1 was added`,
  );
  const added = Array.from(missing.keys(), (domain) => ({ domain, version: 1 }));
  if (!model.opsets.has('')) added.push({ domain: '', version: plainOpset });
  if (added.length === 0) return { model, warnings };
  const opsets = new Map([
    ...model.opsets,
    ...added.map(({ domain, version }) => [domain, version] as const),
  ]);
  return { model: { ...model, opsets, opsetImports: [...model.opsetImports, ...added] }, warnings };
}
