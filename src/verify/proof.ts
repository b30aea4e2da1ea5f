import type { Model } from '../onnx/model.js';
import type { Projection } from '../plan/projection.js';
import type { Shapes } from '../shapes/shapes.js';
import { scaled, scalingOf, withScaledValues } from './calibrate.js';
import { Comparison } from './comparison.js';
import { ConstantUses, placesIn } from './constant-uses.js';
import { cutsAround } from './cut.js';
import { givenFeed, randomFeed, type Feed } from './feeds.js';
import { checkInterface } from './interface.js';
import { Judge } from './judge.js';
import { observe, representativeValues, type Observation } from './observation.js';
import { proveOutputs } from './outputs.js';
import { redrawWeights, withConstants } from './redraw.js';
import type { OutputProof, ProofFailure, SkippedValue, VerifyReport } from './report.js';
import { checkShapes } from './shape-check.js';
import { Structure } from './structure.js';
import type { VerifyInput } from './input.js';

/** One proof, from the outside in: interface, shapes, values, weights, and what each output rests on. */
export class Proof {
  private readonly observation: Observation;
  private readonly uses: ConstantUses;
  private readonly judge: Judge;
  private readonly skipped: SkippedValue[] = [];
  private readonly runs = new Set<Feed>();
  private redrawn: readonly string[] = [];
  private outputs: readonly OutputProof[] = [];
  private cuts = 0;
  private done = 0;
  private total = 1;

  constructor(
    private readonly input: VerifyInput,
    private readonly projection: Projection,
    /** The dense model at the sizes that are tried, first those of the analysis. */
    private readonly variants: readonly Shapes[],
  ) {
    const { analysis, dense, pruned, shapes, tolerance } = input;
    const dtypeOf = (value: string) => shapes.dtypeOf(value); // prettier-ignore
    this.uses = new ConstantUses(analysis, projection, dense, pruned);
    this.judge = new Judge({ pruned, dtypeOf, tolerance });
    this.observation = observe({
      ...{ dense, pruned, dtypeOf },
      unknown: unknownNodes(input),
      shapeOf: (value) => shapes.of(value),
      isTouched: (value) => projection.isTouched(analysis.axes.get(value)),
    });
    this.skipped.push(...this.observation.hidden);
  }

  async run(): Promise<Omit<VerifyReport, 'milliseconds'>> {
    const failure = (await this.firstFailure()) ?? undefined;
    const { compared, maxError, worst, dead } = this.judge;
    const { level, weights } = this.input;
    return {
      ...{ passed: failure === undefined, level, failure, compared, maxError, worst },
      ...{ cuts: this.cuts, outputs: this.outputs, redrawn: this.redrawn, skipped: this.skipped },
      runs: [...this.runs].map(({ tensors }) =>
        Object.fromEntries([...tensors].map(([name, { dims }]) => [name, dims])),
      ),
      dead: [...dead.keys()],
      weights: weights === 'changed' ? 'changed' : 'sliced',
      warnings: [],
    };
  }

  private async firstFailure(): Promise<ProofFailure | undefined> {
    const { dense, pruned, analysis, runtime, signal, level, weights = 'sliced' } = this.input;
    const { projection } = this;
    const facade = checkInterface(dense, pruned, analysis, projection);
    if (facade) return facade;
    for (const variant of this.variants) {
      const failure = await checkShapes(pruned, variant, analysis, projection, runtime, signal);
      if (failure) return failure;
    }
    if (level === 'shapes') return undefined;
    const random = this.variants.map((shapes, i) => randomFeed(runtime, shapes, this.input.seed, i > 0));
    const feeds = [...random];
    for (const given of this.input.feeds ?? []) feeds.push(await givenFeed(dense, runtime, given, signal));
    const all = this.observation.values;
    const failure =
      (weights === 'changed' ? undefined : await this.compare(dense, pruned, all, feeds)) ??
      // Where nothing is removed, nodes may be: their readers read on from before them.
      (this.input.masks.size > 0 ? this.uses.wrongWiring() : undefined) ??
      (weights === 'sliced' && level !== 'sample' ? this.uses.wrongWeight() : undefined) ??
      (weights === 'equivalent' ? undefined : await this.compareRedrawn(random));
    return failure ?? this.checkOutputs();
  }

