import type { ConstantSource } from '../ops/constants.js';
import { operandIndex } from '../ops/index.js';
import type { Operand } from '../ops/op.js';
import { floatAttribute } from '../onnx/attributes.js';
import type { Model } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import { encodeFloats, floatsOf, withBytes } from '../onnx/values.js';
import { placeInWeight } from '../layers/layer.js';
import type { FollowedLayer } from '../layers/find.js';
import type { Weights } from '../edit/weights.js';
import type { Matrix } from 'ml-matrix';
import type { Part } from '../rotation/spaces.js';

/** Collects new weights of layers whose rows and columns are given another basis. */
export class WeightRotation {
  private readonly arrays = new Map<
    string,
    { tensor: Tensor; values: Float64Array; node: number; input: number }
  >();
  private readonly normalised = new Set<number>();

  constructor(
    private readonly model: Model,
    private readonly sources: ReadonlyMap<string, ConstantSource>,
  ) {}

  /** Rows of the weight, and the part of its bias, become `forward` of what they were. */
  write({ layer, positions }: Part, basis: Matrix): void {
    const forward = flat(basis);
    const { bias, layout } = layer;
    if (bias?.kind === 'mean') this.foldNormalisation(layer);
    const weight = this.valuesOf(layer.node, layer.weightInput);
    for (let input = 0; input < layout.inputs; input++)
      for (let e = 0; e < layout.entries; e++) {
        const places = positions.map((row) => placeInWeight(layout, row, input, e));
        mix(weight, places, forward);
      }
    if (bias?.kind === 'own' || bias?.kind === 'add')
      mix(this.valuesOf(bias.node, bias.input), positions, forward);
    if (bias?.kind !== 'mean') return;
    // y = x − mean + shift, once scale and deviation are folded.
    for (const operand of ['mean', 'bias'] as const)
      mix(this.operandOf(bias.node, operand), positions, forward);
  }

  /** Columns of the weight read the old coordinates from the new ones: W becomes W `backward`. */
  read({ layer, positions }: Part, backward: Matrix): void {
    const transposed = flat(backward.transpose());
    const { layout } = layer;
    const weight = this.valuesOf(layer.node, layer.weightInput);
    for (let row = 0; row < layout.rows; row++)
      for (let e = 0; e < layout.entries; e++) {
        const places = positions.map((input) => placeInWeight(layout, row, input, e));
        mix(weight, places, transposed);
      }
  }

  get weights(): Weights {
    const weights = new Map<number, Map<number, Tensor>>();
    for (const { tensor, values, node, input } of this.arrays.values()) {
      const changes = weights.get(node) ?? new Map<number, Tensor>();
      weights.set(node, changes.set(input, withBytes(tensor, encodeFloats(values, 'float32'))));
    }
    return weights;
  }

  /** A BatchNormalization behind a layer scales channel by channel: the layer takes the scale over. */
  private foldNormalisation({ node, weightInput, layout, bias }: FollowedLayer): void {
    const at = bias!.node;
    if (this.normalised.has(at)) return;
    this.normalised.add(at);
    const epsilon = floatAttribute(this.model.graph.nodes[at]!, 'epsilon', 1e-5);
    const [scale, mean, variance] = (['scale', 'mean', 'variance'] as const).map((operand) =>
      this.operandOf(at, operand),
    );
    const weight = this.valuesOf(node, weightInput);
    for (let row = 0; row < layout.rows; row++) {
      const deviation = Math.sqrt(variance![row]! + epsilon);
      const gain = scale![row]! / deviation;
      for (let input = 0; input < layout.inputs; input++)
        for (let e = 0; e < layout.entries; e++) weight[placeInWeight(layout, row, input, e)]! *= gain;
      mean![row]! *= gain;
      scale![row] = deviation;
    }
  }

  private operandOf(node: number, operand: Operand): Float64Array {
    return this.valuesOf(node, operandIndex(this.model.graph.nodes[node]!, operand)!);
  }

  private valuesOf(node: number, input: number): Float64Array {
    const key = `${node} ${input}`;
    let entry = this.arrays.get(key);
    if (!entry) {
      const { tensor } = this.sources.get(this.model.graph.nodes[node]!.inputs[input]!)!;
      entry = { tensor, values: Float64Array.from(floatsOf(tensor)), node, input };
      this.arrays.set(key, entry);
    }
    return entry.values;
  }
}

function flat(matrix: Matrix): Float64Array {
  return Float64Array.from(matrix.to1DArray());
}

/** The elements at `places` as a vector, multiplied by a matrix in rows. */
function mix(values: Float64Array, places: Int32Array, matrix: Float64Array): void {
  const size = places.length;
  const old = Float64Array.from(places, (place) => values[place]!);
  for (let i = 0; i < size; i++) {
    let sum = 0;
    for (let j = 0; j < size; j++) sum += matrix[i * size + j]! * old[j]!;
    values[places[i]!] = sum;
  }
}
