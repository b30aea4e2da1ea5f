import type { Axis } from '../axes/axis.js';
import { coordinates } from '../axes/project.js';
import { PruneError } from '../errors.js';
import type { PruningGroup } from '../groups/group.js';
import type { FollowedLayer } from '../layers/find.js';
import {
  blockMap,
  blocksOf,
  meetings,
  readBlocks,
  rowPlaces,
  type Block,
  type BlockMap,
} from '../rotation/blocks.js';
import type { Flow, ProductUse } from '../rotation/flow.js';
import { channelAxis, traceRows, type Trace, type TraceContext } from './trace.js';

/** The rows (or input channels) of a layer's weight that are the coordinates of a space: one for each channel. */
export interface Part {
  readonly layer: FollowedLayer;
  readonly positions: Block;
}

/** A vector space whose coordinates are a group's channels: of one head where the channels are those of several. */
export interface Space {
  readonly kind: 'read';
  readonly group: PruningGroup;
  readonly writes: readonly Part[];
  readonly reads: readonly Part[];
}

/** Two spaces that are only multiplied with each other: a basis of one gives that of the other. */
export interface Pairing {
  readonly kind: 'product';
  readonly group: PruningGroup;
  /** The nodes that multiply them. */
  readonly nodes: readonly number[];
  /** Several on one side share a basis, as the queries of one key do. */
  readonly left: readonly Part[];
  readonly right: readonly Part[];
}

/** The spaces of all flows. Blocks that can't be told apart are left out. */
export async function spacesOf(flows: readonly Flow[], context: TraceContext): Promise<(Space | Pairing)[]> {
  const uses: BlockUse[] = [];
  const products = new Map<number, ProductSides>();
  for (const flow of flows) uses.push(...(await new FlowReader(flow, context).read(products)));
  const spaces: (Space | Pairing)[] = uses
    .filter(({ reads, pairs }) => reads.length > 0 && pairs.size === 0)
    .map(({ flow: { group }, writes, reads }) => ({ kind: 'read', group, writes, reads }));
  return [...spaces, ...pairingsOf(uses, products)];
}

/** A block of a flow and what reads it. */
interface BlockUse {
  readonly flow: Flow;
  readonly writes: readonly Part[];
  readonly reads: Part[];
  /** Products that it is a factor of. */
  readonly pairs: Set<number>;
}

/** What stands on either side of a product; undefined where that is not known. */
type ProductSides = [Side | undefined, Side | undefined];

interface Side {
  readonly map: BlockMap;
  readonly uses: readonly BlockUse[];
}

class FlowReader {
  private readonly size: number;

  constructor(
    private readonly flow: Flow,
    private readonly context: TraceContext,
  ) {
    this.size = flow.group.size;
  }

  /** The flow's blocks; none where they can't be told apart. What products it is a factor of is added to `products`. */
  async read(products: Map<number, ProductSides>): Promise<readonly BlockUse[]> {
    const { writers, readers, products: sides } = this.flow;
    const blocks = writers.map((layer) => this.blocks(layer, 'outputAxis'));
    const count = blocks[0]!.length;
    const uses = Array.from({ length: count }, (_, n): BlockUse => ({
      flow: this.flow,
      writes: writers.map((layer, w) => ({ layer, positions: blocks[w]![n]! })),
      reads: [],
      pairs: new Set<number>(),
    }));
    if (blocks.some(({ length }) => length !== count)) return [];
    if (this.isWhole()) {
      for (const layer of readers)
        uses[0]!.reads.push({ layer, positions: this.blocks(layer, 'inputAxis')[0]! });
      return uses;
    }
    // The n-th blocks of all writers add up, wherever they are read, or the flow is left alone.
    let first: string | undefined;
    for (const [w, writer] of writers.entries()) {
      const traces = await this.trace(writer);
      const found = traces && this.locate(traces, blocks[w]!);
      if (!found) return [];
      const shown = JSON.stringify(found);
      first ??= shown;
      if (shown !== first) return [];
      if (w > 0) continue;
      readers.forEach((layer, r) => {
        for (const { block, positions } of found.reads[r]!) uses[block]!.reads.push({ layer, positions });
      });
      sides.forEach(({ node, input }, s) => {
        const map = found.maps[s]!;
        for (const block of map.blocks) uses[block]!.pairs.add(node);
        const known = products.get(node) ?? [undefined, undefined];
        known[input] = { map, uses };
        products.set(node, known);
      });
    }
    return uses;
  }

