/**
 * One batch of prompts, token by token, without text. Prompts of unequal length are padded on the left, so that all of
 * them end in the same column; positions and mask make the padding invisible. Everything stays on the device; one read
 * a step brings the new tokens over. Rows that have ended are computed on with the others. Beam search is left out.
 */
import type { CausalLM } from "../models";
import { causalMask, KvCache } from "../nn";
import { arange, dispose, eye, keep, noGrad, type Tensor, tensor, tidy } from "../torch";
import type { DecodingSettings } from "./options";
import { drawUniforms, processScores, sample } from "./sampling";

/**
 * The next token of each row, step after step, for as many steps as are asked for. Dropout is off while the model runs.
 * Ended early or late, it leaves no tensor behind.
 */
export function* decode(
  model: CausalLM,
  prompts: readonly (readonly number[])[],
  { processors, eosTokens, minNewTokens, limits, sampled, seed }: DecodingSettings,
): Generator<readonly number[], void, void> {
  const { device } = model;
  const int64 = { dtype: "int64", device } as const;
  const width = Math.max(...prompts.map((prompt) => prompt.length));
  const steps = Math.max(...limits);
  const padding = prompts.map((prompt) => width - prompt.length); // columns to the left of each prompt
  const modules = [...model.modules()];
  using cache = new KvCache();

  const state = tidy(() => ({
    // What the model reads next, [rows, seq].
    fed: tensor(
      prompts.map((prompt, row) => [...Array<number>(padding[row]!).fill(0), ...prompt]),
      int64,
    ),
    pads: padding.some((pad) => pad > 0) ? tensor(padding, int64).unsqueeze(1) : undefined, // [rows, 1]
    // Tokens of prompt and answer in any order, [rows, width + steps]; repeats do not count, so they fill the room.
    ids:
      processors.repetitionPenalty === undefined
        ? undefined
        : tensor(
            prompts.map((prompt) => [...prompt, ...Array<number>(width + steps - prompt.length).fill(prompt[0]!)]),
            int64,
          ),
    ends: minNewTokens > 0 && eosTokens.size > 0 ? tensor([...eosTokens], int64) : undefined,
    uniforms: sampled ? drawUniforms(prompts.length, steps, seed, device) : undefined, // [rows, steps]
  }));
  keep(state);

  /** The next token of each row, `[rows, 1]`. */
  const next = (step: number): Tensor => {
    const { fed, pads, ids, ends, uniforms } = state;
    const keys = cache.length + fed.size(1);
    // Tokens of each row so far, [rows, seq], for angles that depend on them.
    const lengths =
      pads && model.model.dependsOnLength
        ? pads
            .neg()
            .add(keys)
            .expand([prompts.length, fed.size(1)])
        : undefined;
    const hidden = model.hidden(fed, { ...(pads && hidePadding(pads, cache.length, fed.size(1))), lengths, cache });
    const last = hidden.narrow(1, hidden.size(1) - 1, 1); // [rows, 1, hidden]
    const logits = model.head(last).squeeze(1).to("float32"); // [rows, vocab]
    const scores = processScores(logits, ids, step < minNewTokens ? ends : undefined, processors);
    const tokens = uniforms ? sample(scores, uniforms.narrow(1, step, 1)) : scores.argmax(-1, true);
    ids?.narrow(1, width + step, 1).copy_(tokens);
    return tokens;
  };

  try {
    for (let step = 0; step < steps; step++) {
      const training = modules.filter((module) => module.training); // other code runs between steps
      for (const module of training) module.training = false;
      try {
        const tokens = keep(tidy(() => noGrad(() => next(step))));
        state.fed.dispose();
        state.fed = tokens; // [rows, 1]
      } finally {
        for (const module of training) module.training = true;
      }
      yield Array.from(state.fed.toArray() as BigInt64Array, Number);
    }
  } finally {
    dispose(state);
  }
}

/** Positions and mask of `seq` columns after `seen` ones, for rows that begin after `pads`, `[rows, 1]`, columns. */
function hidePadding(pads: Tensor, seen: number, seq: number): { positions: Tensor; mask: Tensor } {
  const { device } = pads;
  const keys = seen + seq;
  const positions = arange(seen, keys, { device }).sub(pads).clampMin(0); // [rows, seq]
  const real = arange(keys, { device })
    .ge(pads)
    .view([pads.size(0), 1, 1, keys]);
  if (seq === 1) return { positions, mask: real }; // the one query sees every key of its row
  const visible = real.logicalAnd(causalMask(seq, keys, device)); // [rows, 1, seq, keys]
  // A padding query sees itself, as it must see something.
  return { positions, mask: visible.logicalOr(eye(seq, keys, { dtype: "bool", device })) };
}
