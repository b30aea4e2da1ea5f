/** Why onnxruntime refused a model, as far as its message says. */
export type Refusal =
  /** An op (or a version of it) that it has no schema or no kernel for. */
  | {
      readonly kind: 'unknown-op';
      readonly opType: string;
      /** Undefined where the message doesn't name it. */
      readonly domain?: string;
      readonly node?: string;
    }
  /** Shapes that don't fit each other: the pinned input shapes, or the model itself. */
  | { readonly kind: 'shapes' }
  | { readonly kind: 'other' };

/** Reads onnxruntime's message, since it has no error codes for these. */
export function readRefusal(message: string): Refusal {
  const unregistered = /(?:^|\s)([\w.-]*):([\w.-]+)\(-?\d+\) is not a registered function\/op/.exec(message);
  if (unregistered) return { kind: 'unknown-op', domain: unregistered[1]!, opType: unregistered[2]! };
  const noSchema =
    /In Node, \("[^"]*", ([^,]+), "([^"]*)", -?\d+\).*(?:No Op registered|No opset import)/.exec(message);
  if (noSchema) return { kind: 'unknown-op', domain: noSchema[2]!, opType: noSchema[1]! };
  const noKernel = /Could not find an implementation for ([\w.-]+)\(\d+\) node with name '([^']*)'/.exec(
    message,
  );
  if (noKernel) return { kind: 'unknown-op', opType: noKernel[1]!, node: noKernel[2]! };
  if (/ShapeInferenceError|Invalid dimension: -/.test(message)) return { kind: 'shapes' };
  return { kind: 'other' };
}
