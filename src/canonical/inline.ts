import { graphAttributes } from '../onnx/attributes.js';
import { normalDomain } from '../onnx/domain.js';
import type { Attribute, FunctionBody, Model, Node, OpsetImport } from '../onnx/model.js';
import { FreshNames } from '../onnx/names.js';
import { identityNode, unnamed } from '../ops/nodes.js';

/** Inlined nodes at most, so that functions that call functions can't explode. */
const maxNodes = 100_000;

/**
 * Replaces calls of model-local functions in the main graph by the functions' nodes, names made unique. A call stays
 * where that isn't plain: bodies inside the function, other opsets than the model's, overloads, defaults of attributes
 * that the call leaves out. What stays is blocked by the axis rules like any unknown op.
 */
export function inlineFunctions(model: Model): Model {
  const functions = inlinable(model);
  if (functions.size === 0) return model;
  const names = new FreshNames(model.graph);
  const nodes: Node[] = [];
  const imports = new Map(model.opsetImports.map((entry) => [normalDomain(entry.domain), entry]));
  // A stack of what is still to come, the next node on top: bodies may call other functions.
  const pending = [...model.graph.nodes].reverse();
  for (let node = pending.pop(); node; node = pending.pop()) {
    const body = functions.get(keyOf(node));
    const inlined = body && nodes.length + pending.length < maxNodes && expand(node, body, names);
    if (!inlined) nodes.push(node);
    else {
      for (const entry of body.opsetImports)
        if (!imports.has(normalDomain(entry.domain))) imports.set(normalDomain(entry.domain), entry);
      for (let i = inlined.length - 1; i >= 0; i--) pending.push(inlined[i]!);
    }
  }
  return withNodes(model, nodes, [...imports.values()]);
}

const keyOf = ({ domain, opType }: Pick<Node, 'domain' | 'opType'>): string =>
  `${normalDomain(domain)}::${opType}`;

/** Functions that may be inlined, by domain and name. */
function inlinable({ functions, opsets }: Model): Map<string, FunctionBody> {
  const found = new Map<string, FunctionBody | undefined>();
  for (const body of functions) {
    const key = keyOf({ domain: body.domain, opType: body.name });
    const isPlain =
      body.nodes.every((node) => graphAttributes(node).length === 0) &&
      body.opsetImports.every(({ domain, version }) => {
        const own = opsets.get(normalDomain(domain));
        return own === undefined || own === version;
      });
    // Overloads share a name.
    found.set(key, isPlain && !found.has(key) ? body : undefined);
  }
  // Functions that call each other in a circle would never end.
  const plain = new Map<string, FunctionBody>();
  for (let progress = true; progress;) {
    progress = false;
    for (const [key, body] of found) {
      if (!body || plain.has(key)) continue;
      if (body.nodes.every((node) => !found.has(keyOf(node)) || plain.has(keyOf(node)))) {
        plain.set(key, body);
        progress = true;
      }
    }
  }
  return plain;
}

/** The nodes of one call; undefined where an attribute of it may have a default. */
function expand(call: Node, body: FunctionBody, names: FreshNames): Node[] | undefined {
  const isGiven = (name: string): boolean => call.attributes.has(name);
  const isComplete = body.nodes.every((node) =>
    [...node.attributes.values()].every(({ reference }) => !reference || isGiven(reference)),
  );
  if (!isComplete && body.unknown) return undefined;
  const prefix = call.name || call.outputs[0] || body.name;
  const renamed = new Map<string, string>([['', '']]);
  body.inputs.forEach((name, i) => renamed.set(name, call.inputs[i] ?? ''));
  const copies: Node[] = [];
  body.outputs.forEach((name, i) => {
    const outer = call.outputs[i];
    if (!outer) return;
    if (!renamed.has(name)) renamed.set(name, outer);
    else copies.push(unnamed(identityNode(renamed.get(name)!, outer)));
  });
  const rename = (name: string): string => {
    let fresh = renamed.get(name);
    if (fresh === undefined) renamed.set(name, (fresh = names.take(`${prefix}/${name}`)));
    return fresh;
  };
  const nodes = body.nodes.map((node) => ({
    ...node,
    name: node.name && `${prefix}/${node.name}`,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
    attributes: resolved(node, call),
  }));
  return [...nodes, ...copies];
}

/** Attributes with references replaced by what the call gives; those it leaves out are left out. */
function resolved(node: Node, call: Node): Map<string, Attribute> {
  const out = new Map<string, Attribute>();
  for (const [name, attribute] of node.attributes) {
    const given = attribute.reference ? call.attributes.get(attribute.reference) : attribute;
    if (given) out.set(name, { ...given, name });
  }
  return out;
}

function withNodes(model: Model, nodes: readonly Node[], imports: readonly OpsetImport[]): Model {
  const called = new Set<string>();
  const stack: Node[] = [...nodes];
  const bodies = new Map(
    model.functions.map((body) => [keyOf({ domain: body.domain, opType: body.name }), body]),
  );
  for (let node = stack.pop(); node; node = stack.pop()) {
    for (const { graph } of graphAttributes(node)) stack.push(...graph.nodes);
    const key = keyOf(node);
    const body = bodies.get(key);
    if (!body || called.has(key)) continue;
    called.add(key);
    stack.push(...body.nodes);
  }
  return {
    ...model,
    opsetImports: imports,
    opsets: new Map(imports.map(({ domain, version }) => [normalDomain(domain), version])),
    functions: model.functions.filter((body) =>
      called.has(keyOf({ domain: body.domain, opType: body.name })),
    ),
    graph: { ...model.graph, nodes },
  };
}
