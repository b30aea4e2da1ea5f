import type { LossName, LossSettings } from '../gradients/losses.js';
import { choice, InvalidValue, isRecord, text, type Value } from './values.js';

export const lossNames = ['cross-entropy', 'pseudo-labels', 'squared-norm', 'kl', 'mse', 'output'] as const;
lossNames satisfies readonly LossName[];

const name = choice(...lossNames);

type Given = LossName | (LossSettings & { readonly loss: LossName });

/** A loss by name, or `NAME=VALUE`: of one value of the graph. A configuration file may hold its settings, too. */
export const loss: Value<Given> = {
  fromText: (given) => {
    const at = given.indexOf('=');
    if (at < 0) return name.fromText(given, undefined);
    const output = text.fromText(given.slice(at + 1), undefined);
    return { loss: name.fromText(given.slice(0, at), undefined), output };
  },
  fromJson: (value) => {
    if (!isRecord(value)) return name.fromJson(value);
    const { loss: named, output, target, axis, ...others } = value;
    const [other] = Object.keys(others);
    if (other !== undefined) throw new InvalidValue(`leave '${other}' out: use loss, output, axis, target`);
    if (axis !== undefined && !Number.isSafeInteger(axis))
      throw new InvalidValue('use a whole number as axis');
    return {
      loss: name.fromJson(named),
      ...(output !== undefined && { output: text.fromJson(output) }),
      ...(target !== undefined && { target: text.fromJson(target) }),
      ...(axis !== undefined && { axis: axis as number }),
    };
  },
};