  private locate(traces: ReadonlyMap<string, Trace>, blocks: readonly Block[]) {
    const { readers, products } = this.flow;
    const places = rowPlaces(blocks);
    const reads = readers.map((layer) => {
      const trace = traces.get(layer.x)!;
      const channels = this.channels(layer, 'inputAxis');
      return readBlocks(trace, channelAxis(layer, trace.dims), channels, places, this.size);
    });
    const maps = products.map(({ input, value }: ProductUse) =>
      blockMap(traces.get(value)!, input === 0, places),
    );
    return reads.every(isFound) && maps.every(isFound) ? { reads, maps } : undefined;
  }

  private async trace(writer: FollowedLayer): Promise<ReadonlyMap<string, Trace> | undefined> {
    const { readers, products } = this.flow;
    const wanted = [...readers.map(({ x }) => x), ...products.map(({ value }) => value)];
    try {
      return await traceRows(this.flow, writer, wanted, this.context);
    } catch (error) {
      if (error instanceof PruneError && error.code === 'runtime') return undefined;
      throw error;
    }
  }

  /** Whether the channels are all there is on every axis: the algebra says then which is which. */
  private isWhole(): boolean {
    const { writers, readers, products, group } = this.flow;
    const { system } = this.context.analysis;
    const isOnly = (axis: Axis): boolean => system.head(axis) === group.factor;
    return (
      products.length === 0 &&
      writers.every((layer) => isOnly(this.axis(layer, 'outputAxis'))) &&
      readers.every((layer) => isOnly(this.axis(layer, 'inputAxis')))
    );
  }

  private axis(layer: FollowedLayer, which: 'inputAxis' | 'outputAxis'): Axis {
    const { parameters } = this.context.analysis;
    const use = parameters.find(({ node, input }) => node === layer.node && input === layer.weightInput)!;
    return use.axes[layer[which]]!;
  }

  private channels(layer: FollowedLayer, which: 'inputAxis' | 'outputAxis'): Int32Array {
    return coordinates(this.context.analysis.system, this.axis(layer, which), this.flow.group.factor);
  }

  private blocks(layer: FollowedLayer, which: 'inputAxis' | 'outputAxis'): Block[] {
    return blocksOf(this.channels(layer, which), this.size);
  }
}

function isFound<T>(value: T | undefined): value is T {
  return value !== undefined;
}

/** Blocks that meet in products, directly or through others, as far as each is only ever on one side. */
function pairingsOf(uses: readonly BlockUse[], products: ReadonlyMap<number, ProductSides>): Pairing[] {
  const setOf = new Map<BlockUse, Set<BlockUse>>();
  const lefts = new Set<BlockUse>();
  const rights = new Set<BlockUse>();
  const unknown = new Set<BlockUse>();
  for (const [left, right] of products.values()) {
    for (const side of left && right ? [] : [left, right])
      for (const block of side?.map.blocks ?? []) unknown.add(side!.uses[block]!);
    if (!left || !right) continue;
    for (const [l, r] of meetings(left.map, right.map)) {
      const [a, b] = [left.uses[l]!, right.uses[r]!];
      lefts.add(a);
      rights.add(b);
      const joined = new Set([...(setOf.get(a) ?? [a]), ...(setOf.get(b) ?? [b])]);
      for (const use of joined) setOf.set(use, joined);
    }
  }
  const isSound = (use: BlockUse): boolean =>
    !unknown.has(use) &&
    use.reads.length === 0 &&
    lefts.has(use) !== rights.has(use) &&
    use.writes.length === 1 &&
    use.writes[0]!.layer.bias?.kind !== 'mean';
  return [...new Set(setOf.values())].flatMap((set): Pairing[] => {
    const members = uses.filter((use) => set.has(use));
    const groups = new Set(members.map(({ flow }) => flow.group));
    if (!members.every(isSound) || groups.size > 1) return [];
    const partsOf = (side: ReadonlySet<BlockUse>): Part[] =>
      members.filter((use) => side.has(use)).map(({ writes }) => writes[0]!);
    const [group] = groups as unknown as [PruningGroup];
    const nodes = [...new Set(members.flatMap(({ pairs }) => [...pairs]))];
    return [{ kind: 'product', group, nodes, left: partsOf(lefts), right: partsOf(rights) }];
  });
}
