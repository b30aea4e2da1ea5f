import { copyValues, type Values } from '../values.js';
import { scaleChannels, type TrainedGroup } from './channels.js';
import { hessoScores } from './saliency.js';
import type { ChannelScores, Keeps, Moment } from './recipe.js';

/** Points on the way to zero at which candidates are scored again. */
const points = [0.75, 0.5, 0.25] as const;

/** Rounds after which what is chosen is taken as it is. */
const mostRounds = 5;

/** Above all scores of channels that aren't protected. */
const protectedScore = 1e30;

/**
 * CRIC, the corrective redundant identification cycle of HESSO (Chen et al., 2024): before channels are declared
 * redundant, all candidates are walked towards zero, and scored again on the way; those whose score grows are
 * indispensable and protected for good, others take their place, until nothing changes.
 */
export class IndispensableChannels {
  private readonly found = new Map<TrainedGroup, Uint8Array>();

  constructor(private readonly groups: readonly TrainedGroup[]) {
    for (const group of groups) this.found.set(group, new Uint8Array(group.size));
  }

  /** @param find chooses by scores */
  async choose(
    scores: ChannelScores,
    find: (scores: ChannelScores) => Promise<Keeps>,
    gradients: Values,
    moment: Moment,
  ): Promise<Keeps> {
    let keeps = await find(this.guarded(scores));
    for (let round = 0; round < mostRounds; round++) {
      if (!(await this.protect(keeps, hessoScores(this.groups, moment.values, gradients), moment))) break;
      keeps = await find(this.guarded(scores));
    }
    return keeps;
  }

  /** @returns whether a channel was found that wasn't protected before */
  private async protect(keeps: Keeps, first: ChannelScores, moment: Moment): Promise<boolean> {
    let isNew = false;
    for (const point of points) {
      const values = copyValues(moment.values);
      for (const own of this.groups) {
        const keep = keeps.get(own.group);
        if (keep)
          scaleChannels(
            own,
            values,
            Float64Array.from(keep, (bit) => (bit === 1 ? 1 : point)),
          );
      }
      const scores = hessoScores(this.groups, values, await moment.gradientsAt(values));
      for (const own of this.groups) {
        const [keep, before, now] = [keeps.get(own.group), first.get(own.group)!, scores.get(own.group)!];
        const known = this.found.get(own)!;
        keep?.forEach((bit, c) => {
          if (bit === 1 || known[c] === 1 || !(now[c]! > before[c]!)) return;
          known[c] = 1;
          isNew = true;
        });
      }
    }
    return isNew;
  }

  private guarded(scores: ChannelScores): ChannelScores {
    return new Map(
      this.groups.map((own) => {
        const known = this.found.get(own)!;
        return [own.group, scores.get(own.group)!.map((score, c) => (known[c] === 1 ? protectedScore : score))]; // prettier-ignore
      }),
    );
  }
}
