import { rankedInfo, tensorInfo } from '../onnx/graph-model.js';
import type { Model, Node } from '../onnx/model.js';
import { opOf, qualifiedName } from '../ops/index.js';
import type { Runtime } from '../runtime/runtime.js';
import { isFeedable } from '../runtime/tensors.js';
import { usedNames } from './literals.js';
import { inferShapes, type ShapeOptions } from './shapes.js';

/** What onnxruntime can run of a model. */
export interface KnownPart {
  readonly model: Model;
  /** Qualified names of the ops that were left out, each once. */
  readonly leftOut: readonly string[];
}

/**
 * A model without the nodes whose ops onnxruntime doesn't know: what they write becomes inputs, of the shapes that the file
 * or `shapes` says; what depends on values of unknown shape goes too. Outputs are those that are still computed, or
 * where there are none what the left-out nodes read. A model of known ops only is returned as it is.
 */
export async function knownPart(
  model: Model,
  runtime: Runtime,
  options: ShapeOptions = {},
): Promise<KnownPart> {
  const { graph } = model;
  if (graph.nodes.every((node) => opOf(node) !== undefined)) return { model, leftOut: [] };
  const shapes = await inferShapes(model, runtime, options);
  const unknown = new Set(shapes.unknownOps.map(({ node }) => node));
  const isUnknown = (node: Node, index: number): boolean =>
    unknown.has(node.name === '' ? `#${index}` : node.name);
  const lost = new Set<string>();
  const given = new Set<string>();
  const leftOut = new Set<string>();
  const read = new Set<string>();
  const nodes = graph.nodes.filter((node, index) => {
    const isLost = usedNames(node).some((name) => lost.has(name));
    if (!isLost && !isUnknown(node, index)) return true;
    if (!isLost) {
      leftOut.add(qualifiedName(node));
      for (const name of usedNames(node)) read.add(name);
    }
    for (const name of node.outputs.filter(Boolean)) {
      const isKnown = isFeedable(shapes.dtypeOf(name)) && shapes.of(name)?.every((dim) => dim !== undefined);
      (isKnown && !isLost ? given : lost).add(name);
    }
    return false;
  });
  if (leftOut.size === 0) return { model, leftOut: [] };
  const used = new Set(nodes.flatMap(usedNames));
  const inputs = [...given]
    .filter((name) => used.has(name))
    .map((name) => tensorInfo(name, shapes.dtypeOf(name)!, shapes.of(name)));
  const computed = new Set(nodes.flatMap(({ outputs }) => outputs));
  const declared = graph.outputs.filter(({ name }) => computed.has(name));
  const outputs =
    declared.length > 0
      ? declared
      : [...read]
          .filter((name) => computed.has(name))
          .map((name) => rankedInfo(name, shapes.dtypeOf(name)!, shapes.of(name)?.length));
  return {
    model: { ...model, graph: { ...graph, nodes, inputs: [...graph.inputs, ...inputs], outputs } },
    leftOut: [...leftOut],
  };
}
