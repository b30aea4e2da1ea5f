import { Factor, product, sum, unit, type Axis, type Blocker, type Product } from './axis.js';

/**
 * Sums longer than this are blocked instead of refined further: a roll by an offset that is coprime
 * to the axis would shatter it into single indices, and L dense concatenations cost L² terms.
 */
const maxTerms = 4096;

const singlePositions: Blocker = {
  node: '',
  op: '',
  axis: '',
  why: 'each of their parts is an axis of size 1 elsewhere, and the only position of an axis never goes',
};

/**
 * One unification problem: creates factors, binds them, and knows the normal form of an expression.
 *
 * Normal form (`head`): a free factor | `unit` | a product of ≥ 2 factors in which only the last may
 * be a sum | a flat sum of ≥ 2. A sum distributes over everything inner to it, so results don't
 * depend on the order in which relations are stated (but for what a conflict blocks). Adjacent blocked pieces merge (a blocked factor
 * carries no identity), and so do single positions, which nothing can remove either.
 *
 * Each factor is bound at most once, to an expression of strictly smaller factors or to an equal
 * one, hence unification terminates without an occurs check.
 */
export class AxisSystem {
  private nextId = 0;
  /** How often two axes could not be the same and were blocked. */
  conflicts = 0;

  /** A fresh free factor; `unit` for size 1. */
  factor(size: number): Axis {
    return size === 1 ? unit : new Factor(this.nextId++, size);
  }

  /** A fresh axis that can't be pruned; `unit` for size 1. */
  blocked(size: number, blocker: Blocker): Axis {
    return size === 1 ? unit : new Factor(this.nextId++, size, blocker);
  }

  /** The normal form of an expression under the bindings made so far. */
  head(axis: Axis): Axis {
    if (axis.kind === 'factor') return axis.link ? this.resolve(axis) : axis;
    return axis.kind === 'product' ? this.headOfProduct(axis) : this.headOfSum(axis.terms, axis.size);
  }

  /** The free and blocked factors of an expression, each as often as it occurs. */
  leaves(axis: Axis): Factor[] {
    const out: Factor[] = [];
    const stack: Axis[] = [this.head(axis)];
    for (let top = stack.pop(); top; top = stack.pop()) {
      if (top.kind !== 'factor') for (let i = top.terms.length - 1; i >= 0; i--) stack.push(top.terms[i]!);
      else if (top.link) stack.push(this.resolve(top));
      else out.push(top);
    }
    return out;
  }

  /** Blocks every factor of an expression; the first reason stays. */
  block(axis: Axis, blocker: Blocker): void {
    for (const leaf of this.leaves(axis)) leaf.blocker ??= blocker;
  }

  isBlocked(axis: Axis): boolean {
    return this.leaves(axis).every((leaf) => leaf.blocker !== undefined);
  }

  /** States that two axes are the same axis. Where that is impossible both are blocked, with the reason. */
  unify(a: Axis, b: Axis, origin: Blocker): void {
    a = this.head(a);
    b = this.head(b);
    if (a === b) return;
    if (a.size !== b.size) {
      this.conflict(a, b, origin, `sizes ${a.size} and ${b.size} don't match`);
      return;
    }
    // Without positions there is nothing to tell apart, nor to remove.
    if (a.size === 0) for (const empty of [a, b]) this.block(empty, { ...origin, why: 'it has no elements' });
    else if (a.size === 1) this.unifySingle(a, b, origin);
    else if (a.kind === 'factor' && b.kind === 'factor') this.merge(a, b);
    else if (a.kind === 'factor') this.bind(a, b);
    else if (b.kind === 'factor') this.bind(b, a);
    else if (a.kind === 'sum' || b.kind === 'sum') this.unifySums(a, b, origin);
    else this.unifyProducts(a, b, origin);
  }

