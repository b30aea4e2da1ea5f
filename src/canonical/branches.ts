import { graphAttributes, withAttribute } from '../onnx/attributes.js';
import { capturedNames } from '../onnx/graph-index.js';
import type { Graph, Model, Node, ValueInfo } from '../onnx/model.js';
import { FreshNames } from '../onnx/names.js';
import type { Tensor } from '../onnx/tensor.js';
import { has } from '../ops/index.js';
import { identityNode, squeezeNode, unnamed, whereNode } from '../ops/nodes.js';
import { withRenamed } from './rename.js';

/**
 * An If is opened by moving the nodes of its branches into the graph around it. Both are computed then, and a Where
 * takes the place of each output, so that what the branches give has the same axes:
 *
 *     If(c) { then: f(x) -> t; else: g(x) -> e } -> y    as    t = f(x); e = g(x); y = Where(Squeeze(c), t, e)
 *
 * Where the condition of an If is known, only the branch that is taken is opened. The node stays, with the other branch as
 * it was, under other names; whatever it holds is blocked, and so is what comes out of the branch:
 *
 *     If(true) { then: f(x) -> t; else: g(x) -> e } -> y    as    t = f(x); y = t; If(true) { then: t; else: g(x) -> e } -> _
 */
export type Opening = 'both' | 'then_branch' | 'else_branch';

const attributes = ['then_branch', 'else_branch'] as const;

/** An opened If: all that closing it needs. */
export interface OpenIf {
  readonly opening: Opening;
  /** The node as it was. */
  readonly node: Node;
  /** The branches that were opened. */
  readonly branches: ReadonlyMap<string, OpenBranch>;
  /** The Squeeze of the condition, or where one branch was opened the outputs of the node that stays. */
  readonly helpers: readonly string[];
}

interface OpenBranch {
  /** As it was, under the names that it has in the graph around it. */
  readonly graph: Graph;
  /** Values of its nodes. */
  readonly values: ReadonlySet<string>;
  /** Its outputs in the graph around it. */
  readonly outputs: readonly string[];
}

/** Whether an If is of a form that can be opened. */
export function isOpenable(node: Node, opset: number): boolean {
  if (!has(node, 'branches') || opset < 9) return false;
  const bodies = new Map(graphAttributes(node).map(({ attribute, graph }) => [attribute, graph]));
  return (
    node.outputs.every((name) => name !== '') &&
    attributes.every((attribute) => {
      const body = bodies.get(attribute);
      return (
        body?.inputs.length === 0 &&
        body.sparseInitializers.length === 0 &&
        body.outputs.length === node.outputs.length
      );
    })
  );
}

/** Opens an If of the main graph. */
export function openIf(model: Model, node: Node, opening: Opening): { model: Model; opened: OpenIf } {
  const { graph } = model;
  const names = new FreshNames(graph);
  const taken = definitions(graph);
  const nodes: Node[] = [];
  const initializers: Tensor[] = [];
  const valueInfos: ValueInfo[] = [];
  const branches = new Map<string, OpenBranch>();
  let kept = node;
  for (const { attribute, graph: body } of graphAttributes(node)) {
    if (opening !== 'both' && opening !== attribute) continue;
    const lifted = withRenamed(body, (name) =>
      taken.get(name) === 1 ? name : names.take(`${node.outputs[0]}/${attribute.split('_')[0]}/${name}`),
    );
    nodes.push(...lifted.nodes);
    initializers.push(...lifted.initializers);
    const declared = new Set(lifted.valueInfos.map(({ name }) => name));
    valueInfos.push(
      ...lifted.valueInfos,
      ...lifted.outputs.filter(({ name, type }) => type && !declared.has(name)),
    );
    const outputs = lifted.outputs.map(({ name }) => name);
    const values = new Set(lifted.nodes.flatMap((inner) => inner.outputs).filter((name) => name !== ''));
    branches.set(attribute, { graph: lifted, values, outputs });
    if (opening === 'both') continue;
    kept = withAttribute(kept, attribute, { type: 'graph', value: passing(lifted, outputs, names) });
  }
  const helpers: string[] = [];
  if (opening === 'both') {
    helpers.push(names.take(`${node.outputs[0]}/condition`));
    nodes.push(unnamed(squeezeNode(node.inputs[0]!, helpers[0]!)));
    const [t, e] = attributes.map((attribute) => branches.get(attribute)!.outputs);
    node.outputs.forEach((name, k) => nodes.push(unnamed(whereNode(helpers[0]!, t![k]!, e![k]!, name))));
  } else {
    node.outputs.forEach((name, k) => {
      helpers.push(names.take(`${name}/kept`));
      nodes.push(unnamed(identityNode(branches.get(opening)!.outputs[k]!, name)));
    });
    nodes.push({ ...kept, outputs: helpers });
  }
  const at = graph.nodes.indexOf(node);
  const known = new Set(graph.valueInfos.map(({ name }) => name));
  const opened = {
    ...graph,
    nodes: [...graph.nodes.slice(0, at), ...nodes, ...graph.nodes.slice(at + 1)],
    initializers: [...graph.initializers, ...initializers],
    valueInfos: [...graph.valueInfos, ...valueInfos.filter(({ name }) => !known.has(name))],
  };
  return { model: { ...model, graph: opened }, opened: { opening, node, branches, helpers } };
}

