import { keepMask, isTouched } from '../axes/project.js';
import { showAxis } from '../axes/show.js';
import { PruneError } from '../errors.js';
import type { Graph } from '../onnx/model.js';
import type { Grouping, PruningGroup } from '../groups/group.js';
import { nodeKeys, type NodeKey } from './node-keys.js';
import { keptMasks, type Plan } from './plan.js';

/** The public plan file, version 1: what was removed, in terms of the dense file. */
export interface PlanFile {
  readonly version: 1;
  readonly model: { readonly sha256: string };
  /** Residual branches that are removed first; absent if there are none. */
  readonly branches?: readonly PlannedBranch[];
  /** Factors of the model without those branches. */
  readonly factors: readonly PlannedFactor[];
  /** Keyed by use, since uses of a vector that the dense file shares get copies of their own. */
  readonly tensors: readonly PlannedTensor[];
  /** Whether weights were also changed, not only sliced. */
  readonly weightsChanged: boolean;
  /** Whether they were trained; absent if not. */
  readonly weightsTrained?: boolean;
  /** Ids of the groups whose channels were given another basis before any went; absent if there are none. */
  readonly bases?: readonly string[];
  readonly nodes: { readonly added: readonly string[]; readonly removed: readonly string[] };
}

/** An input of an Add or a Sum of the dense file. */
export interface PlannedBranch {
  /** Path of the body that holds the node; absent for the main graph. */
  readonly graph?: string;
  /** Name of the node, or its index where the name is empty or not unique. */
  readonly node: string | number;
  readonly input: number;
}

export interface PlannedFactor {
  /** Id of the group. */
  readonly id: string;
  readonly size: number;
  /** Kept indices, ascending. */
  readonly kept: readonly number[];
  /** The tensor it is named by and that tensor's axes: `conv1.weight: g0 #3 #7 #7`. */
  readonly notation: string;
}

export interface PlannedTensor extends NodeKey {
  readonly input: number;
  /** Name of the initializer (or of the Constant's output) in the dense file. */
  readonly initializer: string;
  /** Kept positions by axis; axes that stay whole are left out. */
  readonly axes: Readonly<Record<string, readonly number[]>>;
}

export interface PlanFileDetails {
  /** SHA-256 of the dense model's file, in hexadecimal. */
  readonly sha256: string;
  /** The graph of the file, where the analysed one isn't it: with bodies open, or without some branches. */
  readonly graph?: Graph;
  readonly branches?: readonly PlannedBranch[];
  readonly weightsChanged?: boolean;
  readonly weightsTrained?: boolean;
  readonly bases?: readonly string[];
  readonly addedNodes?: readonly string[];
  readonly removedNodes?: readonly string[];
}

/** A plan as a file, ready for `JSON.stringify`. */
export function planToFile(grouping: Grouping, plan: Plan, details: PlanFileDetails): PlanFile {
  const { sha256, branches = [], weightsChanged = false, addedNodes = [], removedNodes = [] } = details;
  const { graph = grouping.analysis.model.graph, bases = [], weightsTrained = false } = details;
  return {
    version: 1,
    model: { sha256 },
    ...(branches.length > 0 && { branches }),
    factors: grouping.groups.flatMap((group) => {
      const kept = plan.kept.get(group);
      if (!kept) return [];
      return [{ id: group.id, size: group.size, kept: [...kept], notation: notationOf(grouping, group) }];
    }),
    tensors: plannedTensors(grouping, plan, graph),
    weightsChanged,
    ...(weightsTrained && { weightsTrained }),
    ...(bases.length > 0 && { bases }),
    nodes: { added: addedNodes, removed: removedNodes },
  };
}

function notationOf({ analysis, byFactor }: Grouping, { name, members }: PruningGroup): string {
  const { axes } = (members.find(({ parameter }) => parameter.source.name === name) ?? members[0]!).parameter;
  const shown = axes.map((axis) =>
    showAxis(analysis.system, axis, (factor) => byFactor.get(factor)?.id ?? String(factor.size)),
  );
  return `${name}: ${shown.join(' ')}`;
}

/** @param graph of the file, of which the analysed model has some nodes */
function plannedTensors({ analysis }: Grouping, plan: Plan, graph: Graph): PlannedTensor[] {
  const { system, parameters, model } = analysis;
  const masks = keptMasks(plan);
  const places = nodeKeys(graph);
  return parameters.flatMap(({ node, input, source, axes }) => {
    const touched = axes.flatMap((axis, i): [string, number[]][] =>
      isTouched(system, axis, masks) ? [[String(i), positions(keepMask(system, axis, masks))]] : [],
    );
    if (touched.length === 0) return [];
    const place = places.get(model.graph.nodes[node]!.outputs.find(Boolean) ?? '') ?? { graph: '', node };
    return [{ ...place, input, initializer: source.name, axes: Object.fromEntries(touched) }];
  });
}

