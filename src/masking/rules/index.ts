import { mergeFamilies } from '../../onnx/op-table.js';
import type { MaskedForm } from '../statistics-builder.js';
import { fused } from './fused.js';
import { normalization } from './normalization.js';
import { reduction } from './reduction.js';

/** The ops that take statistics and have a masked form. */
export const maskedForms: ReadonlyMap<string, MaskedForm> = mergeFamilies('masked form', {
  reduction,
  normalization,
  fused,
});
