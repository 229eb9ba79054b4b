/**
 * Greedy decoding of a batch of prompts. Prompts of unequal length are padded on the left, so that all of them end in
 * the same column; positions and mask make the padding invisible. Sampling and beam search are left out.
 */
import { KvCache, causalMask } from "../nn";
import { type Device, type Tensor, eye, noGrad, tensor, tidy } from "../torch";
import type { CausalLM } from "./causalLm";

export interface GenerateOptions {
  maxNewTokens: number;
  /** Ends an answer, and is its last token. The config's when left out; `[]` for none. */
  eosTokenId?: number | readonly number[];
}

/**
 * The most likely next token, again and again, for each prompt: the new tokens only. Dropout is off meanwhile.
 *
 * ```ts
 * const [answer] = generateGreedy(model, [[1, 5, 3]], { maxNewTokens: 20 });
 * ```
 */
export function generateGreedy(
  model: CausalLM,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): number[][] {
  const { maxNewTokens, eosTokenId = model.config.eosTokenIds } = options;
  if (!(Number.isSafeInteger(maxNewTokens) && maxNewTokens > 0))
    throw new RangeError(`Expected a positive integer for 'maxNewTokens' but received ${maxNewTokens}`);
  for (const [row, prompt] of prompts.entries()) checkPrompt(prompt, row, model.config.vocabSize);
  if (prompts.length === 0) return [];

  const eos = new Set(typeof eosTokenId === "number" ? [eosTokenId] : eosTokenId);
  const ended = (answer: readonly number[]) => eos.has(answer.at(-1)!);
  const width = Math.max(...prompts.map((prompt) => prompt.length));
  const pads = prompts.map((prompt) => width - prompt.length); // columns to the left of each prompt
  const answers: number[][] = prompts.map(() => []);
  const training = [...model.modules()].filter((module) => module.training);
  using cache = new KvCache();

  model.eval();
  try {
    let fed = prompts.map((prompt, row) => [...Array<number>(pads[row]!).fill(0), ...prompt]); // [batch, width]
    for (let step = 0; step < maxNewTokens && !answers.every(ended); step++) {
      const next = tidy(() => noGrad(() => nextTokens(model, fed, pads, cache)));
      for (const [row, answer] of answers.entries()) if (!ended(answer)) answer.push(next[row]!);
      fed = next.map((token) => [token]); // [batch, 1]
    }
  } finally {
    for (const module of training) module.training = true;
  }
  return answers;
}

/** The most likely token after `fed`, `[batch, seq]`, which follows what the cache holds. */
function nextTokens(model: CausalLM, fed: readonly number[][], pads: readonly number[], cache: KvCache): number[] {
  const { device } = model.parameters().next().value!;
  const seen = cache.length;
  const seq = fed[0]!.length;
  const positions = pads.map((pad) => Array.from({ length: seq }, (_, i) => Math.max(0, seen + i - pad)));
  const hidden = model.hidden(tensor(fed as number[][], { dtype: "int64", device }), {
    positions: tensor(positions, { dtype: "int64", device }),
    mask: Math.max(...pads) > 0 ? maskPadding(pads, seq, seen + seq, device) : undefined,
    cache,
  });
  const last = hidden.narrow(1, seq - 1, 1); // [batch, 1, hidden]
  return Array.from(model.head(last).argmax(-1).toArray(), Number);
}

/** `[batch, 1, queries, keys]`: causal, without the padding. A padding query sees itself, as it must see something. */
function maskPadding(pads: readonly number[], queries: number, keys: number, device: Device): Tensor {
  const columns = pads.map((pad) => Array.from({ length: keys }, (_, key) => key >= pad));
  const real = tensor(columns, { device }).view([pads.length, 1, 1, keys]);
  const visible = real.logicalAnd(causalMask(queries, keys, device));
  return queries === keys ? visible.logicalOr(eye(queries, keys, { dtype: "bool", device })) : visible;
}

function checkPrompt(prompt: readonly number[], row: number, vocabSize: number): void {
  if (prompt.length === 0) throw new RangeError(`Expected at least one token for 'prompts[${row}]' but received none`);
  const wrong = prompt.find((id) => !(Number.isSafeInteger(id) && id >= 0 && id < vocabSize));
  if (wrong !== undefined)
    throw new RangeError(`Expected token ids from 0 to ${vocabSize - 1} for 'prompts[${row}]' but received ${wrong}`);
}
