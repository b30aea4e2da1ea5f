import { PruneError } from '../errors.js';
import type { ProfiledNode } from './runtime.js';

/**
 * Reads the trace onnxruntime's profiler writes: Chrome's trace event format, of which the kernel events
 * (category `Node`, name `<node>_kernel_time`) say what ran where.
 * A trace cut short (the process died while writing) keeps what is complete.
 */
export function parseProfile(text: string): ProfiledNode[] {
  const nodes: ProfiledNode[] = [];
  for (const event of parseEvents(text)) {
    if (!isRecord(event) || event.cat !== 'Node' || typeof event.name !== 'string') continue;
    if (!event.name.endsWith(kernelSuffix) || !isRecord(event.args)) continue;
    const { op_name: opType, provider } = event.args;
    if (typeof opType !== 'string' || typeof provider !== 'string') continue;
    nodes.push({
      name: event.name.slice(0, -kernelSuffix.length),
      opType,
      provider,
      microseconds: typeof event.dur === 'number' ? event.dur : 0,
    });
  }
  return nodes;
}

const kernelSuffix = '_kernel_time';

function parseEvents(text: string): readonly unknown[] {
  let events: unknown;
  try {
    events = JSON.parse(text);
  } catch {
    try {
      events = JSON.parse(text.trimEnd().replace(/,?$/, ']'));
    } catch (error) {
      throw new PruneError('runtime', "onnxruntime's profile is not JSON; run again", { cause: error });
    }
  }
  return Array.isArray(events) ? events : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
