import { intAttribute } from '../../onnx/attributes.js';
import { attribute, type Relation } from '../relation.js';
import { NoRelation, presentInputs, type AxisRules, type OpContext } from '../rule.js';

/** Rotary position embeddings. Sources: onnx's Operators.md, onnxruntime's docs/ContribOperators.md. */
export const rotary: AxisRules = {
  RotaryEmbedding: (op) => rotated(op, { cos: 1, sin: 2, positions: 3 }),
  'com.microsoft::RotaryEmbedding': (op) => rotated(op, { positions: 1, cos: 2, sin: 3 }),
};

/** Rotates pairs of dims: `e` pairs of halves, or of neighbours if interleaved; dims beyond them pass. */
function rotated(op: OpContext, at: Readonly<Record<'cos' | 'sin' | 'positions', number>>): Relation {
  const x = op.shape(0);
  const pairs = op.shape(at.cos).at(-1)!;
  const heads = intAttribute(op.node, 'num_heads', 0);
  const isPartial = intAttribute(op.node, 'rotary_embedding_dim', 0) > 0;
  const width = x.length === 4 ? x[3]! : isPartial && heads > 0 ? x[2]! / heads : 2 * pairs;
  if (!(width >= 2 * pairs)) throw new NoRelation('its head size is unknown');
  const turned = intAttribute(op.node, 'interleaved', 0) ? 'e 2' : 'e + e';
  const dims = width > 2 * pairs ? `${turned} + d` : turned;
  const nested = dims.includes('+') ? `(${dims})` : dims;
  const spelled =
    x.length === 4 ? `#n h #s ${dims.includes(' ') ? `(${dims})` : dims}` : `#n #s (h ${nested})`;
  const table = op.shape(at.cos).length === 3 ? '#n #s e' : '#m e';
  const patterns = [spelled, '', '', ''];
  patterns[at.cos] = table;
  patterns[at.sin] = table;
  patterns[at.positions] = '_';
  return {
    notation: `${presentInputs(op, ...patterns)} -> ${spelled}`,
    sizes: {
      e: pairs,
      ...(width > 2 * pairs && { d: width - 2 * pairs }),
      ...(heads > 0 && { h: attribute('num_heads') }),
      ...(isPartial && { 'e + e': attribute('rotary_embedding_dim') }),
    },
    why: 'its table is indexed by position',
  };
}
