import { intAttribute, intsAttribute } from '../../onnx/attributes.js';
import { attribute, type MultiplyAdds, type Relation } from '../relation.js';
import { NoRelation, presentInputs, type AxisRules, type OpContext } from '../rule.js';

const why = 'positions of the sequence attend to each other';

/**
 * Attention in one op: heads `h` (for grouped queries `k r`: key/value heads and their repeats), dims `d` summed away
 * between queries and keys, dims `v` carried by the values. Sources: onnx's Operators.md, onnxruntime's
 * docs/ContribOperators.md.
 */
export const attention: AxisRules = {
  Attention: standardAttention,
  'com.microsoft::Attention': packedAttention,
  'com.microsoft::MultiHeadAttention': multiHeadAttention,
  'com.microsoft::GroupQueryAttention': groupQueryAttention,
  'com.microsoft::QAttention': () => {
    throw new NoRelation(
      'its packed weights are quantized; prune the float model and quantize it afterwards',
    );
  },
};

function results(op: OpContext, ...patterns: readonly string[]): string {
  if (op.outputCount > patterns.length) throw new NoRelation(`output ${patterns.length} is not known`);
  return patterns.slice(0, op.outputCount).join(', ');
}

/** Axes of a mask or bias that broadcasts to (batch, heads, queries, keys). */
function maskAxes(op: OpContext, input: number, heads: string): string {
  if (!op.has(input)) return '_';
  const dims = op.shape(input);
  const names = ['#nm', heads, '#sm', '#tm'].slice(4 - dims.length);
  return names.map((name, i) => (dims[i] === 1 ? '1' : name)).join(' ');
}

/** Every query meets every key on its dims, and every value. */
function products(queries: string, keys: string, dims: string, carried: string): MultiplyAdds {
  return { terms: [`${queries} ${keys} ${dims}`, `${queries} ${keys} ${carried}`], inputs: [0, 1, 2] };
}

/** The letter of keys: of those in the cache where there is one, past keys included. */
const keysOf = (op: OpContext, otherwise: string): string => (op.node.outputs[1] ? 'u' : otherwise);

function standardAttention(op: OpContext): Relation {
  const isFlat = op.shape(0).length === 3;
  const spell = (heads: string, positions: string, dims: string): string =>
    isFlat
      ? `#n ${positions} (${heads} ${dims})`
      : `#n ${heads.includes(' ') ? `(${heads})` : heads} ${positions} ${dims}`;
  const inputs = presentInputs(
    op,
    spell('k r', '#s', 'd'),
    spell('k', '#t', 'd'),
    spell('k', '#t', 'v'),
    maskAxes(op, 3, '(k r)'),
    '#n k #p d',
    '#n k #p v',
    '_',
  );
  const outputs = results(op, spell('k r', '#s', 'v'), '#n k #u d', '#n k #u v', '#n (k r) #s #u');
  return {
    notation: `${inputs} -> ${outputs}`,
    sizes: isFlat ? { k: attribute('kv_num_heads'), 'k r': attribute('q_num_heads') } : {},
    attention: { heads: ['k', 'r'], contracted: ['d'], carried: ['v'], headSize: 'd' },
    multiplies: products('n k r s', keysOf(op, 't'), 'd', 'v'),
    why,
  };
}

/** Queries, keys and values come from one packed weight. */
function packedAttention(op: OpContext): Relation {
  const [queries] = intsAttribute(op.node, 'qkv_hidden_sizes') ?? [op.shape(1)[1]! / 3];
  const isRotary = intAttribute(op.node, 'do_rotary', 0) !== 0;
  // A cache stacks keys and values, which makes their dims one axis.
  const isStacked = op.has(4) || op.outputCount > 1;
  const d = isRotary ? '#d' : 'd';
  const v = isStacked ? d : 'v';
  const packed = `(h ${d} + h ${d} + h ${v})`;
  const attending = products('n h s', keysOf(op, 's'), 'd', isStacked ? 'd' : 'v');
  const inputs = presentInputs(
    op,
    '#n #s i',
    `i ${packed}`,
    packed,
    '_',
    `2 #n h #p ${d}`,
    maskAxes(op, 5, 'h'),
    '_',
  );
  return {
    notation: `${inputs} -> ${results(op, `#n #s (h ${v})`, `2 #n h #u ${d}`)}`,
    sizes: { h: attribute('num_heads'), 'h d': queries! },
    attention: { heads: ['h'], contracted: ['d'], carried: ['v'], headSize: 'd' },
    multiplies: { terms: [`n s i ${packed.replaceAll('#', '')}`, ...attending.terms], inputs: [0, 1] },
    roles: [[undefined, undefined, 'contract'], ['contract', 'produce'], 'shift'],
    why: isRotary ? 'rotary embeddings pair its dims by position' : why,
  };
}

