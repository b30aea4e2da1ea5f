import type { AxisCoupling, ParameterUse } from '../axes/couple.js';
import type { Role } from '../axes/relation.js';
import { PruneError } from '../errors.js';
import { withAttribute } from '../onnx/attributes.js';
import { opsetOf } from '../onnx/domain.js';
import type { Model, Node } from '../onnx/model.js';
import { FreshNames } from '../onnx/names.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { floatsOf, floatTensor } from '../onnx/values.js';
import type { Values } from './values.js';

/**
 * Which weights train: all, those of normalisation layers, vectors only (biases, and norms too), or all, of which matrices
 * by an update of low rank.
 */
export const trainableSets = ['all', 'norms', 'biases', 'low-rank'] as const;

export type TrainableSet = (typeof trainableSets)[number];

export interface Trainable {
  /** Name of the initializer. */
  readonly name: string;
  readonly dims: readonly number[];
  /** `norm`: scale or shift of a normalisation layer; `bias`: any other vector; `weight`: all else. */
  readonly kind: 'weight' | 'norm' | 'bias';
}

/** A normalisation layer that takes its statistics from the batch while training. */
export interface BatchStatistics {
  /** Initializers of its running mean and variance. */
  readonly running: readonly [mean: string, variance: string];
  /** Values of the graph that are mean and variance of the batch. */
  readonly batch: readonly [mean: string, variance: string];
  readonly node: string;
}

/** A model made ready for training. */
export interface Student {
  /** As it is run when it is done: with running statistics. All trainable weights are initializers of their own. */
  readonly model: Model;
  /** As it trains: the same, with statistics of the batch. */
  readonly training: Model;
  readonly trainable: readonly Trainable[];
  readonly statistics: readonly BatchStatistics[];
  /** The trainable initializer that a use of a constant reads; undefined for those that don't train. */
  readonly nameOf: (use: ParameterUse) => string | undefined;
  /** Weights that stay as they are, with the reason. */
  readonly frozen: readonly { readonly name: string; readonly why: string }[];
}

export interface StudentOptions {
  /** Default `all`. */
  readonly trainable?: TrainableSet | undefined;
  /** Whether normalisation layers with running statistics take those of the batch while training. Default true. */
  readonly batchStatistics?: boolean | undefined;
}

/** Roles by which an op reads what PyTorch calls a parameter. */
const trained: readonly Role[] = ['produce', 'contract', 'batch', 'scale', 'shift'];

/** Values beyond this are no weights but stand for infinity, as in attention masks. */
const largestWeight = 1e4;

/** From this opset on normalisation by the statistics of the batch is an attribute. */
const batchStatisticsOpset = 14;

/**
 * Finds what trains in a model. Parameters are told by the roles that ops read them in, never by name or op. Vectors that
 * a file stores once for several layers, as exporters do with equal ones, get a copy for each layer.
 * @throws PruneError `unsupported` where nothing can be trained
 */
export function studentOf(axes: AxisCoupling, options: StudentOptions = {}): Student {
  return new Preparation(axes, options).run();
}

class Preparation {
  private readonly model: Model;
  private readonly names: FreshNames;
  private readonly roles = new Map<number, Set<Role>>();
  private readonly normNodes = new Set<number>();
  /** Nodes that compute with constants alone. */
  private readonly expressions = new Set<number>();
  private readonly inputs: string[][];
  private readonly added = new Map<string, Tensor>();
  private readonly trainable = new Map<string, Trainable>();
  private readonly frozen = new Map<string, string>();
  private readonly owned = new Map<ParameterUse, string>();

  constructor(
    private readonly axes: AxisCoupling,
    private readonly options: StudentOptions,
  ) {
    this.model = axes.model;
    this.names = new FreshNames(this.model.graph);
    this.inputs = this.model.graph.nodes.map(({ inputs }) => [...inputs]);
    const behind = this.parametersBehind();
    for (const { node, input, role } of axes.roles) {
      if (role === 'normalize' || role === 'mean') this.normNodes.add(node);
      for (const use of behind(node, input)) {
        const own = this.roles.get(use) ?? new Set<Role>();
        this.roles.set(use, own.add(role));
      }
    }
  }