/** Puts the nodes of an opened If, as they are now, back into its branches. Outputs that are gone are gone from it. */
export function closeIf(model: Model, { opening, node, branches, helpers }: OpenIf): Model {
  const { graph } = model;
  const written = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  const left = node.outputs.filter((name) => written.has(name));
  const marks = new Set(helpers);
  const homes = new Map<string, string>();
  for (const [attribute, { values, graph: body }] of branches)
    for (const name of [...values, ...body.initializers.map((tensor) => tensor.name)])
      homes.set(name, attribute);
  const bodies = new Map([...branches.keys()].map((attribute): [string, Node[]] => [attribute, []]));
  const before: Node[] = [];
  const after: Node[] = [];
  /** What is read behind the If: its outputs so far, and between them what was made of those. */
  const late = new Set<string>();
  let missing = left.length;
  let condition = node.inputs[0]!;
  let kept = node;
  const given = new Map<string, string[]>(
    [...branches].map(([attribute, { outputs }]) => [attribute, [...outputs]]),
  );
  for (const inner of graph.nodes) {
    const [output = ''] = inner.outputs;
    const result = node.outputs.indexOf(output);
    if (marks.has(output)) {
      condition = inner.inputs[0]!;
      if (opening !== 'both') kept = inner;
    } else if (result >= 0) {
      late.add(output);
      missing--;
      const passed = opening === 'both' ? inner.inputs.slice(1) : inner.inputs;
      [...branches.keys()].forEach((attribute) => {
        const k = opening === 'both' ? attributes.indexOf(attribute as (typeof attributes)[number]) : 0;
        given.get(attribute)![result] = passed[k]!;
      });
    } else {
      // What reads a value of a branch is in it too.
      const home = [...inner.outputs, ...inner.inputs, ...capturedNames(inner)]
        .map((name) => homes.get(name))
        .find((attribute) => attribute !== undefined);
      for (const name of inner.outputs) if (home !== undefined) homes.set(name, home);
      if (home !== undefined) bodies.get(home)!.push(inner);
      else if (missing > 0 && ![...inner.inputs, ...capturedNames(inner)].some((name) => late.has(name)))
        before.push(inner);
      else {
        after.push(inner);
        for (const name of inner.outputs) late.add(name);
      }
    }
  }
  const names = new FreshNames(graph);
  const indices = left.map((name) => node.outputs.indexOf(name));
  let closed: Node = { ...kept, name: node.name, inputs: [condition], outputs: left };
  const moved = new Set<string>();
  for (const { attribute, graph: body } of graphAttributes(kept))
    if (!branches.has(attribute) && left.length < node.outputs.length) {
      const outputs = indices.map((k) => body.outputs[k]!);
      closed = withAttribute(closed, attribute, { type: 'graph', value: { ...body, outputs } });
    }
  for (const [attribute, { graph: opened }] of branches) {
    const outputs = indices.map((k) => given.get(attribute)![k]!);
    const body = closedBody(opened, bodies.get(attribute)!, outputs, graph, names);
    for (const { name } of body.initializers) moved.add(name);
    for (const { name } of body.valueInfos) moved.add(name);
    for (const { name } of body.outputs) moved.add(name);
    closed = withAttribute(closed, attribute, { type: 'graph', value: body });
  }
  return {
    ...model,
    graph: {
      ...graph,
      nodes: [...before, ...(left.length > 0 ? [closed] : []), ...after],
      initializers: graph.initializers.filter(({ name }) => !moved.has(name)),
      valueInfos: graph.valueInfos.filter(({ name }) => left.includes(name) || !moved.has(name)),
    },
  };
}

function closedBody(
  before: Graph,
  nodes: readonly Node[],
  outputs: readonly string[],
  around: Graph,
  names: FreshNames,
): Graph {
  const written = new Set(nodes.flatMap((node) => node.outputs));
  const own = new Set(before.initializers.map(({ name }) => name));
  const infos = new Map(
    [...before.valueInfos, ...before.outputs, ...around.valueInfos].map((info) => [info.name, info]),
  );
  const all = [...nodes];
  // A body can't give a value of the graph around it as it is.
  const given = outputs.map((name) => {
    if (written.has(name)) return name;
    const passed = names.take(`${name}/passed`);
    all.push(unnamed(identityNode(name, passed)));
    return passed;
  });
  return {
    ...before,
    nodes: all,
    initializers: around.initializers.filter(({ name }) => own.has(name)),
    valueInfos: before.valueInfos.flatMap(({ name }) => (written.has(name) ? [infos.get(name)!] : [])),
    outputs: given.map((name, k) => ({ ...(infos.get(outputs[k]!) ?? untyped), name })),
  };
}

const untyped = { docString: '', type: undefined };

/** A body that passes on values of the graph around it. */
function passing(body: Graph, values: readonly string[], names: FreshNames): Graph {
  const passed = values.map((name) => names.take(`${name}/passed`));
  return {
    ...body,
    nodes: values.map((name, k) => unnamed(identityNode(name, passed[k]!))),
    initializers: [],
    valueInfos: [],
    quantizationAnnotations: [],
    outputs: body.outputs.map((info, k) => ({ ...info, name: passed[k]! })),
  };
}

/** How often each name is defined, in a graph and all bodies. */
function definitions(graph: Graph): Map<string, number> {
  const counts = new Map<string, number>();
  const define = (name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1);
  const pending = [graph];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const inputs = new Set(next.inputs.map(({ name }) => name));
    inputs.forEach(define);
    for (const { name } of next.initializers) if (!inputs.has(name)) define(name);
    for (const node of next.nodes) {
      node.outputs.forEach(define);
      for (const { graph: body } of graphAttributes(node)) pending.push(body);
    }
  }
  return counts;
}
