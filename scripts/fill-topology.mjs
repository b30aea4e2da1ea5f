import { floatTensor } from '../dist/onnx/values.js';

/** A topology with weights of the mean and deviation that its tensors record. */
export function filled(model) {
  const initializers = model.graph.initializers.map((tensor) => {
    const spec = /^fill:normal mean=(\S+) std=(\S+)/.exec(tensor.docString);
    if (!spec) return tensor;
    const [mean, std] = [Number(spec[1]), Number(spec[2])];
    const values = new Float32Array(tensor.dims.reduce((a, b) => a * b, 1));
    let state = 1;
    for (let i = 0; i < values.length; i++) {
      // A linear congruence is random enough for weights that nobody trained.
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      values[i] = mean + std * Math.sqrt(12) * (state / 2 ** 32 - 0.5);
    }
    return { ...floatTensor(tensor.name, values, tensor.dims), docString: '' };
  });
  return { ...model, graph: { ...model.graph, initializers } };
}