  /** Splits an axis after its first `size` positions; undefined stands for an empty side. */
  splitAt(axis: Axis, size: number): [Axis | undefined, Axis | undefined] {
    const e = this.head(axis);
    if (size === 0) return [undefined, e];
    if (size === e.size) return [e, undefined];
    if (e.kind === 'factor') return this.splitFactor(e, size);
    if (e.kind === 'sum') {
      let start = 0;
      let i = 0;
      while (start + e.terms[i]!.size <= size) start += e.terms[i++]!.size;
      const [left, right] = this.splitAt(e.terms[i]!, size - start);
      return [
        sum([...e.terms.slice(0, i), ...(left ? [left] : [])]),
        sum([...(right ? [right] : []), ...e.terms.slice(i + 1)]),
      ];
    }
    // x0·rest: whole outer coordinates, one broken one, whole outer coordinates.
    const rest = product(e.terms.slice(1));
    const q = Math.floor(size / rest.size);
    const r = size - q * rest.size;
    const [before, tail] = this.splitAt(e.terms[0]!, q);
    const nest = (outer: Axis | undefined): Axis[] => (outer ? [product([outer, rest])] : []);
    if (r === 0) return [sum(nest(before)), sum(nest(tail))];
    const [broken, after] = this.splitAt(tail!, 1);
    const [left, right] = this.splitAt(rest, r);
    return [
      sum([...nest(before), product([broken!, left!])]),
      sum([product([broken!, right!]), ...nest(after)]),
    ];
  }

  /**
   * The single positions of an axis, in order; its free factors are taken apart into atoms.
   * Undefined where positions have no identity of their own: two free factors nested, sizes that depend on data, or
   * too many of them. Nothing is taken apart then.
   */
  positions(axis: Axis): Axis[] | undefined {
    const e = this.head(axis);
    if (!(e.size <= maxTerms) || !this.isFlat(e)) return undefined;
    return this.spread(e);
  }

  private isFlat(axis: Axis): boolean {
    const e = this.head(axis);
    if (e.kind === 'factor') return true;
    if (e.kind === 'sum') return e.terms.every((term) => this.isFlat(term));
    const free = e.terms.filter((term) => !isFixed(term));
    return free.length <= 1 && free.every((term) => this.isFlat(term));
  }

  private spread(axis: Axis): Axis[] {
    const e = this.head(axis);
    if (isFixed(e)) return new Array<Axis>(e.size).fill(unit);
    if (e.kind === 'factor') {
      if (e.origin) return [e];
      this.takeApart(e);
      return this.spread(e);
    }
    if (e.kind === 'sum') return e.terms.flatMap((term) => this.spread(term));
    return e.terms
      .map((term) => this.spread(term))
      .reduce((outer, inner) => outer.flatMap((o) => inner.map((i) => (i === unit ? o : i))));
  }

  private takeApart(factor: Factor): void {
    const atoms = Array.from(
      { length: factor.size },
      (_, index) => new Factor(this.nextId++, 1, undefined, { factor, index }),
    );
    factor.link = sum(atoms);
  }

  /** An atom equals another atom; what never goes away keeps an atom from going. */
  private unifySingle(a: Axis, b: Axis, origin: Blocker): void {
    if (isAtom(a) && isAtom(b)) this.merge(a as Factor, b as Factor);
    else {
      const blocker = { ...origin, why: 'it meets a single position that stays' };
      this.block(a, blocker);
      this.block(b, blocker);
    }
  }

  private conflict(a: Axis, b: Axis, origin: Blocker, why: string): void {
    this.conflicts++;
    const blocker = { ...origin, why };
    this.block(a, blocker);
    this.block(b, blocker);
  }

  /** Follows links to an unbound expression, compressing the path. */
  private resolve(factor: Factor): Axis {
    let end: Axis = factor;
    const path: Factor[] = [];
    while (end.kind === 'factor' && end.link) {
      path.push(end);
      end = end.link;
    }
    if (end.kind !== 'factor') end = this.head(end);
    for (const step of path) step.link = end;
    return end;
  }

