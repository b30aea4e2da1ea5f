import type { Trace } from './trace.js';

/**
 * A group's channels may stand on an axis several times: once for each head, or for queries, keys and values that one
 * layer makes. Each time is a block: the positions of its channels on an axis, by channel.
 */
export type Block = Int32Array;

/** The n-th block has the n-th position of every channel. */
export function blocksOf(channels: Int32Array, size: number): Block[] {
  const blocks: Block[] = [];
  const seen = new Int32Array(size);
  channels.forEach((channel, position) => {
    if (channel < 0) return;
    const n = seen[channel]!++;
    (blocks[n] ??= new Int32Array(size).fill(-1))[channel] = position;
  });
  return blocks.filter((block) => !block.includes(-1));
}

/** Which block of a writer, and which of its channels, a row of its weight is. */
export type RowPlaces = ReadonlyMap<number, { readonly block: number; readonly channel: number }>;

export function rowPlaces(blocks: readonly Block[]): RowPlaces {
  const places = new Map<number, { block: number; channel: number }>();
  blocks.forEach((rows, block) => rows.forEach((row, channel) => places.set(row, { block, channel })));
  return places;
}

/** A block of a writer where it is read: positions on the reader's axis. */
export interface ReadBlock {
  readonly block: number;
  readonly positions: Block;
}

/**
 * The blocks on the channel axis of a layer's input. Undefined where one position holds different rows at different
 * places, or another channel than the algebra says.
 * @param channels of the axis, -1 where a position has none
 */
export function readBlocks(
  { dims, rows }: Trace,
  axis: number,
  channels: Int32Array,
  places: RowPlaces,
  size: number,
): ReadBlock[] | undefined {
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const length = dims[axis]!;
  const rowAt = new Array<number | undefined>(length).fill(undefined);
  for (let i = 0; i < rows.length; i++) {
    const position = Math.floor(i / inner) % length;
    rowAt[position] ??= rows[i]!;
    if (rowAt[position] !== rows[i]) return undefined;
  }
  // A block may be read several times, as a value is by the queries that share it.
  const found: ReadBlock[] = [];
  for (let position = 0; position < length; position++) {
    const channel = channels[position]!;
    const place = places.get(rowAt[position]!);
    if (!place && channel < 0) continue;
    if (place?.channel !== channel) return undefined;
    let read = found.find(({ block, positions }) => block === place.block && positions[channel] === -1);
    if (!read) found.push((read = { block: place.block, positions: new Int32Array(size).fill(-1) }));
    read.positions[channel] = position;
  }
  return found.every(({ positions }) => !positions.includes(-1)) ? found : undefined;
}

/** The block at every place of the axes before the last two, with their dims. */
export interface BlockMap {
  readonly dims: readonly number[];
  readonly blocks: readonly number[];
}

/**
 * The blocks in a factor of a product that sums over its last axis (the left one) or the one before it (the right one).
 * Undefined where rows of several blocks meet.
 */
export function blockMap({ dims, rows }: Trace, isLeft: boolean, places: RowPlaces): BlockMap | undefined {
  const [height, width] = dims.slice(-2) as [number, number];
  const area = height * width;
  const blocks = new Array<number>(rows.length / area).fill(-1);
  for (let i = 0; i < rows.length; i++) {
    const channel = isLeft ? i % width : Math.floor(i / width) % height;
    const place = places.get(rows[i]!);
    const at = Math.floor(i / area);
    if (place?.channel !== channel || (blocks[at] !== -1 && blocks[at] !== place.block)) return undefined;
    blocks[at] = place.block;
  }
  return { dims: dims.slice(0, -2), blocks };
}

/** Pairs of blocks that a product multiplies: a left and a right one. */
export function meetings(left: BlockMap, right: BlockMap): readonly (readonly [number, number])[] {
  const rank = Math.max(left.dims.length, right.dims.length);
  const padded = ({ dims }: BlockMap): number[] => [
    ...new Array<number>(rank - dims.length).fill(1),
    ...dims,
  ];
  const [a, b] = [padded(left), padded(right)];
  const out = a.map((dim, axis) => Math.max(dim, b[axis]!));
  const placeIn = (dims: readonly number[], flat: number): number => {
    let place = 0;
    let stride = 1;
    for (let axis = rank - 1, rest = flat; axis >= 0; axis--) {
      if (dims[axis] !== 1) place += (rest % out[axis]!) * stride;
      rest = Math.floor(rest / out[axis]!);
      stride *= dims[axis]!;
    }
    return place;
  };
  const count = out.reduce((x, y) => x * y, 1);
  return Array.from({ length: count }, (_, i) => [left.blocks[placeIn(a, i)]!, right.blocks[placeIn(b, i)]!]);
}
