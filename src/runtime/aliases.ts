import type { InferenceSession } from 'onnxruntime-common';
import { decodeModel, encodeModel } from '../onnx/codec.js';
import type { Graph, Model, Node, ValueInfo } from '../onnx/model.js';
import { emptyNamed } from '../onnx/named.js';
import { FreshNames } from '../onnx/names.js';
import { identityNode, unnamed } from '../ops/nodes.js';

/**
 * onnxruntime's JavaScript API passes tensors in plain objects by their name. Of names that such an object has already,
 * as `__proto__` and `constructor`, and of names that are not UTF-8, it loses track: a session whose inputs or outputs
 * are called so is given a model in which they have aliases.
 */
export interface AliasedModel {
  readonly bytes: Uint8Array;
  /** The session under the names of the file. */
  wrap(session: InferenceSession): InferenceSession;
}

/**
 * Undefined where the names of all inputs and outputs get through.
 * @param names as onnxruntime gave them
 */
export function aliased(bytes: Uint8Array, names: readonly string[]): AliasedModel | undefined {
  if (!names.some((name) => name in {} || name.includes('\uFFFD'))) return undefined;
  const model = decodeModel(bytes);
  const { graph } = model;
  const fresh = new FreshNames(graph);
  const constants = new Set(graph.initializers.map(({ name }) => name));
  const aliasOf = new Map<string, string>();
  const infos = (list: readonly ValueInfo[], what: string, isLeft = (_: string): boolean => false) =>
    list.map((info) => {
      if (isLeft(info.name) || isPlain(info.name)) return info;
      const alias = fresh.take(`onnx-prune/${what}`);
      aliasOf.set(info.name, alias);
      return { ...info, name: alias };
    });
  const inputs = infos(graph.inputs, 'input', (name) => constants.has(name));
  const before = [...aliasOf].map(([name, alias]) => identity(alias, name));
  const outputs = infos(graph.outputs, 'output');
  const after = [...aliasOf].slice(before.length).map(([name, alias]) => identity(name, alias));
  const nodes = [...before, ...graph.nodes, ...after];
  return {
    bytes: encodeModel(withGraph(model, { ...graph, inputs, outputs, nodes })),
    wrap: wrapping(aliasOf),
  };
}

const isPlain = (name: string): boolean => !(name in {}) && !/\p{Surrogate}/u.test(name);

const withGraph = (model: Model, graph: Graph): Model => ({ ...model, graph });

function identity(from: string, to: string): Node {
  return unnamed(identityNode(from, to));
}

function wrapping(aliasOf: ReadonlyMap<string, string>): AliasedModel['wrap'] {
  const nameOf = new Map(Array.from(aliasOf, ([name, alias]) => [alias, name]));
  const named = (name: string): string => nameOf.get(name) ?? name;
  return (session) => {
    const metadata = (list: readonly InferenceSession.ValueMetadata[]) =>
      list.map((value) => ({ ...value, name: named(value.name) }));
    const run = async (
      feeds: InferenceSession.FeedsType,
      fetches?: readonly string[],
    ): Promise<InferenceSession.ReturnType> => {
      const fed = Object.fromEntries(
        Object.entries(feeds).map(([name, tensor]) => [aliasOf.get(name) ?? name, tensor]),
      );
      const results = await (fetches ? session.run(fed, fetches.map((name) => aliasOf.get(name) ?? name)) : session.run(fed)); // prettier-ignore
      const out = emptyNamed<InferenceSession.OnnxValueMapType[string]>();
      for (const [name, value] of Object.entries(results)) out[named(name)] = value;
      return out;
    };
    return Object.create(session, {
      inputNames: { value: session.inputNames.map(named) },
      outputNames: { value: session.outputNames.map(named) },
      inputMetadata: { value: metadata(session.inputMetadata) },
      outputMetadata: { value: metadata(session.outputMetadata) },
      run: { value: run },
    }) as InferenceSession;
  };
}
