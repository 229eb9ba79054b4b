/**
 * From hidden rows to the log-prob of one token each, without ever holding the logits of all rows: the head runs in
 * chunks of rows, the log-sum-exp is in float32 whatever the model's dtype.
 *
 * Every loss here sees the model only through these log-probs, so their gradient towards the hidden rows needs no
 * upstream value: d log p_y / dh = W^T (onehot(y) - p). With a frozen head it is formed in the same chunk, and the
 * upstream scalars multiply it later: nothing is computed twice. A head that trains, or is adapted, is run again chunk
 * by chunk with autograd once the scalars are known.
 */
import type { CausalLM } from "../../models";
import type { Weight } from "../../nn";
import { autograd, cat, type DType, deviceProperties, empty, enableGrad, noGrad, ops, type Tensor, tidy } from "../../torch";

/** Values of the same pass, each `[scored]` in float32, without gradient. */
export interface StatisticTensors {
  /** Entropy of the next token's distribution, in nats. */
  entropy: Tensor;
  /** 1 where the token is the likeliest one, else 0. */
  hits: Tensor;
  /** Σ_v p_v². */
  sumSquares: Tensor;
  /** Mean of the logits over the vocabulary. */
  meanLogits: Tensor;
}

export type TokenStatistic = keyof StatisticTensors;

export interface TokenScores extends Partial<StatisticTensors> {
  /** Log-prob of each token, `[scored]`, float32 (float64 for a model in float64). Without gradient. */
  logProbs: Tensor;
}

export interface ScoreOptions {
  /** What to compute in addition to the log-probs. */
  statistics?: readonly TokenStatistic[];
  /** Rows of a chunk; by memory when left out. */
  chunkRows?: number;
}

export interface DifferentiableScores extends TokenScores {
  /**
   * The gradient towards the hidden rows, `[scored, hiddenSize]`, of the loss with gradient `upstream`, `[scored]`,
   * towards the log-probs. Gradients of a head that trains go to its parameters' `grad`. To be called once.
   */
  pullBack(upstream: Tensor): Tensor;
}

/** Log-probs of `targets`, `[scored]`, as the head gives them for `rows`, `[scored, hiddenSize]`. */
export function scoreTokens(model: CausalLM, rows: Tensor, targets: Tensor, options: ScoreOptions = {}): TokenScores {
  return tidy(() =>
    noGrad(() =>
      joined(
        chunks(model, rows, options).map(([start, count]) =>
          tidy(() => chunkScores(model.head(rows.narrow(0, start, count)), targets.narrow(0, start, count), options).scores),
        ),
      ),
    ),
  );
}

/** The same, and the way back to the rows. */
export function scoreTokensWithGradient(
  model: CausalLM,
  rows: Tensor,
  targets: Tensor,
  options: ScoreOptions = {},
): DifferentiableScores {
  const weight = model.headWeight;
  if (!weight || weight.requiresGrad)
    return {
      ...scoreTokens(model, rows, targets, options),
      pullBack: (upstream) => rerun(model, rows, targets, upstream, options),
    };

  const { scores, gradient } = tidy(() =>
    noGrad(() => {
      const gradient = empty(rows.shape, { dtype: rows.dtype, device: rows.device });
      const parts = chunks(model, rows, options).map(([start, count]) =>
        tidy(() => {
          const of = (x: Tensor) => x.narrow(0, start, count);
          const logits = model.head(of(rows)); // [count, vocabSize]
          const { scores, probabilities } = chunkScores(logits, of(targets), options);
          of(gradient).copy_(towardsRows(logits, probabilities, of(targets), weight, model.logitSoftcap));
          return scores;
        }),
      );
      return { scores: joined(parts), gradient };
    }),
  );
  return { ...scores, pullBack: (upstream) => noGrad(() => gradient.mul_(upstream.unsqueeze(1))) };
}

