import { PruneError } from '../errors.js';
import { graphAttributes } from './attributes.js';
import { normalDomain } from './domain.js';
import type { Graph, Model, Node } from './model.js';

/** What a strict checker would object to. */
export interface ModelProblem {
  readonly kind:
    | 'duplicate-value' // a name defined twice in one graph, or again in a body
    | 'undefined-value' // used before or without being made
    | 'missing-output' // a graph output that nothing makes
    | 'missing-opset' // a node of a domain that the model doesn't import
    | 'duplicate-node-name'; // allowed, but nodes can't be told apart
  /** Whether the model is invalid; `duplicate-node-name` alone is not. */
  readonly fatal: boolean;
  /** Path of the graph: `''`, or attribute by attribute as in `loop_1.body`. */
  readonly graph: string;
  /** Name of the node, `''` if no node is to blame. */
  readonly node: string;
  readonly opType: string;
  /** Name of the value or the domain. */
  readonly value: string;
  readonly message: string;
}

interface Scope {
  readonly graph: Graph;
  readonly path: string;
  /** Names of the outer graphs that were made before the node that holds this body. */
  readonly visible: Visible | undefined;
}

/** A chain, so that no body copies the names around it. */
interface Visible {
  readonly names: ReadonlyMap<string, number>;
  /** Names made at or after this step aren't visible. */
  readonly before: number;
  readonly outer: Visible | undefined;
}

/**
 * Checks the structure: single assignment, topological order, outputs that exist, opset imports; in bodies and
 * functions too, captured names included. Empty for a sound model. Types and shapes are onnxruntime's business.
 */
export function validateModel(model: Model): ModelProblem[] {
  const problems: ModelProblem[] = [];
  const stack: Scope[] = [{ graph: model.graph, path: '', visible: undefined }];
  const domains = new Set(model.opsets.keys());
  for (let scope = stack.pop(); scope; scope = stack.pop()) checkGraph(scope, domains, problems, stack);

  for (const body of model.functions) {
    const graph = asGraph(body.name, body.inputs, body.outputs, body.nodes);
    const imported = new Set(body.opsetImports.map(({ domain }) => normalDomain(domain)));
    const inside: Scope[] = [{ graph, path: `function ${body.name}`, visible: undefined }];
    for (let scope = inside.pop(); scope; scope = inside.pop()) checkGraph(scope, imported, problems, inside);
  }
  return problems;
}

/**
 * Refuses a model whose graph can't be followed from inputs to outputs: names defined twice, cycles, missing values.
 * To be asked before onnxruntime sees a model, which may end the process over one. Domains that aren't imported and
 * bodies that reuse names are left to onnxruntime.
 * @throws PruneError `invalid-file`
 */
export function assertValid(model: Model): void {
  const problem = validateModel(model).find(
    ({ kind, fatal, graph }) =>
      fatal && kind !== 'missing-opset' && !(kind === 'duplicate-value' && graph !== ''),
  );
  if (problem)
    throw new PruneError('invalid-file', `${problem.message}; repair the model or export it again`);
}

function checkGraph(
  { graph, path, visible }: Scope,
  domains: ReadonlySet<string>,
  problems: ModelProblem[],
  stack: Scope[],
): void {
  const where = path === '' ? '' : ` in ${path}`;
  const report = (kind: ModelProblem['kind'], node: Node | undefined, value: string, text: string): void => {
    const fatal = kind !== 'duplicate-node-name';
    const subject = node ? `node '${node.name}' (${node.opType})${where}` : `the graph${where}`;
    problems.push({
      kind,
      fatal,
      graph: path,
      node: node?.name ?? '',
      opType: node?.opType ?? '',
      value,
      message: `${subject} ${text}`,
    });
  };
  // Every name with the step at which it is made; inputs and initializers are there from the start.
  const made = new Map<string, number>();
  const inputs = new Set<string>();
  const define = (name: string, step: number, node: Node | undefined): void => {
    if (made.has(name) || isVisible(visible, name))
      report('duplicate-value', node, name, `defines '${name}', which is already defined`);
    else made.set(name, step);
  };
  for (const { name } of graph.inputs) {
    define(name, 0, undefined);
    inputs.add(name);
  }
  const constants = new Set<string>();
  for (const { name } of [...graph.initializers, ...graph.sparseInitializers]) {
    // An initializer may give an input its default.
    if (constants.has(name) || !inputs.has(name)) define(name, 0, undefined);
    constants.add(name);
  }

  const nodeNames = new Set<string>();
  graph.nodes.forEach((node, i) => {
    const step = i + 1;
    if (node.name !== '' && nodeNames.has(node.name))
      report('duplicate-node-name', node, node.name, 'shares its name with another node');
    nodeNames.add(node.name);
    if (!domains.has(node.domain))
      report('missing-opset', node, node.domain, `is of the domain '${node.domain}', which is not imported`);
    for (const name of node.inputs)
      if (name !== '' && !made.has(name) && !isVisible(visible, name))
        report('undefined-value', node, name, `uses '${name}' before it is made`);
    for (const { attribute, index, graph: body } of graphAttributes(node)) {
      const label = `${node.name || node.opType}.${attribute}${index === undefined ? '' : `[${index}]`}`;
      const inner: Visible = { names: made, before: step, outer: visible };
      stack.push({ graph: body, path: path === '' ? label : `${path}/${label}`, visible: inner });
    }
    for (const name of node.outputs) if (name !== '') define(name, step, node);
  });
  for (const { name } of graph.outputs)
    if (!made.has(name) && !isVisible(visible, name))
      report('missing-output', undefined, name, `has the output '${name}', which nothing makes`);
}

function isVisible(scope: Visible | undefined, name: string): boolean {
  for (let at = scope; at; at = at.outer) {
    const step = at.names.get(name);
    if (step !== undefined && step < at.before) return true;
  }
  return false;
}

function asGraph(
  name: string,
  inputs: readonly string[],
  outputs: readonly string[],
  nodes: readonly Node[],
): Graph {
  const values = (names: readonly string[]) =>
    names.map((value) => ({ name: value, docString: '', type: undefined }));
  return {
    name,
    docString: '',
    nodes,
    initializers: [],
    sparseInitializers: [],
    inputs: values(inputs),
    outputs: values(outputs),
    valueInfos: [],
    quantizationAnnotations: [],
  };
}
