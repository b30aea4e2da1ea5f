import { findConstants } from '../ops/constants.js';
import { withAttribute, withoutAttribute } from '../onnx/attributes.js';
import { capturedNames } from '../onnx/graph-index.js';
import type { Model, Node } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import { FreshNames } from '../onnx/names.js';

/** New constants by node and input. */
export type Weights = ReadonlyMap<number, ReadonlyMap<number, Tensor>>;

/**
 * The model with other constants at some inputs; nodes keep their places, so that an analysis of the model still
 * holds. A tensor keeps its name where the edited use is its only one.
 */
export function withWeights(model: Model, weights: Weights): Model {
  const { graph } = model;
  const sources = findConstants(graph);
  const readers = new Map<string, number>();
  const count = (name: string): void => void readers.set(name, (readers.get(name) ?? 0) + 1);
  for (const node of graph.nodes) {
    node.inputs.forEach(count);
    capturedNames(node).forEach(count);
  }
  for (const { name } of graph.outputs) count(name);

  const names = new FreshNames(graph);
  const initializers = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  const constants = new Map<string, Tensor>();
  const added: Tensor[] = [];
  const released = new Set<string>();
  const edited = graph.nodes.map((node, index): Node => {
    const changes = weights.get(index);
    if (!changes) return node;
    const inputs = [...node.inputs];
    for (const [input, tensor] of changes) {
      const name = inputs[input] ?? '';
      const isOwn = name !== '' && readers.get(name) === 1 && sources.get(name)?.name === name;
      if (isOwn && initializers.has(name)) initializers.set(name, { ...tensor, name });
      else if (isOwn) constants.set(name, tensor);
      else {
        const fresh = names.take(name || `${node.outputs[0]}_bias`);
        added.push({ ...tensor, name: fresh });
        while (inputs.length <= input) inputs.push('');
        inputs[input] = fresh;
        if (name) {
          readers.set(name, readers.get(name)! - 1);
          released.add(name);
        }
      }
    }
    return { ...node, inputs };
  });
  for (const name of released) if (readers.get(name) === 0) initializers.delete(name);
  return {
    ...model,
    graph: {
      ...graph,
      nodes: edited.map((node) => {
        const tensor = constants.get(node.outputs[0] ?? '');
        return tensor ? withConstant(node, tensor) : node;
      }),
      initializers: [...initializers.values(), ...added],
      inputs: [
        ...inputsWithout(model, released, readers),
        ...(model.irVersion < 4 ? added.map(inputOf) : []),
      ],
    },
  };
}

function inputsWithout(
  { graph }: Model,
  released: ReadonlySet<string>,
  readers: ReadonlyMap<string, number>,
): Model['graph']['inputs'] {
  return graph.inputs.filter(({ name }) => !(released.has(name) && readers.get(name) === 0));
}

/** Below IR version 4 every initializer is a graph input too. */
function inputOf({ name, dtype, dims }: Tensor): Model['graph']['inputs'][number] {
  const shape = dims.map((value) => ({ value, denotation: '' }));
  return { name, docString: '', type: { kind: 'tensor', dtype, shape, denotation: '' } };
}

function withConstant(node: Node, tensor: Tensor): Node {
  let out = node;
  for (const form of ['value_int', 'value_ints', 'value_float', 'value_floats'])
    out = withoutAttribute(out, form);
  return withAttribute(out, 'value', { type: 'tensor', value: tensor });
}
