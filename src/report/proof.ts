import type { OutputProof, VerifyReport } from '../verify/report.js';
import { formatError, plural } from './numbers.js';

/** Outputs that are named. */
const listed = 5;

/** What a proof says, as labelled lines. */
export function proofLines(proof: VerifyReport | undefined): [string, string][] {
  const outputs = proof && outputsText(proof.outputs);
  return [
    ['proof', proofText(proof)],
    ...(outputs === undefined ? [] : ([['outputs', outputs]] as [string, string][])),
  ];
}

/** One line: what was compared and how far apart it was. */
export function proofText(proof: VerifyReport | undefined): string {
  if (!proof) return 'skipped';
  const { level, passed, compared, maxError, worst, dead, redrawn, runs, cuts, weights } = proof;
  const isStructure = weights === 'changed';
  const verdict = `${isStructure ? 'structure ' : ''}${passed ? 'passed' : 'failed'}`;
  const unproved = isStructure ? '; weights changed: their values are not proved' : '';
  if (level === 'shapes')
    return `${verdict} (shapes only): onnxruntime loads it, every shape is as predicted${unproved}`;
  const scope = `${plural(compared, 'tensor')} compared in ${plural(runs.length, 'run')}${cuts > 0 ? ` of ${plural(cuts, 'cut')}` : ''}`;
  const how = isStructure ? ' with weights re-drawn alike in both models' : '';
  const error = `max relative error ${formatError(maxError)}${worst === undefined ? '' : ` at '${worst}'`}`;
  const again = redrawn.length ? `, ${redrawn.length} of them with re-drawn weights` : '';
  const left = dead.length ? `, ${dead.length} near zero proved nothing` : '';
  return `${verdict}: ${scope}${how}, ${error}${again}${left}${unproved}`;
}

/** One line: how many outputs were compared, and what the others rest on; undefined where nothing was said of them. */
export function outputsText(outputs: readonly OutputProof[]): string | undefined {
  if (outputs.length === 0) return undefined;
  const others = outputs.filter(({ proof }) => proof !== 'compared');
  const compared = `${outputs.length - others.length} of ${outputs.length} compared`;
  if (others.length === 0) return compared;
  const reasons = new Map<string, string[]>();
  for (const { name, proof, why } of others) {
    const reason = `${proof === 'inputs' ? 'by what it is computed from' : 'not at all'} (${why})`;
    reasons.set(reason, [...(reasons.get(reason) ?? []), `'${name}'`]);
  }
  const shown = Array.from(reasons, ([reason, names]) => {
    const more = names.length > listed ? ` and ${names.length - listed} more` : '';
    return `${names.slice(0, listed).join(', ')}${more} ${reason}`;
  });
  return `${compared}; ${shown.join('; ')}`;
}
