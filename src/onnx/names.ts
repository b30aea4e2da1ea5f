import { graphAttributes } from './attributes.js';
import type { Graph, Node } from './model.js';

/** Gives out value names that a graph, bodies of its nodes included, doesn't use yet. */
export class FreshNames {
  private readonly taken = new Set<string>();

  constructor(graph: Graph) {
    const pending = [graph];
    for (let next = pending.pop(); next; next = pending.pop()) {
      for (const { name } of [...next.inputs, ...next.outputs, ...next.initializers]) this.taken.add(name);
      for (const node of next.nodes) {
        this.taken.add(node.name);
        for (const name of node.inputs) this.taken.add(name);
        for (const name of node.outputs) this.taken.add(name);
        for (const body of graphAttributes(node)) pending.push(body.graph);
      }
    }
  }

  /** `base`, or `base_1`, `base_2`, … */
  take(base: string): string {
    let name = base;
    for (let i = 1; this.taken.has(name); i++) name = `${base}_${i}`;
    this.taken.add(name);
    return name;
  }
}

/** Name of a node for people: its own, or op#index. */
export function nodeLabel(node: Node, index: number): string {
  return node.name || `${node.opType}#${index}`;
}