function positions(mask: Uint8Array): number[] {
  const out: number[] = [];
  mask.forEach((kept, i) => kept && out.push(i));
  return out;
}

/**
 * Reads a plan file for a model whose groups are known. Only `version`, `factors` (`id`, `size`, `kept`) and, if
 * `sha256` is given, `model.sha256` are read; the rest follows from them.
 * @throws PruneError `invalid-option` naming the key that is wrong.
 */
export function planFromFile(json: unknown, grouping: Grouping, sha256?: string): Plan {
  const file = record(json, 'plan');
  if (file['version'] !== 1) fail('version', show(file['version']), 'use version 1');
  if (sha256 !== undefined) {
    const planned = record(file['model'], 'model')['sha256'];
    if (planned !== sha256) fail('model.sha256', show(planned), 'use the model that the plan was made for');
  }
  const { factors } = file;
  if (!Array.isArray(factors)) fail('factors', show(factors), 'give a list');
  const byId = new Map(grouping.groups.map((group) => [group.id, group]));
  const kept = new Map<PruningGroup, Int32Array>();
  (factors as unknown[]).forEach((entry, i) => {
    const key = `factors[${i}]`;
    const factor = record(entry, key);
    const group = byId.get(factor['id'] as string);
    if (!group) return fail(`${key}.id`, show(factor['id']), 'use the id of a group of this model');
    if (kept.has(group)) fail(`${key}.id`, show(factor['id']), 'list each group once');
    if (factor['size'] !== group.size)
      fail(
        `${key}.size`,
        show(factor['size']),
        `the group has ${group.size} channels; use the plan's own model`,
      );
    kept.set(group, indices(factor['kept'], `${key}.kept`, group.size));
  });
  // Listed in the order of the groups, and without those that lose nothing, whatever the file's order is.
  const entries = grouping.groups.flatMap((group): [PruningGroup, Int32Array][] => {
    const list = kept.get(group);
    return list && list.length < group.size ? [[group, list]] : [];
  });
  return { kept: new Map(entries) };
}

/**
 * The residual branches that a plan file lists; none where there is no file.
 * @throws PruneError `invalid-option` naming the key that is wrong.
 */
export function plannedBranches(json: unknown): readonly PlannedBranch[] {
  if (json === undefined) return [];
  const { branches = [] } = record(json, 'plan');
  if (!Array.isArray(branches)) return fail('branches', show(branches), 'give a list');
  return (branches as unknown[]).map((entry, i) => {
    const { graph, node, input } = record(entry, `branches[${i}]`);
    if (graph !== undefined && typeof graph !== 'string')
      fail(`branches[${i}].graph`, show(graph), 'give the path of a body');
    if (typeof node !== 'string' && !Number.isInteger(node))
      fail(`branches[${i}].node`, show(node), 'name a node, or give its index');
    if (!Number.isInteger(input)) fail(`branches[${i}].input`, show(input), 'give the number of an input');
    return { ...(graph ? { graph } : {}), node: node as string | number, input: input as number };
  });
}

/**
 * Ids of the groups that a plan file's channels are of another basis in; none where there is no file.
 * @throws PruneError `invalid-option` naming the key that is wrong.
 */
export function plannedBases(json: unknown): readonly string[] {
  if (json === undefined) return [];
  const { bases = [] } = record(json, 'plan');
  const isList = Array.isArray(bases) && bases.every((id) => typeof id === 'string');
  return isList ? bases : fail('bases', show(bases), 'give a list of group ids');
}

/** Whether a plan file says that the kept weights were changed too, by reconstruction or training. */
export function hasChangedWeights(json: unknown): boolean {
  return (
    typeof json === 'object' && json !== null && 'weightsChanged' in json && json.weightsChanged === true
  );
}

function indices(value: unknown, key: string, size: number): Int32Array {
  if (!Array.isArray(value) || value.length === 0) fail(key, show(value), 'list at least one index');
  const list = value as unknown[];
  list.forEach((index, i) => {
    if (!Number.isInteger(index) || (index as number) < 0 || (index as number) >= size)
      fail(`${key}[${i}]`, show(index), `use indices from 0 to ${size - 1}`);
    if (i > 0 && (index as number) <= (list[i - 1] as number))
      fail(`${key}[${i}]`, show(index), 'sort the indices');
  });
  return Int32Array.from(list as number[]);
}

function record(value: unknown, key: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    fail(key, show(value), 'give an object');
  return value as Record<string, unknown>;
}

function show(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  return text === undefined ? 'undefined' : text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

function fail(key: string, value: string, remedy: string): never {
  throw new PruneError('invalid-option', `invalid plan: ${key} is ${value}; ${remedy}`);
}
