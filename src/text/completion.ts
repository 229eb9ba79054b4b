/**
 * Where the prompt ends and the completion begins, in tokens.
 *
 * Tokens do not end where texts do: the last token of the prompt may differ when the answer follows. The completion is
 * what follows the longest common token prefix of the prompt alone and the prompt with its answer, for each answer on
 * its own. A plain answer ends with EOS, appended where its text does not; in a conversation the template decides.
 */
import type { ChatMessage } from "./chatTemplate";
import { shown } from "./errors";
import type { ChatTemplateOptions, Tokenizer } from "./tokenizer";

/** The ids of a prompt with its answer, cut in two. Laid end to end they are the ids of the whole text. */
export interface TokenizedCompletion {
  readonly prompt: number[];
  readonly completion: number[];
}

/** How many ids two lists have in common from the start. */
export function commonPrefixLength(a: readonly number[], b: readonly number[]): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}

/**
 * Tokenises a plain answer with its prompt.
 *
 * @throws TypeError when the answer must get an EOS and the tokenizer has none
 * @example
 * const { prompt, completion } = tokenizeCompletion(tokenizer, "2 + 2 =", " 4");
 */
export function tokenizeCompletion(tokenizer: Tokenizer, prompt: string, answer: string): TokenizedCompletion {
  const { eosToken } = tokenizer;
  if (!eosToken)
    throw new TypeError(
      `Expected a tokenizer with 'eos_token' but received ${shown(tokenizer.specialTokens)}; ` +
        "name it in tokenizer_config.json",
    );
  const ended = answer.endsWith(eosToken) ? answer : answer + eosToken;
  return cut(tokenizer.encode(prompt), tokenizer.encode(prompt + ended));
}

/**
 * Tokenises the answer to a conversation: the prompt with the start of the assistant's turn, as TRL does, against the
 * conversation with the answer's messages.
 *
 * @example
 * const prompt = [{ role: "user", content: "2 + 2?" }];
 * tokenizeChatCompletion(tokenizer, prompt, [{ role: "assistant", content: "4" }]);
 */
export function tokenizeChatCompletion(
  tokenizer: Tokenizer,
  prompt: readonly ChatMessage[],
  answer: readonly ChatMessage[],
  options: Omit<ChatTemplateOptions, "addGenerationPrompt"> = {},
): TokenizedCompletion {
  const start = tokenizer.applyChatTemplate(prompt, { ...options, addGenerationPrompt: true, tokenize: true });
  const whole = tokenizer.applyChatTemplate([...prompt, ...answer], { ...options, tokenize: true });
  return cut(start, whole);
}

function cut(prompt: readonly number[], whole: readonly number[]): TokenizedCompletion {
  const length = commonPrefixLength(prompt, whole);
  return { prompt: whole.slice(0, length), completion: whole.slice(length) };
}
