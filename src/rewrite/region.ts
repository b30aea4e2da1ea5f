import type { AxisCoupling } from '../axes/couple.js';
import type { ConstantSource } from '../ops/constants.js';
import { graphAttributes } from '../onnx/attributes.js';
import type { Node } from '../onnx/model.js';
import { has } from '../ops/index.js';
import type { Projection } from '../plan/projection.js';

/**
 * Shape arithmetic: the values computed only from constants and sizes of values, along axes that a plan doesn't
 * touch. A weight that passes through (an Expand of a class token) is not part of it, only the shape it reads is.
 */
export interface ShapeRegion {
  /** Index of the node -> whether it belongs to the region. */
  readonly nodes: ReadonlySet<number>;
  /** Values of the region that a changed size may reach. */
  readonly affected: ReadonlySet<string>;
}

export function findShapeRegion(
  { model, axes }: AxisCoupling,
  sources: ReadonlyMap<string, ConstantSource>,
  projection: Projection,
): ShapeRegion {
  const nodes = new Set<number>();
  const affected = new Set<string>();
  const region = new Set<string>();
  const constant = new Set<string>(sources.keys());
  const { graph } = model;
  graph.nodes.forEach((node, index) => {
    const verdict = classify(node);
    if (verdict === 'other') return;
    for (const name of node.outputs) (verdict === 'constant' ? constant : region).add(name);
    if (verdict === 'constant') return;
    nodes.add(index);
    const isSource = has(node, 'sizes') && !region.has(node.inputs[0]!);
    const reached = isSource
      ? constant.has(node.inputs[0]!) || projection.isTouched(axes.get(node.inputs[0]!))
      : node.inputs.some((name) => affected.has(name));
    if (reached) for (const name of node.outputs) affected.add(name);
  });
  return { nodes, affected };

  function classify(node: Node): 'region' | 'constant' | 'other' {
    if (node.domain !== '' || has(node, 'random')) return 'other';
    if (has(node, 'sizes')) return 'region';
    if (graphAttributes(node).length > 0) return 'other';
    let sizes = false;
    for (const name of node.inputs) {
      if (region.has(name)) sizes = true;
      else if (name !== '' && !constant.has(name)) return 'other';
    }
    if (!sizes) return 'constant';
    const touched = [...node.inputs, ...node.outputs].some((name) => projection.isTouched(axes.get(name)));
    return touched ? 'other' : 'region';
  }
}