function multiHeadAttention(op: OpContext): Relation {
  const isPacked = op.shape(0).length === 5;
  if (!isPacked && !op.has(1)) throw new NoRelation('it has no keys');
  const keyRank = op.has(1) ? op.shape(1).length : 0;
  const keys = keyRank === 5 ? '#n #t h 2 d' : keyRank === 4 ? '#n h #t d' : '#n #t (h d)';
  // Packed with the queries or keys values are as wide as they are, and with a cache onnxruntime wants them to be.
  const isCached = op.has(6) || op.has(7);
  const v = isPacked || keyRank === 5 || isCached ? 'd' : 'v';
  const inputs = presentInputs(
    op,
    isPacked ? '#n #s h 3 d' : '#n #s (h d)',
    keys,
    op.has(2) && op.shape(2).length === 4 ? `#n h #t ${v}` : `#n #t (h ${v})`,
    `(h d + h d + h ${v})`,
    '_',
    maskAxes(op, 5, 'h'),
    '#n h #p d',
    `#n h #p ${v}`,
    '_',
    '_',
  );
  const outputs = results(op, `#n #s (h ${v})`, '#n h #u d', `#n h #u ${v}`, '#n h #s #u');
  return {
    notation: `${inputs} -> ${outputs}`,
    sizes: { h: attribute('num_heads') },
    attention: { heads: ['h'], contracted: ['d'], carried: [v], headSize: 'd' },
    multiplies: products('n h s', keysOf(op, isPacked ? 's' : 't'), 'd', v),
    roles: [undefined, undefined, undefined, 'shift'],
    why,
  };
}

/** Its kernels take head sizes in multiples of this. */
const headBlock = 8;

function groupQueryAttention(op: OpContext): Relation {
  const queryHeads = intAttribute(op.node, 'num_heads', 0);
  const keyHeads = intAttribute(op.node, 'kv_num_heads', 0);
  const isPacked = !op.has(1);
  const width = op.shape(0)[2]! / (isPacked ? queryHeads + 2 * keyHeads : queryHeads);
  const isRotary = intAttribute(op.node, 'do_rotary', 0) !== 0;
  const isWhole = isRotary || width % headBlock !== 0;
  const d = isWhole ? '#d' : 'd #o';
  const size = isWhole ? 'd' : 'd o';
  const nested = isWhole ? d : `(${d})`;
  const inputs = presentInputs(
    op,
    isPacked ? `#n #s (k r ${d} + k ${d} + k ${d})` : `#n #s (k r ${d})`,
    `#n #t (k ${d})`,
    `#n #t (k ${d})`,
    `#n k #p ${nested}`,
    `#n k #p ${nested}`,
    '_',
    '_',
    '_',
    '_',
    '_',
    maskAxes(op, 10, '(k r)'),
    '(k r)',
  );
  const outputs = results(op, `#n #s (k r ${d})`, `#n k #u ${nested}`, `#n k #u ${nested}`);
  return {
    notation: `${inputs} -> ${outputs}`,
    sizes: {
      k: attribute('kv_num_heads'),
      'k r': attribute('num_heads'),
      [size]: width,
      ...(!isWhole && { o: headBlock }),
    },
    attention: { heads: ['k', 'r'], contracted: ['d'], carried: [], headSize: size },
    multiplies: products('n k r s', keysOf(op, isPacked ? 's' : 't'), size, size),
    why: isRotary
      ? 'rotary embeddings pair its dims by position'
      : isWhole
        ? why
        : `head sizes go in blocks of ${headBlock}`,
  };
}