  /** The uses of constants that an input is computed from, where it is computed from nothing else. */
  private parametersBehind(): (node: number, input: number) => Iterable<number> {
    const usesOf = new Map<number, number[]>();
    this.axes.parameters.forEach(({ node }, index) => {
      const own = usesOf.get(node) ?? [];
      usesOf.set(node, [...own, index]);
    });
    const computed = new Map<string, ReadonlySet<number>>();
    const directly = (node: number, input: number): number | undefined =>
      usesOf.get(node)?.find((index) => this.axes.parameters[index]!.input === input);
    this.model.graph.nodes.forEach(({ inputs, outputs }, node) => {
      const found = new Set<number>();
      const isConstant = inputs.every((name, input) => {
        const use = directly(node, input);
        if (use !== undefined) found.add(use);
        for (const index of computed.get(name) ?? []) found.add(index);
        return name === '' || use !== undefined || computed.has(name);
      });
      if (!isConstant || found.size === 0) return;
      this.expressions.add(node);
      for (const name of outputs) if (name) computed.set(name, found);
    });
    return (node, input) => {
      const use = directly(node, input);
      const { inputs } = this.model.graph.nodes[node]!;
      return use === undefined ? (computed.get(inputs[input] ?? '') ?? []) : [use];
    };
  }

  run(): Student {
    const running = new Map<number, { mean?: string; variance?: string }>();
    const uses = this.axes.parameters.map((use, index) => {
      const roles = [...(this.roles.get(index) ?? [])];
      const isStatistic = roles.includes('mean') || roles.includes('variance');
      return { use, roles, isStatistic, isOwned: isStatistic || this.accepts(use, roles) };
    });
    // What reads a constant as no parameter goes on reading the one of the file.
    const taken = new Set(uses.filter(({ isOwned }) => !isOwned).map(({ use }) => use.source.name));
    uses.forEach(({ use, roles, isStatistic, isOwned }) => {
      if (!isOwned) return;
      const name = this.own(use, taken);
      if (isStatistic) {
        const found = running.get(use.node) ?? {};
        running.set(use.node, { ...found, [roles.includes('mean') ? 'mean' : 'variance']: name });
      } else this.trainable.set(name, { name, dims: use.source.tensor.dims, kind: this.kindOf(use, roles) });
    });
    const wanted = [...this.trainable.values()].filter(({ kind }) => this.isWanted(kind));
    if (wanted.length === 0) throw new PruneError('unsupported', this.nothing());
    const model = this.rebuilt();
    const names = new Set(wanted.map(({ name }) => name));
    const nameOf = (use: ParameterUse): string | undefined => {
      const name = this.owned.get(use);
      return name !== undefined && names.has(name) ? name : undefined;
    };
    const statistics = this.options.batchStatistics === false ? [] : this.statistics(model, running);
    return {
      model,
      training: withBatchStatistics(model, statistics),
      trainable: wanted,
      statistics,
      nameOf,
      frozen: [...this.frozen].map(([name, why]) => ({ name, why })),
    };
  }

  /** Whether a constant is a parameter that has a gradient; notes the reason where a weight isn't. */
  private accepts({ source }: ParameterUse, roles: readonly Role[]): boolean {
    const { name, tensor, kind } = source;
    if (!roles.some((role) => trained.includes(role)) || elementCount(tensor.dims) < 2) return false;
    // Shapes and indices are no weights, whatever computes with them.
    if (tensor.dtype === 'int64' || tensor.dtype === 'int32') return false;
    const why =
      tensor.dtype !== 'float32'
        ? `it is of type ${tensor.dtype}; only float32 weights are trained`
        : reasonAgainst(floatsOf(tensor), kind);
    if (why !== undefined) this.frozen.set(name, why);
    return why === undefined;
  }

  private kindOf({ node, source }: ParameterUse, roles: readonly Role[]): Trainable['kind'] {
    const isAffine = roles.every((role) => role === 'scale' || role === 'shift');
    if (isAffine && this.normNodes.has(node)) return 'norm';
    return source.tensor.dims.filter((dim) => dim !== 1).length > 1 ? 'weight' : 'bias';
  }