  private headOfSum(terms: readonly Axis[], size: number): Axis {
    const out: Axis[] = [];
    const stack: Axis[] = [];
    for (let i = terms.length - 1; i >= 0; i--) stack.push(terms[i]!);
    for (let top = stack.pop(); top; top = stack.pop()) {
      // Links are followed here and not by head(): a chain of n splits would nest n calls deep.
      let target: Axis = top;
      while (target.kind === 'factor' && target.link) target = target.link;
      if (top.kind === 'factor' && target !== top) top.link = target;
      const term = target.kind === 'product' ? this.head(target) : target;
      const last = out.at(-1);
      if (term.kind === 'sum') for (let i = term.terms.length - 1; i >= 0; i--) stack.push(term.terms[i]!);
      else if (term.size === 0) continue;
      else if (isFixed(term) && last && isFixed(last))
        out[out.length - 1] = new Factor(
          this.nextId++,
          last.size + term.size,
          blockerOfLarger(last, term) ?? singlePositions,
        );
      else out.push(term);
    }
    if (out.length === 1) return out[0]!;
    if (out.length <= maxTerms) return { kind: 'sum', terms: out, size };
    const blocker = { node: '', op: '', axis: '', why: `shattered into more than ${maxTerms} pieces` };
    for (const term of out) this.block(term, blocker);
    return new Factor(this.nextId++, size, blocker);
  }

  private headOfProduct(e: Product): Axis {
    if (e.terms.length === 0) return unit;
    const out: Axis[] = [];
    for (const raw of e.terms) {
      const term = this.head(raw);
      for (const x of term.kind === 'product' ? term.terms : [term]) {
        const last = out.at(-1);
        if (x.size === 1 && isFixed(x)) continue;
        else if (isBlockedFactor(x) && last && isBlockedFactor(last))
          out[out.length - 1] = new Factor(this.nextId++, last.size * x.size, blockerOfLarger(last, x));
        else out.push(x);
      }
    }
    if (out.length === 0) return unit;
    if (out.length === 1) return out[0]!;
    const at = out.findIndex((term) => term.kind === 'sum');
    if (at >= 0 && at < out.length - 1) {
      const outer = out[at] as Exclude<Axis, Factor>;
      const inner = out.slice(at + 1);
      const distributed = outer.terms.map((term) => product([term, ...inner]));
      const tail = this.headOfSum(distributed, sum(distributed).size);
      return at === 0 ? tail : this.headOfProduct(product([...out.slice(0, at), tail]) as Product);
    }
    return { kind: 'product', terms: out, size: e.size };
  }

  private merge(a: Factor, b: Factor): void {
    const blocker = a.blocker ?? b.blocker;
    const [child, root] = isBelow(a, b) ? [a, b] : [b, a];
    if (child.rank === root.rank) root.rank++;
    child.link = root;
    root.blocker = blocker;
  }

  /** Binds a factor to a composite of the same size. A blocked factor is only a flag to pass on. */
  private bind(factor: Factor, composite: Axis): void {
    if (factor.blocker) this.block(composite, factor.blocker);
    else factor.link = composite;
  }

  private splitFactor(factor: Factor, size: number): [Axis, Axis] {
    const { blocker } = factor;
    if (blocker) return [this.blocked(size, blocker), this.blocked(factor.size - size, blocker)];
    const pieces: [Axis, Axis] = [this.factor(size), this.factor(factor.size - size)];
    factor.link = sum(pieces);
    return pieces;
  }

  /** An axis as outer(size / inner) · inner. */
  private nestAt(axis: Axis, inner: number, origin: Blocker): [Axis, Axis] {
    const e = this.head(axis);
    const blocker = e.kind === 'factor' ? e.blocker : undefined;
    if (blocker) return [this.blocked(e.size / inner, blocker), this.blocked(inner, blocker)];
    const pieces: [Axis, Axis] = [this.factor(e.size / inner), this.factor(inner)];
    this.unify(e, product(pieces), origin);
    return pieces;
  }

