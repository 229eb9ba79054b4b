/**
 * LD-DPO (Liu et al. 2024, arXiv 2409.06411), TRL's `ld_alpha`: against the pull towards long answers the tokens beyond
 * the shorter answer's length count α. It changes the sums that losses take, of policy and reference alike:
 *
 *   log π(y|x) = Σ_(t ≤ p) log p_t + α·Σ_(t > p) log p_t,   p = min(|y_w|, |y_l|)
 *
 * α = 1 changes nothing. Token counts, cross-entropies (`policyChosenPlain`) and WPO's weights stay those of all tokens.
 */
import { checkNumber, fromZeroToOne } from "./checks";

/**
 * Weights of the tokens of each answer of a pair, `[chosenTokens]` and `[rejectedTokens]`: 1 up to the shorter one's
 * length, then `alpha` (0 to 1).
 *
 * ```ts
 * ldWeights(2, 4, 0.5); // { chosen: [1, 1], rejected: [1, 1, 0.5, 0.5] }
 * ```
 */
export function ldWeights(
  chosenTokens: number,
  rejectedTokens: number,
  alpha: number,
): { chosen: Float32Array; rejected: Float32Array } {
  checkNumber("alpha", alpha, fromZeroToOne);
  const shared = Math.min(chosenTokens, rejectedTokens);
  const weights = (tokens: number) => new Float32Array(tokens).fill(1, 0, shared).fill(alpha, shared);
  return { chosen: weights(chosenTokens), rejected: weights(rejectedTokens) };
}