  private isWanted(kind: Trainable['kind']): boolean {
    const { trainable = 'all' } = this.options;
    return (
      trainable === 'all' ||
      trainable === 'low-rank' ||
      kind === 'norm' ||
      (trainable === 'biases' && kind === 'bias')
    );
  }

  private nothing(): string {
    const { trainable = 'all' } = this.options;
    const why = [...this.frozen].slice(0, 3).map(([name, reason]) => `'${name}': ${reason}`);
    const what =
      trainable === 'all' ? 'no weights that can be trained' : `no ${trainable} that can be trained`;
    return `the model has ${what}${why.length > 0 ? ` (${why.join('; ')})` : ''}; convert it to float32, or leave training out`;
  }

  /** The initializer that a use reads, a copy where another layer reads the same one and they aren't tied. */
  private own(use: ParameterUse, taken: Set<string>): string {
    const { node, input, source } = use;
    // What computes weights from weights is no layer.
    const isAlone = !taken.has(source.name) || source.tied || this.expressions.has(node);
    const name = isAlone ? source.name : this.names.take(`${source.name}/${node}`);
    taken.add(source.name);
    this.inputs[node]![input] = name;
    this.owned.set(use, name);
    this.added.set(name, { ...source.tensor, name });
    return name;
  }

  private rebuilt(): Model {
    const { graph } = this.model;
    const nodes = graph.nodes
      .map((node, index): Node => ({ ...node, inputs: this.inputs[index]! }))
      .filter(({ outputs }) => !this.added.has(outputs[0] ?? ''));
    const initializers = [
      ...graph.initializers.filter(({ name }) => !this.added.has(name)),
      ...this.added.values(),
    ];
    return { ...this.model, graph: { ...graph, nodes, initializers } };
  }

  private statistics(
    model: Model,
    running: ReadonlyMap<number, { mean?: string; variance?: string }>,
  ): BatchStatistics[] {
    if (opsetOf(model) < batchStatisticsOpset) return [];
    return [...running].flatMap(([index, { mean, variance }]): BatchStatistics[] => {
      const node = this.model.graph.nodes[index]!.outputs[0]!;
      if (mean === undefined || variance === undefined) return [];
      const batch = [this.names.take(`${node}/mean`), this.names.take(`${node}/variance`)] as const;
      return [{ running: [mean, variance], batch, node }];
    });
  }
}

/** Why a constant that is read like a parameter is none. */
function reasonAgainst(values: ArrayLike<number>, kind: 'initializer' | 'constant'): string | undefined {
  let isEven = true;
  for (let i = 0; i < values.length; i++) {
    if (!(Math.abs(values[i]!) < largestWeight))
      return `it has values beyond ${largestWeight}, as masks have`;
    if (values[i] !== values[0]) isEven = false;
  }
  return kind === 'constant' && isEven
    ? 'it is a Constant of equal elements, part of the program'
    : undefined;
}

function withBatchStatistics(model: Model, statistics: readonly BatchStatistics[]): Model {
  const byNode = new Map(statistics.map((own) => [own.node, own]));
  const nodes = model.graph.nodes.map((node): Node => {
    const own = byNode.get(node.outputs[0] ?? '');
    if (!own) return node;
    // Without momentum the updated statistics are those of the batch.
    const still = withAttribute(node, 'momentum', { type: 'float', value: 0 });
    const training = withAttribute(still, 'training_mode', { type: 'int', value: 1n });
    return { ...training, outputs: [node.outputs[0]!, ...own.batch] };
  });
  return { ...model, graph: { ...model.graph, nodes } };
}

/** What training changes in a student: its weights, and running statistics. Copies, to be written to. */
export function valuesOf({ model, trainable, statistics }: Student): Values {
  const tensors = new Map(model.graph.initializers.map((tensor) => [tensor.name, tensor]));
  const names = [...trainable.map(({ name }) => name), ...statistics.flatMap(({ running }) => running)];
  return new Map(names.map((name) => [name, Float32Array.from(floatsOf(tensors.get(name)!))]));
}

/** The student with other values. */
export function withValues(model: Model, values: Values): Model {
  const initializers = model.graph.initializers.map((tensor) => {
    const own = values.get(tensor.name);
    return own ? floatTensor(tensor.name, own, tensor.dims) : tensor;
  });
  return { ...model, graph: { ...model.graph, initializers } };
}
