/**
 * How queries meet keys. A model's layers say what their attention is (`AttentionRules`); the caller decides which
 * tokens may attend to each other, by the kernel it passes in: `maskedAttention` for a batch, another for packed rows.
 */
import { type Device, ones, ops, type Tensor, tidy } from "../torch";

/** What a layer asks of its attention, whatever the layout of the tokens. */
export interface AttentionRules {
  /** Factor of the scores; 1 / sqrt(headDim) when left out. */
  scale?: number;
  /** Bends each score into (-softcap, softcap): softcap tanh(score / softcap) (Gemma 2). */
  softcap?: number;
  /** Size of the sliding window: a query sees itself and the `window - 1` tokens before it. */
  window?: number;
  /** Share of attention weights dropped. */
  dropout: number;
}

/**
 * Queries `[batch, heads, queries, headDim]`, keys and values `[batch, kvHeads, keys, headDim]`, where each kvHead
 * serves heads / kvHeads heads, to `[batch, heads, queries, headDim]`.
 */
export type AttentionKernel = (q: Tensor, k: Tensor, v: Tensor, rules: AttentionRules) => Tensor;

/**
 * The kernel of ordinary batches: each query sees the keys up to its own, the last query the last key. A `mask`
 * replaces that rule. Boolean: true where the query may see the key. Floating-point: added to the scores. It
 * broadcasts to `[batch, heads, queries, keys]`, keys counting cached ones; a row must see at least one key.
 */
export function maskedAttention(mask?: Tensor): AttentionKernel {
  return (q, k, v, rules) => {
    const queries = q.size(2);
    const keys = k.size(2);
    const { window } = rules;
    if (window === undefined || keys <= window) return attend(q, k, v, mask, rules);
    if (queries > 1) {
      const near = windowMask(queries, keys, window, q.device);
      return attend(q, k, v, mask ? both(mask, near) : near, rules);
    }
    const last = (t: Tensor, dim: number) => t.narrow(dim, keys - window, window);
    const seen = mask && (mask.size(-1) === 1 ? mask : last(mask, -1));
    return attend(q, last(k, 2), last(v, 2), seen, rules);
  };
}

function attend(q: Tensor, k: Tensor, v: Tensor, givenMask: Tensor | undefined, rules: AttentionRules): Tensor {
  const queries = q.size(2);
  const keys = k.size(2);
  if (rules.softcap !== undefined)
    return softcapped(q, k, v, givenMask ?? (queries > 1 ? causalMask(queries, keys, q.device) : undefined), rules);
  // isCausal would align the first query with the first key, not the last with the last.
  const mask = givenMask ?? (queries > 1 && keys > queries ? causalMask(queries, keys, q.device) : undefined);
  const isCausal = mask === undefined && queries > 1; // a single query sees every key
  const { scale, dropout: dropoutP } = rules;
  const groups = q.size(1) / k.size(1);
  if (groups === 1) return ops.scaledDotProductAttention(q, k, v, mask, dropoutP, isCausal, { scale });
  const sameForHeads = mask === undefined || mask.dim() < 3 || mask.size(-3) === 1;
  if (queries === 1 && sameForHeads) {
    // All heads of a group see the same keys: they are queries of one head.
    const [batch, kvHeads, , headDim] = k.shape as [number, number, number, number];
    const grouped = q.reshape([batch, kvHeads, groups, headDim]);
    return ops.scaledDotProductAttention(grouped, k, v, mask, dropoutP, false, { scale }).reshape(q.shape);
  }
  if (mask === undefined) return ops.scaledDotProductAttention(q, k, v, { dropoutP, isCausal, scale, enableGqa: true });
  // No fused CUDA kernel takes grouped heads together with a mask: repeat the heads.
  return ops.scaledDotProductAttention(q, repeatHeads(k, groups), repeatHeads(v, groups), mask, dropoutP, false, {
    scale,
  });
}

/** Step by step, as no fused kernel bends scores; the softmax is in float32 at least. */
function softcapped(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | undefined, rules: AttentionRules): Tensor {
  const { softcap, scale = 1 / Math.sqrt(q.size(-1)), dropout } = rules;
  const [batch, heads, queries, headDim] = q.shape as [number, number, number, number];
  const [, kvHeads, keys] = k.shape as [number, number, number, number];
  const rows = (heads / kvHeads) * queries; // a group's queries, as those of one head
  const scores = q.reshape([batch, kvHeads, rows, headDim]).matmul(k.transpose(-1, -2)).mul(scale);
  const bent = scores.div(softcap!).tanh().mul(softcap!).view([batch, heads, queries, keys]);
  const masked = mask ? hidden(bent, mask) : bent;
  const weights = masked.softmax(-1, { dtype: q.dtype === "float64" ? "float64" : "float32" }).to({ dtype: q.dtype });
  const kept = dropout > 0 ? ops.dropout(weights, dropout, true) : weights;
  return kept.view([batch, kvHeads, rows, keys]).matmul(v).view(q.shape);
}

function repeatHeads(heads: Tensor, groups: number): Tensor {
  return groups === 1 ? heads : heads.repeatInterleave(groups, 1);
}

/** Where a given mask and a boolean one both let a query see a key. */
function both(given: Tensor, visible: Tensor): Tensor {
  return given.dtype === "bool" ? given.logicalAnd(visible) : hidden(given, visible);
}

/** Scores without those that a mask, boolean or added, hides. */
function hidden(scores: Tensor, mask: Tensor): Tensor {
  return mask.dtype === "bool" ? scores.maskedFill(mask.logicalNot(), -Infinity) : scores.add(mask);
}

/** `[queries, keys]`: the last query sees every key, each one before it one key less. */
export function causalMask(queries: number, keys: number, device?: Device): Tensor {
  return tidy(() => ones([queries, keys], { dtype: "bool", device }).tril(keys - queries));
}

/** `[queries, keys]`: the causal rule, without keys `window` or more before the query. */
function windowMask(queries: number, keys: number, window: number, device?: Device): Tensor {
  return tidy(() => causalMask(queries, keys, device).triu(keys - queries - window + 1));
}
