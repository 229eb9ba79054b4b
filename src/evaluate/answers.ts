/** Answers in the model's own words: greedy, ended by stop strings or the most tokens there may be. */
import { generate } from "../generate";
import type { CausalLM } from "../models";
import type { Tokenizer } from "../text";

export interface AnswerOptions {
  until: readonly string[];
  maxTokens: number;
  /** Prompts answered at once. */
  batchSize: number;
  onProgress?: ((done: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

export interface Answer {
  text: string;
  /** `false`: neither a stop string nor the end of text came within the most tokens. */
  hasEnded: boolean;
}

/** In the order of the prompts; the longest ones go first. */
export async function answersTo(
  model: CausalLM,
  tokenizer: Tokenizer,
  prompts: readonly (readonly number[])[],
  { until, maxTokens, batchSize, onProgress, signal }: AnswerOptions,
): Promise<Answer[]> {
  const order = prompts.map((_, at) => at).sort((a, b) => prompts[b]!.length - prompts[a]!.length);
  const found: Answer[] = Array.from({ length: prompts.length });
  for (let start = 0; start < order.length; start += batchSize) {
    const batch = order.slice(start, start + batchSize);
    const answers = await generate(
      model,
      batch.map((at) => prompts[at]!),
      {
        tokenizer,
        maxNewTokens: maxTokens,
        stopStrings: until,
        ...(signal ? { signal } : {}),
      },
    );
    for (const [i, { text, finishReason }] of answers.entries()) found[batch[i]!] = { text, hasEnded: finishReason !== "length" };
    onProgress?.(start + batch.length);
  }
  return found;
}
