import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { analyze } from '../../src/api.js';
import type { Batch } from '../../src/data/batch.js';
import { teacherKey } from '../../src/training/losses/loss.js';
import { studentOf, type Student, type StudentOptions } from '../../src/training/student.js';

/** Small PyTorch models and what PyTorch computed of them: scripts/training-reference.py. */
export const folder = join(import.meta.dirname, 'reference');

export const referenceNames = [
  ...['resnet_bn', 'resnet_folded', 'grouped_bn', 'depthwise_se_bn', 'vit', 'bert'],
  ...['lstm', 'bilstm', 'gru', 'unet_groupnorm', 'convnext', 'mlp'],
] as const;

interface Computed {
  readonly loss: number;
  readonly gradients: Readonly<Record<string, readonly number[]>>;
}

export interface Reference {
  readonly shape: readonly number[];
  readonly x: readonly number[];
  readonly teacher: readonly number[];
  readonly labels: readonly number[];
  readonly kl: Computed;
  readonly cross_entropy: Computed;
}

export function readReference(name: string): Reference {
  return JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as Reference;
}

export async function readStudent(name: string, options?: StudentOptions): Promise<Student> {
  return studentOf((await analyze(join(folder, `${name}.onnx`))).axes, options);
}

/** The reference's examples, with the dense model's logits beside them. */
export function batchOf({ shape, x, teacher, labels }: Reference, isIds: boolean): Batch {
  const size = shape[0]!;
  const classes = teacher.length / size;
  return {
    inputs: {
      x: isIds
        ? { dtype: 'int64', dims: shape, data: BigInt64Array.from(x, BigInt) }
        : { dtype: 'float32', dims: shape, data: Float32Array.from(x) },
    },
    labels: Int32Array.from(labels),
    extras: {
      [teacherKey('y')]: { dtype: 'float32', dims: [size, classes], data: Float32Array.from(teacher) },
    },
    size,
    valid: size,
  };
}
