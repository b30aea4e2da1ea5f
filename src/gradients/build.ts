import { PruneError } from '../errors.js';
import { constantTensor } from '../ops/literal.js';
import type { DataType } from '../onnx/data-type.js';
import { opsetOf } from '../onnx/domain.js';
import { graphModel, tensorInfo, untypedInfos } from '../onnx/graph-model.js';
import type { Model, Node, ValueInfo } from '../onnx/model.js';
import { parameterOf } from '../ops/parameters.js';
import type { Tensor } from '../onnx/tensor.js';
import { floatsOf, integersOf } from '../onnx/values.js';
import { qualifiedName } from '../ops/index.js';
import type { Shapes } from '../shapes/shapes.js';
import { literalsOf, usedNames } from '../shapes/literals.js';
import { freePrefix, live } from './emitted.js';
import { Emitter } from './emitter.js';
import type { Loss, LossContext, LossFeed, LossOutput } from './losses.js';
import type { GradientContext } from './rule.js';
import { constant } from './rules/constant.js';
import { gradientRules } from './rules/index.js';

/** From this opset on all ops of the backward graph exist (Scatter with `add` is the youngest): one graph does it all. */
const youngest = 16;

/** Opset of the backward graph of older models. */
const backwardOpset = 18;

/** Where shapes depend on data. */
const remedy =
  'choose a criterion that takes none, such as magnitude, or a loss of one value before (--loss squared-norm=NAME)';

export interface GradientRequest {
  readonly model: Model;
  /** Static shapes at the batch size that is to be run. */
  readonly shapes: Shapes;
  /** Values that shape and index operands have, as far as they don't depend on data. */
  readonly constants: ReadonlyMap<string, Tensor>;
  readonly loss: Loss;
  /** Initializers, Constant outputs, graph inputs or any other float32 values. */
  readonly wrt: readonly string[];
  /** Forward values that are outputs too, besides loss and gradients. Default: none. */
  readonly watch?: readonly string[] | undefined;
}

/** A fed value of the loss. */
export interface FedValue {
  readonly name: string;
  readonly feed: LossFeed;
  readonly shape: readonly number[];
}

/** Models to be run one after the other: inputs of each are inputs of the original, fed values or earlier outputs. */
export interface GradientGraphs {
  /**
   * One that computes forward and backward, or for opsets before 16 the original with the needed intermediates as
   * outputs and a backward model of a later opset. Constants of `wrt` are initializers, by their names.
   */
  readonly stages: readonly Model[];
  readonly fed: readonly FedValue[];
  /** Outputs of the last stage: the loss, and the gradient by name; names that the loss doesn't depend on are missing. */
  readonly loss: string;
  readonly gradients: ReadonlyMap<string, string>;
}

/**
 * Builds the models by walking the graph from its end. Rules are looked up first.
 * @throws PruneError `unsupported` listing the ops without a rule, or for values that are no static float32 tensors;
 *   `invalid-option` for unknown names.
 */
export function buildGradients(request: GradientRequest): GradientGraphs {
  return new Reverse(request).build();
}

class Reverse {
  private readonly emit: Emitter;
  private readonly literals: ReadonlyMap<string, Tensor>;
  private readonly cotangents = new Map<string, string[]>();
  private readonly fed: FedValue[] = [];
  private readonly feedTypes = new Map<string, ValueInfo>();
  /** Names given to outputs that the model leaves unnamed, by node and output. */
  private readonly named = new Map<Node, Map<number, string>>();
  private readonly prefix: string;
  private readonly active: ReadonlySet<string>;

  constructor(private readonly request: GradientRequest) {
    const { graph } = request.model;
    this.literals = literalsOf(graph);
    this.prefix = freePrefix(graph);
    this.emit = new Emitter(this.prefix, this.isOld ? backwardOpset : opsetOf(request.model));
    this.checkWanted();
    this.active = this.activeValues();
  }

  private get isOld(): boolean {
    return opsetOf(this.request.model) < youngest;
  }