  /** A merge walk: the longer piece is split at the end of the shorter. */
  private unifySums(a: Axis, b: Axis, origin: Blocker): void {
    const left = [a];
    const right = [b];
    // Earlier steps may have refined what is still on the stacks: take the normal form only now.
    const take = (stack: Axis[]): Axis => {
      let top = this.head(stack.pop()!);
      while (top.kind === 'sum') {
        for (let i = top.terms.length - 1; i >= 0; i--) stack.push(top.terms[i]!);
        top = this.head(stack.pop()!);
      }
      return top;
    };
    while (left.length > 0) {
      const x = take(left);
      const y = take(right);
      // Atoms keep their identity only if what they meet is taken apart as well.
      const whole = isAtom(x) ? y : isAtom(y) ? x : undefined;
      if (whole?.kind === 'factor' && whole.size > 1 && !whole.blocker) {
        this.takeApart(whole);
        left.push(x);
        right.push(y);
      } else if (x.size === y.size) this.unify(x, y, origin);
      else if (x.size < y.size) {
        const [l, r] = this.splitAt(y, x.size);
        right.push(r!);
        this.unify(x, l!, origin);
      } else {
        const [l, r] = this.splitAt(x, y.size);
        left.push(r!);
        this.unify(l!, y, origin);
      }
    }
  }

  private unifyProducts(a: Product, b: Product, origin: Blocker): void {
    const [x, ...restA] = a.terms as [Axis, ...Axis[]];
    const [y, ...restB] = b.terms as [Axis, ...Axis[]];
    if (x.size === y.size) {
      this.unify(x, y, origin);
      this.unify(product(restA), product(restB), origin);
      return;
    }
    const common = greatestCommonDivisor(x.size, y.size);
    if (common === 1) {
      const why = `outer factors ${x.size} and ${y.size} share no divisor`;
      this.conflict(a, b, origin, why);
      return;
    }
    const [outerX, innerX] = x.size === common ? [x, unit] : this.nestAt(x, x.size / common, origin);
    const [outerY, innerY] = y.size === common ? [y, unit] : this.nestAt(y, y.size / common, origin);
    this.unify(outerX, outerY, origin);
    this.unify(product([innerX, ...restA]), product([innerY, ...restB]), origin);
  }
}

/** Union by rank; atoms by age, so that the channels of a group stay together where two groups meet. */
function isBelow(a: Factor, b: Factor): boolean {
  if (a.origin && b.origin) return a.origin.factor.id > b.origin.factor.id;
  return a.rank < b.rank;
}

/** The reason that is kept where two blocked parts become one: that of the larger, which holds back more. */
function blockerOfLarger(a: Axis, b: Axis): Blocker | undefined {
  const [larger, smaller] = a.size >= b.size ? [a, b] : [b, a];
  return blockerOf(larger) ?? blockerOf(smaller);
}

function blockerOf(axis: Axis): Blocker | undefined {
  return axis.kind === 'factor' ? axis.blocker : undefined;
}

/** What always stays, of an expression in normal form: a blocked factor, or a single position. */
function isFixed(axis: Axis): boolean {
  return isBlockedFactor(axis) || (axis.kind === 'product' && axis.terms.length === 0);
}

/** A single position that can be removed. */
function isAtom(axis: Axis): boolean {
  return axis.kind === 'factor' && axis.origin !== undefined && axis.blocker === undefined;
}

function isBlockedFactor(axis: Axis): axis is Factor {
  return axis.kind === 'factor' && axis.blocker !== undefined;
}

function greatestCommonDivisor(a: number, b: number): number {
  while (b) [a, b] = [b, a % b];
  return a;
}
