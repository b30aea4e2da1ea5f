import { PruneError } from '../../errors.js';
import { curvesAt, type Curves } from './curves.js';
import { Allowance, improve } from './exchange.js';
import { fits, loadOf, valueOf, type Levels, type Problem } from './problem.js';

/** Linearised problems that are solved, each around the best plan so far. */
const rounds = 4;

/** Halvings of the interval of capacities in a round. */
const halvings = 6;

/** Seconds that one integer programme may take; what was found until then counts. */
const secondsEach = 20;

/**
 * The reference: integer programmes with costs made separable around the best plan so far, solved by HiGHS. The
 * capacity is bisected on exact costs and the plan improved by exact exchanges. Optimal where the costs are separable.
 * @param start a feasible plan
 * @throws PruneError `internal` if the package `highs` is not there
 */
export async function solveWithHighs(problem: Problem, start: Levels): Promise<Levels> {
  const solver = await loadHighs();
  let best = start;
  for (let round = 0; round < rounds; round++) {
    const curves = curvesAt(problem, best);
    const base = loadOf(problem, best);
    const before = valueOf(problem, best);
    const solve = (scale: number): Levels | undefined =>
      solveSeparable(
        solver,
        problem,
        curves,
        base.map((load) => scale - load),
      );
    const consider = (at: Levels | undefined): boolean => {
      if (!at || !fits(problem, at)) return false;
      const improved = improve(problem, at, new Allowance(5000));
      if (valueOf(problem, improved) > valueOf(problem, best)) best = improved;
      return true;
    };
    if (!consider(solve(1))) {
      let [low, high] = [0.5, 1];
      for (let step = 0; step < halvings; step++) {
        const middle = (low + high) / 2;
        if (consider(solve(middle))) low = middle;
        else high = middle;
      }
    }
    if (!(valueOf(problem, best) > before * (1 + 1e-9))) break;
  }
  return best;
}

/** The part of HiGHS that is used. */
interface Solver {
  solve(
    problem: string,
    options: Readonly<Record<string, boolean | number>>,
  ): { readonly Columns: Readonly<Record<string, { readonly Primal?: number | null }>> };
}

async function loadHighs(): Promise<Solver> {
  try {
    // The package's types describe a CommonJS module, but what Node imports has the function as its default.
    const highs = (await import('highs')) as unknown as { readonly default: () => Promise<Solver> };
    return await highs.default();
  } catch (cause) {
    throw new PruneError('internal', "can't load the solver HiGHS; run npm install highs", { cause });
  }
}

/** One binary variable for each step between levels; undefined if there is no solution. */
function solveSeparable(
  solver: Solver,
  { items, limits }: Problem,
  curves: Curves,
  capacity: Float64Array,
): Levels | undefined {
  const objective: string[] = [];
  const rows = Array.from({ length: limits }, (): string[] => []);
  const rest = capacity.slice();
  const order: string[] = [];
  const names: string[] = [];
  items.forEach(({ values }, i) => {
    for (let limit = 0; limit < limits; limit++) rest[limit]! -= curves[i]![limit]![0]!;
    for (let level = 1; level < values.length; level++) {
      const name = `x${i}_${level}`;
      names.push(name);
      objective.push(term(values[level]! - values[level - 1]!, name));
      for (let limit = 0; limit < limits; limit++) {
        const curve = curves[i]![limit]!;
        rows[limit]!.push(term(curve[level]! - curve[level - 1]!, name));
      }
      if (level > 1) order.push(`o${i}_${level}: ${name} - x${i}_${level - 1} <= 0`);
    }
  });
  if (names.length === 0 || rest.some((room) => room < 0)) return undefined;
  const text = [
    'Maximize',
    ` obj: ${objective.join('\n ')}`,
    'Subject To',
    ...rows.map((row, limit) => ` c${limit}: ${row.join('\n ')} <= ${rest[limit]!}`),
    ...order.map((line) => ` ${line}`),
    'Binary',
    ...names.map((name) => ` ${name}`),
    'End',
  ].join('\n');
  const solution = solver.solve(text, {
    output_flag: false,
    mip_rel_gap: 1e-6,
    time_limit: secondsEach,
    random_seed: 0,
  });
  const at = new Int32Array(items.length);
  for (const [name, column] of Object.entries(solution.Columns)) {
    const primal = column.Primal;
    if (typeof primal !== 'number') return undefined;
    if (primal > 0.5) {
      const [item, level] = name.slice(1).split('_').map(Number) as [number, number];
      at[item] = Math.max(at[item]!, level);
    }
  }
  return at;
}

function term(coefficient: number, name: string): string {
  return `${coefficient < 0 ? '-' : '+'} ${Math.abs(coefficient)} ${name}`;
}