  build(): GradientGraphs {
    const { loss, wrt } = this.request;
    const { value, cotangents } = loss.emit(this.lossContext());
    for (const [name, cotangent] of cotangents) this.cotangents.set(name, [cotangent]);

    const path = this.nodesBetween(new Set(cotangents.keys()));
    checkRules(path);
    for (const node of path.reverse()) this.pull(node);
    const gradients = new Map<string, string>();
    for (const name of wrt) {
      const total = this.total(name);
      if (total !== undefined) gradients.set(name, total);
    }
    return this.assemble(value, gradients);
  }

  private lossContext(): LossContext {
    const { model, shapes } = this.request;
    const names = model.graph.outputs
      .map(({ name }) => name)
      .filter((name) => this.dtypeOf(name) === 'float32');
    const open = names.filter((name) => !this.staticShape(name));
    const outputs = (): LossOutput[] => {
      if (open.length === 0) return names.map((name) => ({ name, shape: this.shapeOf(name) }));
      throw new PruneError(
        'unsupported',
        `the shapes of the outputs ${open.join(', ')} depend on data, so a loss of them has no gradient; ${remedy}`,
      );
    };
    return {
      emit: this.emit,
      get outputs() {
        return outputs();
      },
      value: (name) => {
        if (this.dtypeOf(name) === 'float32') return { name, shape: this.shapeOf(name) };
        const listed = names.map((output) => `${output} [${shapes.of(output)?.map((dim) => dim ?? '?').join(', ')}]`); // prettier-ignore
        throw new PruneError(
          'invalid-option',
          `invalid loss output: ${name}; name a float value of the graph, such as an output: ${listed.join(', ') || 'none'}`,
        );
      },
      batch: [...shapes.inputs.values()][0]?.[0] ?? 1,
      feed: (feed, dtype, shape) => this.feed(feed, dtype, shape),
    };
  }

  private checkWanted(): void {
    const { wrt, shapes } = this.request;
    for (const name of wrt) {
      const dtype = this.dtypeOf(name);
      if (dtype === undefined)
        throw new PruneError('invalid-option', `unknown value: ${name}; ask for tensors of the model`);
      if (dtype !== 'float32')
        throw new PruneError(
          'unsupported',
          `value '${name}' is of type ${shapes.dtypeOf(name) ?? dtype}, gradients need float32; convert the model`,
        );
    }
  }

  private dtypeOf(name: string): DataType | undefined {
    return this.literals.get(name)?.dtype ?? this.request.shapes.dtypeOf(name);
  }

  /** Values that depend on what is asked for, smoothly. */
  private activeValues(): Set<string> {
    const active = new Set(this.request.wrt);
    for (const node of this.request.model.graph.nodes) {
      if (node.domain === '' && Object.hasOwn(constant, node.opType)) continue;
      if (!usedNames(node).some((name) => active.has(name))) continue;
      for (const name of node.outputs) {
        const dtype = name && this.dtypeOf(name);
        if (dtype === 'float16' || dtype === 'float64' || dtype === 'bfloat16')
          throw new PruneError('unsupported', `value '${name}' is of type ${dtype}, gradients need float32; convert the model`); // prettier-ignore
        if (name && (dtype === 'float32' || dtype === undefined)) active.add(name);
      }
    }
    return active;
  }

  /** Nodes through which the cotangents flow to what is asked for, in graph order. */
  private nodesBetween(seeded: Set<string>): Node[] {
    const reached = seeded;
    const path: Node[] = [];
    const { nodes } = this.request.model.graph;
    for (let i = nodes.length - 1; i >= 0; i--) {
      const node = nodes[i]!;
      if (!node.outputs.some((name) => reached.has(name) && this.active.has(name))) continue;
      const inputs = usedNames(node).filter((name) => this.active.has(name));
      if (inputs.length === 0) continue;
      for (const name of inputs) reached.add(name);
      path.push(node);
    }
    return path.reverse();
  }

  private pull(node: Node): void {
    if (!node.outputs.some((name) => this.cotangents.has(name))) return;
    const results = gradientRules.get(qualifiedName(node))!(this.context(node));
    results.forEach((cotangent, input) => {
      const name = node.inputs[input];
      if (cotangent === undefined || !name || !this.active.has(name)) return;
      const parts = this.cotangents.get(name);
      if (parts) parts.push(cotangent);
      else this.cotangents.set(name, [cotangent]);
    });
  }

