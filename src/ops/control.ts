import type { OpFamily } from './op.js';

/** Ops that run bodies. */
export const control: OpFamily = {
  If: { inputs: 'cond', traits: ['branches', 'decides'] },
  Loop: { inputs: 'M cond v_initial…', traits: ['decides'] },
  Scan: { inputs: 'initial_state_and_scan_inputs…', traits: ['decides'] },
};
