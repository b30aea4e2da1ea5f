import type { DataNeed, Measured, MemberCurvature } from '../members/measured.js';
import { WeightReader } from '../members/weights.js';
import type { Batch, BatchTensor, DataSource } from '../data/batch.js';
import { PruneError, throwIfAborted } from '../errors.js';
import type { Loss } from '../gradients/losses.js';
import { GradientRunner } from '../gradients/session.js';
import type { Grouping, Member, PruningGroup } from '../groups/group.js';
import type { Tensor } from '../onnx/tensor.js';
import { floatsOf, floatTensor } from '../onnx/values.js';
import type { Runtime } from '../runtime/runtime.js';
import { measureActivations } from './activations.js';
import { gateMembers, SensitivitySums, type GroupWeights } from './sensitivities.js';
import { byChannel, productSums } from './slice-sums.js';
import { splitSharedWeights, type SplitModel } from './shared-weights.js';

export interface MeasureOptions {
  readonly runtime: Runtime;
  readonly data: DataSource;
  readonly loss: Loss;
  readonly signal?: AbortSignal | undefined;
  readonly onBatch?: ((examples: number) => void) | undefined;
}

/**
 * Measures on data what criteria need. Sessions are kept between calls, since only weights change from step to step:
 * every call must be given a grouping of the same model.
 */
export class Measurement {
  private readonly runner: GradientRunner;
  private readonly untied: SplitModel;

  constructor(
    grouping: Grouping,
    private readonly needs: readonly DataNeed[],
    private readonly options: MeasureOptions,
  ) {
    const { runtime, loss, signal } = options;
    this.untied = splitSharedWeights(grouping, grouping.groups);
    const { model, tensors, nameOf } = this.untied;
    // Gates need the gradients of few tensors, and none of those that cost a product each.
    const isGatesOnly = !needs.some((need) => need !== 'gates' && need !== 'activations');
    const wrt = isGatesOnly
      ? grouping.groups.flatMap(({ members }) => gateMembers(members.filter(isFloat32)).flat().map(({ parameter }) => nameOf(parameter))) // prettier-ignore
      : tensors.keys();
    this.runner = new GradientRunner({ model, runtime, loss, wrt: [...new Set(wrt)], signal });
  }

  async measure(grouping: Grouping): Promise<Map<PruningGroup, Measured>> {
    const measured = new Map<PruningGroup, Measured>(grouping.groups.map((group) => [group, {}]));
    const merge = (found: ReadonlyMap<PruningGroup, Measured>): void => {
      for (const [group, part] of found) measured.set(group, { ...measured.get(group), ...part });
    };
    const wants = (...needs: readonly DataNeed[]): boolean => needs.some((need) => this.needs.includes(need));
    if (wants('activations')) merge(await measureActivations(grouping, this.options));
    if (!wants('gradients', 'gates', 'exampleGradients', 'curvature')) return measured;

    const reader = new WeightReader(grouping, grouping.groups);
    const weights = grouping.groups.map((group): GroupWeights => ({
      group,
      weights: reader.weightsOf(group).filter(({ member }) => isFloat32(member)),
      nameOf: (member) => this.untied.nameOf(member.parameter),
    })); // prettier-ignore
    const tensors = splitSharedWeights(grouping, grouping.groups).tensors;
    if (wants('exampleGradients')) {
      const sums = await this.sums(weights, tensors, singles(this.options.data));
      for (const [group, { gradients }] of sums.result())
        merge(new Map([[group, { exampleGradients: gradients }]]));
    }
    if (!wants('gradients', 'gates', 'curvature')) return measured;
    const sums = await this.sums(weights, tensors, this.options.data);
    merge(sums.result());
    if (wants('curvature')) merge(await this.curvature(weights, tensors, sums.meanGradients()));
    return measured;
  }

  release(): Promise<void> {
    return this.runner.release();
  }

  private async sums(
    weights: readonly GroupWeights[],
    tensors: ReadonlyMap<string, Tensor>,
    data: AsyncIterable<Batch>,
  ): Promise<SensitivitySums> {
    const { signal, onBatch } = this.options;
    const sums = new SensitivitySums(weights);
    await this.runner.replaceWeights(tensors);
    let examples = 0;
    for await (const batch of data) {
      throwIfAborted(signal);
      const { gradients } = await this.runner.run(batch);
      sums.add(gradients, batch.valid);
      examples += batch.valid;
      onBatch?.(examples);
    }
    if (examples === 0) throw new PruneError('invalid-data', 'the data has no examples; give at least one');
    return sums;
  }

  /** Hg by a finite difference of gradients: (∇L(θ + εg) − ∇L(θ)) / ε with ε = 0.01 / ‖g‖. */
  private async curvature(
    weights: readonly GroupWeights[],
    tensors: ReadonlyMap<string, Tensor>,
    gradients: ReadonlyMap<string, Float32Array>,
  ): Promise<Map<PruningGroup, Measured>> {
    let squares = 0;
    for (const gradient of gradients.values()) for (const g of gradient) squares += g * g;
    const step = squares === 0 ? 0 : 0.01 / Math.sqrt(squares);
    const moved = new Map(
      [...tensors].map(([name, tensor]) => {
        const g = gradients.get(name);
        if (!g) return [name, tensor];
        return [name, floatTensor(name, floatsOf(tensor).map((w, i) => w + step * g[i]!), tensor.dims)]; // prettier-ignore
      }),
    );
    // The sums' own weights stay θ; only the gradients are taken elsewhere.
    const there = (await this.sums([], moved, this.options.data)).meanGradients();
    const products = new Map<string, Float32Array>();
    for (const [name, g] of gradients) {
      const other = there.get(name)!;
      products.set(name, g.map((value, i) => (step === 0 ? 0 : (other[i]! - value) / step))); // prettier-ignore
    }
    return new Map(
      weights.map(({ group, weights: members, nameOf }) => {
        const curvature = members.map((own): MemberCurvature => {
          const hg = products.get(nameOf(own.member)) ?? new Float32Array(own.values.length);
          const { signed, absolute } = productSums(hg, own.values, own);
          const { member, role } = own;
          return {
            member,
            role,
            signed: byChannel(signed, own, group),
            absolute: byChannel(absolute, own, group),
          };
        });
        return [group, { curvature }];
      }),
    );
  }
}

function isFloat32({ parameter }: Member): boolean {
  return parameter.source.tensor.dtype === 'float32';
}

/** The same examples one by one. A model with a fixed batch gets its batch with one example that counts. */
async function* singles(data: DataSource): AsyncGenerator<Batch> {
  for await (const batch of data) {
    const isFree = Object.values(batch.inputs).every(({ dims }) => dims[0] === batch.size);
    if (!isFree) throw new PruneError('invalid-data', 'inputs share no batch axis; use a batch of 1');
    for (let i = 0; i < batch.valid; i++) yield example(batch, i);
  }
}

function example({ inputs, labels, extras }: Batch, index: number): Batch {
  const one = (tensors: Readonly<Record<string, BatchTensor>>) =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, { dtype, dims, data }]) => {
        const size = data.length / dims[0]!;
        return [
          name,
          { dtype, dims: [1, ...dims.slice(1)], data: data.slice(index * size, (index + 1) * size) },
        ];
      }),
    );
  return {
    inputs: one(inputs),
    ...(labels && { labels: labels.slice(index, index + 1) }),
    ...(extras && { extras: one(extras) }),
    size: 1,
    valid: 1,
  };
}