  /** The sum of what came back to a value from its uses. */
  private total(name: string): string | undefined {
    const parts = this.cotangents.get(name);
    if (!parts) return undefined;
    const sum = this.emit.total(parts);
    this.cotangents.set(name, [sum]);
    return sum;
  }

  private context(node: Node): GradientContext {
    const { model } = this.request;
    const opset = opsetOf(model);
    const shape = (name: string | undefined): readonly number[] => this.shapeOf(name ?? '');
    const refuse = (why: string): never => {
      throw new PruneError(
        'unsupported',
        `no gradient for node '${node.name || node.outputs[0]}' (${node.opType}): ${why}; choose a criterion without gradients`,
      );
    };
    return {
      node,
      opset,
      emit: this.emit,
      inputCount: node.inputs.length,
      outputCount: node.outputs.length,
      has: (input) => !!node.inputs[input],
      shape: (input) => shape(node.inputs[input]),
      outputShape: (output = 0) => shape(node.outputs[output]),
      input: (input) => node.inputs[input]!,
      output: (output = 0) => node.outputs[output] || this.nameOutput(node, output),
      grad: (output = 0) => this.total(node.outputs[output]!) ?? this.emit.zeros(shape(node.outputs[output])),
      hasGrad: (output) => this.cotangents.has(node.outputs[output] ?? ''),
      wants: (input) => this.active.has(node.inputs[input] ?? ''),
      numbers: (input) => this.numbersOf(node.inputs[input]),
      parameter: (name) => {
        const found = parameterOf(node, opset, name);
        if (found.source === 'absent') return undefined;
        if (found.source === 'input')
          return this.numbersOf(node.inputs[found.index]) ?? refuse(`its ${name} are computed from data`);
        const attribute = node.attributes.get(found.attribute);
        if (attribute?.type === 'ints') return attribute.value.map(Number);
        if (attribute?.type === 'floats') return attribute.value;
        if (attribute?.type === 'int' || attribute?.type === 'float') return [Number(attribute.value)];
        return undefined;
      },
      refuse,
    };
  }

  private nameOutput(node: Node, output: number): string {
    let names = this.named.get(node);
    if (!names) this.named.set(node, (names = new Map<number, string>()));
    let name = names.get(output);
    if (name === undefined)
      names.set(output, (name = `${this.prefix}${node.outputs.find(Boolean)}/${output}`));
    return name;
  }

  private numbersOf(name: string | undefined): readonly number[] | undefined {
    const tensor = this.literals.get(name ?? '') ?? this.request.constants.get(name ?? '');
    if (!tensor) return undefined;
    return tensor.dtype === 'float32' ? Array.from(floatsOf(tensor)) : integersOf(tensor);
  }

  private staticShape(name: string): readonly number[] | undefined {
    const shape = this.literals.get(name)?.dims ?? this.request.shapes.of(name);
    return shape?.every((dim) => dim !== undefined) ? shape : undefined;
  }

  private shapeOf(name: string): readonly number[] {
    const shape = this.staticShape(name);
    if (shape) return shape;
    throw new PruneError(
      'unsupported',
      `the shape of value '${name}' depends on data, so it has no gradient; ${remedy}`,
    );
  }

  private feed(feed: LossFeed, dtype: DataType, shape: readonly number[]): string {
    const key = typeof feed === 'string' ? feed : feed.extra;
    const name = `${this.prefix}fed/${key}`;
    if (!this.fed.some((fed) => fed.name === name)) this.fed.push({ name, feed, shape });
    this.feedTypes.set(name, tensorInfo(name, dtype, shape));
    return name;
  }

  private assemble(loss: string, gradients: ReadonlyMap<string, string>): GradientGraphs {
    // A gradient may be a value of the forward graph itself, which can't be both input and output.
    const outputs = new Map([...gradients].map(([name, value]) => [name, this.emit.copy(value)]));
    const { watch = [] } = this.request;
    const results = [loss, ...outputs.values()];
    const { nodes, free } = live(this.emit.nodes, results, this.emit.initializers);
    const used = new Set(nodes.flatMap((node) => node.inputs));
    const constants = this.emit.initializers.filter(({ name }) => used.has(name));
    const fed = this.fed.filter(({ name }) => free.has(name));
    const feeds = fed.map(({ name }) => this.feedTypes.get(name)!);
    const stages = this.isOld
      ? this.twoStages(nodes, free, constants, feeds, results)
      : [this.extended({ nodes, inputs: feeds, initializers: constants, outputs: [...results, ...watch] })];
    return { stages, fed, loss, gradients: outputs };
  }