  /** Values of two models, as many as the level asks for. */
  private async compare(
    dense: Model,
    pruned: Model,
    values: readonly string[],
    feeds: readonly Feed[],
  ): Promise<ProofFailure | undefined> {
    const { analysis, masks, shapes, runtime, seed, signal, level, folded } = this.input;
    const comparison = new Comparison({
      ...{ analysis, projection: this.projection, dense, pruned, shapes, runtime, seed, signal },
      ...{ observation: this.observation, judge: this.judge },
      onCompared: (value) => this.input.onProgress?.(++this.done, this.total, value),
    });
    const wanted = new Set(values);
    try {
      if (level === 'sample') {
        const comparable = new Set(this.observation.values);
        const cuts = cutsAround(analysis, masks, comparable, this.observation.given, shapes)
          .map((cut) => ({ ...cut, names: cut.names.filter((name) => wanted.has(name)) }))
          .filter(({ names }) => names.length > 0);
        this.cuts = Math.max(this.cuts, cuts.length);
        this.total = feeds.length * cuts.reduce((total, { names }) => total + names.length, 0);
        return await comparison.compareCuts(cuts, feeds);
      }
      const few = representativeValues(this.input.dense, analysis, masks, this.observation).filter((name) =>
        wanted.has(name),
      );
      // What mixes the batch with channels shows in any tensor behind it: other sizes need no full comparison.
      const passes: [readonly string[], readonly Feed[]][] =
        level === 'full'
          ? [
              [values, feeds.filter(({ isTrial }) => !isTrial)],
              [few, feeds.filter(({ isTrial }) => isTrial)],
            ]
          : [[few, feeds]];
      this.total = passes.reduce((total, [names, runs]) => total + names.length * runs.length, 0);
      for (const [names, runs] of passes) {
        const failure = await comparison.compareWhole(names, runs);
        if (failure) return failure;
      }
      if (!folded || values !== this.observation.values) return undefined;
      return await comparison.compareWhole(this.steadyOutputs(), feeds, folded.fold, folded.pruned);
    } finally {
      this.skipped.push(...comparison.skipped);
      for (const feed of comparison.used) this.runs.add(feed);
    }
  }

  /** The outputs of the models with their bodies closed that no decision inside one may have changed. */
  private steadyOutputs(): string[] {
    const outputs = new Set(this.input.dense.graph.outputs.map(({ name }) => name));
    const { values, unsteady } = this.observation;
    return values.filter((name) => outputs.has(name) && !unsteady.has(name));
  }

  /** Once more with other weights, alike in both models: what held nothing before, or all if the weights were changed. */
  private async compareRedrawn(feeds: readonly Feed[]): Promise<ProofFailure | undefined> {
    const { dense, analysis, seed, level, weights } = this.input;
    const isWhole = weights === 'changed';
    const { values } = this.observation;
    const dead = [...this.judge.dead.keys()];
    if (!isWhole && dead.length === 0) return undefined;
    const drawn = redrawWeights(analysis, dense, seed);
    const redrawn = level === 'sample' ? drawn : await this.calibrated(drawn, feeds[0]!);
    const pruned = this.uses.withWeights(redrawn, { all: isWhole });
    const names = isWhole ? values : values.filter((name) => this.judge.dead.has(name));
    const failure = await this.compare(withConstants(dense, redrawn), pruned, names, feeds);
    this.redrawn = isWhole ? [] : dead.filter((name) => this.judge.alive.has(name));
    return failure;
  }

  /** Weights of a size with which every layer writes values of mean square 1. */
  private async calibrated(redrawn: Awaited<ReturnType<typeof redrawWeights>>, feed: Feed) {
    const { dense, pruned, analysis, shapes, runtime, seed, signal } = this.input;
    const scaling = scalingOf(analysis, dense, redrawn);
    if (scaling.constants.size === 0) return redrawn;
    const comparison = new Comparison({
      ...{ analysis, projection: this.projection, dense: withConstants(dense, redrawn), pruned, shapes },
      ...{ runtime, seed, signal, observation: this.observation, judge: this.judge },
      onCompared: () => undefined,
    });
    const roots = await comparison.runMasked((masked) => withScaledValues(masked, scaling), feed);
    return scaled(redrawn, scaling, roots);
  }

  private checkOutputs(): ProofFailure | undefined {
    const { dense, pruned, weights = 'sliced' } = this.input;
    const { alive, dead } = this.judge;
    const structure = new Structure(dense, pruned, this.uses, weights === 'sliced');
    const reasons = new Map(this.skipped.map(({ value, why }) => [value, why]));
    for (const { index, why } of this.observation.opaque)
      for (const name of dense.graph.nodes[index]!.outputs) reasons.set(name, why);
    this.outputs = proveOutputs(
      dense,
      structure,
      (name) => alive.has(name),
      (name) => reasons.get(name) ?? dead.get(name) ?? 'it could not be compared',
    );
    const missing = this.outputs.find(({ proof }) => proof === 'none');
    if (missing) {
      const message = `output '${missing.name}' could not be compared: ${missing.why}; there is no proof of it`;
      return { kind: 'nothing', value: missing.name, node: '', op: '', message };
    }
    if (alive.size > 0 || dense.graph.nodes.length === 0) return undefined;
    const message = 'no tensor of the model held anything that could be compared; there is no proof';
    return { kind: 'nothing', value: '', node: '', op: '', message };
  }
}

/** Nodes of the dense model that onnxruntime doesn't know, by index, and why. */
function unknownNodes({ analysis, dense, shapes }: VerifyInput): Map<number, string> {
  const { nodes } = analysis.model.graph;
  const byLabel = new Map(nodes.map(({ name }, index) => [name === '' ? `#${index}` : name, index]));
  const places = placesIn(analysis, dense);
  return new Map(
    shapes.unknownOps.flatMap(({ node, op }) => {
      const index = places.get(byLabel.get(node) ?? -1);
      return index === undefined ? [] : [[index, `onnxruntime doesn't know op ${op}`] as const];
    }),
  );
}
