import { PruneError } from '../errors.js';

/**
 * The printed notation of op rules, einops grammar plus `+`:
 *
 *   rule     := operands '->' operands (';' equality)*
 *   operands := operand (',' operand)*          an operand is a list of axes; '_' an operand left alone
 *   axis     := '…' | '#…' | term               '…' right-aligned axes that broadcast as in numpy
 *   term     := letter | '#' letter | number | '(' sum ')'
 *   sum      := product ('+' product)*          concatenation
 *   product  := term+                           row-major nesting, outermost first
 *   equality := term '=' term
 *
 * `#` marks what is blocked; a number is a blocked axis of that size.
 */
export type Pattern =
  | { readonly kind: 'letter'; readonly name: string; readonly blocked: boolean }
  | { readonly kind: 'number'; readonly size: number }
  | { readonly kind: 'product' | 'sum'; readonly terms: readonly Pattern[] };

export interface Ellipsis {
  readonly kind: 'ellipsis';
  readonly blocked: boolean;
}

/** The axes of one operand, or undefined for `_`. */
export type OperandPattern = readonly (Pattern | Ellipsis)[] | undefined;

export interface Notation {
  readonly inputs: readonly OperandPattern[];
  readonly outputs: readonly OperandPattern[];
  readonly equalities: readonly (readonly [Pattern, Pattern])[];
}

/** The names of a pattern's letters, each as often as it occurs. */
export function lettersOf(pattern: Pattern): string[] {
  if (pattern.kind === 'letter') return [pattern.name];
  return pattern.kind === 'number' ? [] : pattern.terms.flatMap(lettersOf);
}

/** @throws PruneError `invalid-option` with the notation and what was expected where. */
export function parseNotation(text: string): Notation {
  const { operands, term, accept, fail, end } = parser(text);
  const inputs = operands();
  if (!accept('->')) fail("'->'");
  const outputs = operands();
  const equalities: [Pattern, Pattern][] = [];
  while (accept(';')) {
    const left = term() ?? fail('a term');
    if (!accept('=')) fail("'='");
    equalities.push([left, term() ?? fail('a term')]);
  }
  end();
  return { inputs, outputs, equalities };
}

/** One operand of a notation. @throws PruneError as `parseNotation` */
export function parseAxes(text: string): readonly (Pattern | Ellipsis)[] {
  const { operand, end } = parser(text);
  const axes = operand();
  end();
  return axes ?? [];
}

/** A sum of products, with or without its parentheses: `g`, `k r`, `e + e`. @throws PruneError as `parseNotation` */
export function parseExtent(text: string): Pattern {
  if (/^[A-Za-z]\w*$/.test(text)) return { kind: 'letter', name: text, blocked: false };
  const { sum, end } = parser(text);
  const pattern = sum();
  end();
  return pattern;
}

/** Readers of the parts of a notation, each going on where the last one stopped. */
function parser(text: string) {
  const tokens = text.match(/#?…|#?[A-Za-z][A-Za-z0-9]*|\d+|->|[(),;+=_]|\S/g) ?? [];
  let at = 0;
  const fail = (expected: string): never => {
    const got = at < tokens.length ? `'${tokens[at]}'` : 'the end';
    throw new PruneError('invalid-option', `invalid axis rule '${text}': expected ${expected}, got ${got}`);
  };
  const accept = (token: string): boolean => tokens[at] === token && ++at > 0;

  const term = (): Pattern | undefined => {
    const token = tokens[at];
    if (token === undefined) return undefined;
    if (token === '(') {
      at++;
      const inner = sum();
      if (!accept(')')) fail("')'");
      return inner;
    }
    if (/^\d+$/.test(token)) {
      at++;
      return { kind: 'number', size: Number(token) };
    }
    const letter = /^(#?)([A-Za-z]\w*)$/.exec(token);
    if (!letter) return undefined;
    at++;
    return { kind: 'letter', name: letter[2]!, blocked: letter[1] === '#' };
  };
  const productOf = (): Pattern => {
    const terms: Pattern[] = [];
    for (let next = term(); next; next = term()) terms.push(next);
    if (terms.length === 0) fail('a letter, a number or a parenthesis');
    return terms.length === 1 ? terms[0]! : { kind: 'product', terms };
  };
  const sum = (): Pattern => {
    const terms = [productOf()];
    while (accept('+')) terms.push(productOf());
    return terms.length === 1 ? terms[0]! : { kind: 'sum', terms };
  };
  const operand = (): OperandPattern => {
    if (accept('_')) return undefined;
    const axes: (Pattern | Ellipsis)[] = [];
    for (;;) {
      if (accept('…')) axes.push({ kind: 'ellipsis', blocked: false });
      else if (accept('#…')) axes.push({ kind: 'ellipsis', blocked: true });
      else {
        const next = term();
        if (!next) return axes;
        axes.push(next);
      }
    }
  };
  const operands = (): OperandPattern[] => {
    const out = [operand()];
    while (accept(',')) out.push(operand());
    return out;
  };

  const end = (): void => {
    if (at < tokens.length) fail('the end');
  };
  return { operands, operand, sum, term, accept, fail, end };
}

export function formatNotation({ inputs, outputs, equalities }: Notation): string {
  const operands = (list: readonly OperandPattern[]): string =>
    list.map((axes) => (axes ? axes.map(formatAxis).join(' ') : '_')).join(', ');
  const clauses = equalities.map(([a, b]) => `; ${formatAxis(a)} = ${formatAxis(b)}`);
  return `${operands(inputs)} -> ${operands(outputs)}${clauses.join('')}`.trimStart();
}

function formatAxis(axis: Pattern | Ellipsis): string {
  switch (axis.kind) {
    case 'ellipsis':
      return axis.blocked ? '#…' : '…';
    case 'letter':
      return axis.blocked ? `#${axis.name}` : axis.name;
    case 'number':
      return String(axis.size);
    case 'product':
      return `(${axis.terms.map(formatAxis).join(' ')})`;
    case 'sum':
      return `(${axis.terms.map((term) => (term.kind === 'product' ? term.terms.map(formatAxis).join(' ') : formatAxis(term))).join(' + ')})`;
  }
}