  private twoStages(
    nodes: readonly Node[],
    free: ReadonlySet<string>,
    constants: readonly Tensor[],
    feeds: readonly ValueInfo[],
    results: readonly string[],
  ): Model[] {
    const { graph } = this.request.model;
    const graphInputs = new Set(this.request.shapes.inputs.keys());
    const own = new Set(feeds.map(({ name }) => name));
    const taken = [...free].filter((name) => !own.has(name) && !this.literals.has(name));
    const kept = taken.filter((name) => !graphInputs.has(name));
    const literals = [...free].flatMap((name) => {
      const tensor = this.literals.get(name);
      return tensor ? [{ ...tensor, name }] : [];
    });
    const backward = graphModel({
      nodes,
      inputs: [...feeds, ...taken.map((name) => this.infoOf(name))],
      outputs: results,
      initializers: [...constants, ...literals],
      opset: backwardOpset,
    });
    const wanted = [...new Set([...kept, ...(this.request.watch ?? [])])];
    const outputs = wanted.length > 0 ? wanted : graph.outputs.slice(0, 1).map(({ name }) => name);
    return [this.extended({ nodes: [], inputs: [], initializers: [], outputs }), backward];
  }

  private infoOf(name: string): ValueInfo {
    const dtype = this.dtypeOf(name);
    const shape = this.literals.get(name)?.dims ?? this.request.shapes.of(name);
    return tensorInfo(name, dtype ?? 'float32', shape);
  }

  /** The model with inputs of the pinned shapes, Constants of `wrt` as initializers, more nodes and other outputs. */
  private extended(more: {
    readonly nodes: readonly Node[];
    readonly inputs: readonly ValueInfo[];
    readonly initializers: readonly Tensor[];
    readonly outputs: readonly string[];
  }): Model {
    const { model, shapes, wrt } = this.request;
    const { graph } = model;
    const wanted = new Set(wrt);
    const moved: Tensor[] = [];
    const nodes = graph.nodes.flatMap((node) => {
      const tensor = constantTensor(node);
      if (tensor && wanted.has(tensor.name)) {
        moved.push(tensor);
        return [];
      }
      const names = this.named.get(node);
      if (!names) return [node];
      const outputs = [...node.outputs];
      for (const [output, name] of names) {
        while (outputs.length <= output) outputs.push('');
        outputs[output] = name;
      }
      return [{ ...node, outputs }];
    });
    // An initializer that is an input too could be overridden, so onnxruntime would not optimise with it.
    const inputs = graph.inputs
      .filter(({ name }) => !this.literals.has(name))
      .map((input) => {
        const shape = shapes.inputs.get(input.name);
        return shape && input.type?.kind === 'tensor'
          ? tensorInfo(input.name, input.type.dtype, shape)
          : input;
      });
    return {
      ...model,
      irVersion: Math.max(4, model.irVersion),
      graph: {
        ...graph,
        nodes: [...nodes, ...more.nodes],
        inputs: [...inputs, ...more.inputs],
        initializers: [...graph.initializers, ...moved, ...more.initializers],
        outputs: untypedInfos(more.outputs),
        valueInfos: [],
      },
    };
  }
}

function checkRules(path: readonly Node[]): void {
  const missing = new Map<string, number>();
  for (const node of path) {
    const op = qualifiedName(node);
    if (!gradientRules.has(op)) missing.set(op, (missing.get(op) ?? 0) + 1);
  }
  if (missing.size === 0) return;
  const listed = [...missing].map(([op, count]) => (count > 1 ? `${op} (${count} nodes)` : op)).join(', ');
  throw new PruneError('unsupported', `no gradient rule for ${listed}; choose a criterion without gradients`);
}
