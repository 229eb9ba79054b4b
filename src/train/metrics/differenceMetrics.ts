/**
 * What training does to the chosen answers around their first difference from the rejected ones, live: the paper's figure
 * 4 over the steps. Measured on logged steps and in evaluations, over the tokens before, at and after the first token in
 * which a pair's two answers differ (rows without a rejected answer are left out):
 *
 *   token_logps/chosen_before, _at, _after    mean of log π over all such tokens (micro), in nats
 *   token_logps/chosen_before_macro, …        mean over the pairs that have such tokens, of each one's mean
 *   token_logratios/…                         the same six of log π − log π_ref, where the loss has a reference: less noisy,
 *                                             as the pairs are others in every step
 *
 * Every token counts as 1, whatever weight `ld_alpha` gives it. What a line has no tokens for is left out of it.
 */

import { hasRejected } from "../../data/tokenize/tokenizedPair";
import type { Packing } from "../../preference";
import { differenceOf, STAGES, stageBounds } from "../../preference/difference";
import { fromTypedArray, noGrad, type Tensor, tidy } from "../../torch";
import type { ReferenceValues } from "../reference";
import type { StepMetrics } from "./stepMetrics";

/** Of each stage the mean over tokens, then that over pairs. */
const NAMES = STAGES.flatMap((stage) => [`chosen_${stage}`, `chosen_${stage}_macro`]);

/** Adds a micro-batch. `logProbs` are those of its scored tokens, `[scored]`; the sums stay on their device. */
export function addByDifference(
  metrics: StepMetrics,
  packing: Packing,
  logProbs: Tensor,
  reference: ReferenceValues | undefined,
): void {
  const scored = packing.targets.length;
  const counts = NAMES.map(() => 0);
  // A scored token that answers share counts once for each of them.
  const weights = new Float64Array(NAMES.length * scored);
  const ofReference = new Float64Array(NAMES.length);
  for (const [i, pair] of packing.pairs.entries()) {
    if (!hasRejected(pair)) continue;
    const tokens = packing.completions[i]!.chosen;
    const values = reference?.get(pair)?.chosen;
    const bounds = stageBounds(differenceOf(pair), tokens.length);
    for (const [stage, part] of STAGES.entries()) {
      const [from, to] = bounds[part];
      const tokensThere = to - from;
      if (tokensThere <= 0) continue;
      const add = (name: number, weight: number, count: number): void => {
        counts[name]! += count;
        for (let at = from; at < to; at++) {
          weights[name * scored + tokens[at]!]! += weight;
          if (values) ofReference[name]! += weight * values[at]!;
        }
      };
      add(2 * stage, 1, tokensThere); // micro
      add(2 * stage + 1, 1 / tokensThere, 1); // macro
    }
  }
  tidy(() =>
    noGrad(() => {
      const { device } = logProbs;
      const sums = fromTypedArray(weights, [NAMES.length, scored], { device }).mul(logProbs.detach()).sum(1);
      const ratios = reference && sums.sub(fromTypedArray(ofReference, undefined, { device }));
      for (const [i, name] of NAMES.entries()) {
        if (counts[i] === 0) continue;
        metrics.add(`token_logps/${name}`, sums.select(0, i), counts[i]!);
        if (ratios) metrics.add(`token_logratios/${name}`, ratios.select(0, i), counts[i]!);
      }
    }),
  );
}