/** A head that trains: chunk by chunk once more, with autograd. */
function rerun(model: CausalLM, rows: Tensor, targets: Tensor, upstream: Tensor, options: ScoreOptions): Tensor {
  return tidy(() => {
    const gradient = empty(rows.shape, { dtype: rows.dtype, device: rows.device });
    for (const [start, count] of chunks(model, rows, options))
      tidy(() => {
        const of = (x: Tensor) => x.narrow(0, start, count);
        const leaf = of(rows).detach().requiresGrad_();
        const logits = enableGrad(() => model.head(leaf));
        const loss = enableGrad(() => ops.crossEntropyLoss(logits.to(wide(logits)), of(targets), { reduction: "none" }));
        autograd.backward([loss], [of(upstream).neg().to({ dtype: loss.dtype })]);
        of(gradient).copy_(leaf.grad!);
        leaf.grad = null;
      });
    return gradient;
  });
}

/** One chunk: its log-probs and statistics, and the distributions, `[count, vocabSize]`. */
function chunkScores(
  logits: Tensor,
  targets: Tensor,
  { statistics = [] }: ScoreOptions,
): { scores: TokenScores; probabilities: Tensor } {
  const wants = new Set(statistics);
  const logProbs = ops._logSoftmax(logits.to(wide(logits)), -1, false); // [count, vocabSize]
  const scores: TokenScores = { logProbs: logProbs.gather(1, targets.unsqueeze(1)).squeeze(1) };
  if (wants.has("hits")) scores.hits = logProbs.argmax(-1).eq(targets).to(wide(logits));
  if (wants.has("meanLogits")) scores.meanLogits = logits.mean([-1], { dtype: wide(logits) });
  const wantsEntropy = wants.has("entropy");
  const probabilities = wantsEntropy ? logProbs.exp() : logProbs.exp_();
  if (wantsEntropy) scores.entropy = probabilities.mul(logProbs).sum(-1).neg_();
  if (wants.has("sumSquares")) scores.sumSquares = ops.linalgVectorNorm(probabilities, 2, [-1]).square_();
  return { scores, probabilities };
}

/** d log p_y / d row of each token, `[count, hiddenSize]`; takes the probabilities' memory. */
function towardsRows(
  logits: Tensor,
  probabilities: Tensor,
  targets: Tensor,
  weight: Weight,
  softcap: number | undefined,
): Tensor {
  const at = targets.unsqueeze(1); // [count, 1]
  const towardsLogits = probabilities.scatterAdd_(
    1,
    at,
    empty([at.size(0), 1], { dtype: probabilities.dtype, device: at.device }).fill_(-1),
  ); // p - onehot
  // d (c tanh(z / c)) / dz = 1 - tanh²; the logits are bent already
  if (softcap !== undefined) towardsLogits.mul_(logits.to({ dtype: towardsLogits.dtype }).div(softcap).square_().neg_().add_(1));
  return weight.pullBack(towardsLogits.to({ dtype: weight.dtype })).neg_();
}

/** Where chunks begin, and how many rows they have; all but the last are equal. */
function chunks(model: CausalLM, rows: Tensor, { chunkRows }: ScoreOptions): [start: number, count: number][] {
  const { chunkBytes } = deviceProperties(rows.device).limits; // of logits in float32
  const most = chunkRows ?? Math.max(1, Math.floor(chunkBytes / (4 * model.config.vocabSize)));
  const total = rows.size(0);
  const size = Math.ceil(total / Math.ceil(total / most));
  return Array.from({ length: Math.ceil(total / size) }, (_, i) => [i * size, Math.min(size, total - i * size)]);
}

function joined(parts: readonly TokenScores[]): TokenScores {
  const names = Object.keys(parts[0]!) as (keyof TokenScores)[];
  return Object.fromEntries(
    names.map((name) => [
      name,
      cat(
        parts.map((part) => part[name]!),
        0,
      ),
    ]),
  ) as unknown as TokenScores;
}

function wide({ dtype }: Tensor): DType & ("float32" | "float64") {
  return dtype === "float64" ? "float64" : "float32";
}
