/**
 * Where the prompt ends and the completion begins, in tokens.
 *
 * Tokens do not end where texts do: the last token of the prompt may differ when the answer follows. The completion is
 * what follows the longest common token prefix of the prompt alone and the prompt with its answer, for each answer on
 * its own. A plain answer ends with EOS, appended where its text does not; in a conversation the template decides.
 *
 * The two may differ only at the end: in a conversation, within the start of the assistant's turn, which templates write
 * in several ways (with or without an empty thought); in a plain text, within its last two tokens. It is an error if a
 * template rewrites the conversation when an answer is appended, as Mistral v0.3's does with a system message: the
 * question would be trained on.
 */
import { InputError } from "../base/errors";
import { commonPrefixLength } from "../base/lists";
import { shown } from "../base/values";
import type { ChatMessage } from "./chatTemplate";
import type { ChatTemplateOptions, Tokenizer } from "./tokenizer";

/** The ids of a prompt with its answer, cut in two. Laid end to end they are the ids of the whole text. */
export interface TokenizedCompletion {
  readonly prompt: number[];
  readonly completion: number[];
}

/** The ids of a prompt, and of the prompt with each of its answers. */
export interface TokenizedAnswers {
  /** The prompt alone. A whole text may differ from it at its end. */
  readonly prompt: number[];
  /** For each answer all ids, and where its completion begins in them. */
  readonly answers: readonly { readonly ids: number[]; readonly start: number }[];
}

/** Tokens at the end of a text that may change when an answer is appended: its last word, and the space after it. */
const MOVING = 2;

type ChatOptions = Omit<ChatTemplateOptions, "addGenerationPrompt">;

/**
 * Tokenises plain answers to one prompt.
 *
 * @throws TypeError when an answer must get an EOS and the tokenizer has none
 * @throws InputError when more than the last two tokens of the prompt change when an answer is appended
 */
export function tokenizeAnswers(tokenizer: Tokenizer, prompt: string, answers: readonly string[]): TokenizedAnswers {
  const { eosToken } = tokenizer;
  if (!eosToken)
    throw new TypeError(
      `Expected a tokenizer with 'eos_token' but received ${shown(tokenizer.specialTokens)}; ` +
        "name it in tokenizer_config.json",
    );
  const wholes = answers.map((answer) => prompt + (answer.endsWith(eosToken) ? answer : answer + eosToken));
  const ids = tokenizer.encode(prompt);
  return begun(
    ids,
    wholes.map((whole) => tokenizer.encode(whole)),
    {
      fixed: () => ids.length - MOVING,
      way: "end the prompt at the end of a word",
    },
  );
}

/**
 * Tokenises answers to one conversation: the prompt with the start of the assistant's turn, as TRL does, against the
 * conversation with each answer's messages.
 *
 * @throws InputError when the template renders the prompt, up to that turn, differently when an answer is appended
 */
export function tokenizeChatAnswers(
  tokenizer: Tokenizer,
  prompt: readonly ChatMessage[],
  answers: readonly (readonly ChatMessage[])[],
  options: ChatOptions = {},
): TokenizedAnswers {
  const start = tokenizer.applyChatTemplate(prompt, { ...options, addGenerationPrompt: true, tokenize: true });
  const whole = (answer: readonly ChatMessage[]) =>
    tokenizer.applyChatTemplate([...prompt, ...answer], { ...options, tokenize: true });
  const withoutTurn = () => tokenizer.applyChatTemplate(prompt, { ...options, tokenize: true });
  return begun(start, answers.map(whole), {
    fixed: () => commonPrefixLength(start, withoutTurn()),
    way: "the chat template renders the prompt differently when an answer follows; if it moves a system message, put that text into the first user message",
  });
}

/**
 * Tokenises a plain answer with its prompt.
 *
 * @throws TypeError when the answer must get an EOS and the tokenizer has none
 * @example
 * const { prompt, completion } = tokenizeCompletion(tokenizer, "2 + 2 =", " 4");
 */
export function tokenizeCompletion(tokenizer: Tokenizer, prompt: string, answer: string): TokenizedCompletion {
  return only(tokenizeAnswers(tokenizer, prompt, [answer]));
}

/**
 * Tokenises the answer to a conversation.
 *
 * @example
 * const prompt = [{ role: "user", content: "2 + 2?" }];
 * tokenizeChatCompletion(tokenizer, prompt, [{ role: "assistant", content: "4" }]);
 */
export function tokenizeChatCompletion(
  tokenizer: Tokenizer,
  prompt: readonly ChatMessage[],
  answer: readonly ChatMessage[],
  options: ChatOptions = {},
): TokenizedCompletion {
  return only(tokenizeChatAnswers(tokenizer, prompt, [answer], options));
}

/**
 * `fixed` returns how many tokens of the prompt each whole must start with; it is not called if none has changed.
 * `way` is the error's advice on how to fix the row.
 */
function begun(
  prompt: number[],
  wholes: readonly number[][],
  { fixed, way }: { fixed: () => number; way: string },
): TokenizedAnswers {
  const answers = wholes.map((ids) => ({ ids, start: commonPrefixLength(prompt, ids) }));
  const least = answers.reduce((most, { start }) => Math.min(most, start), prompt.length);
  if (least < prompt.length && least < fixed())
    throw new InputError(
      `only ${least} of the prompt's ${prompt.length} tokens stay the same when an answer is appended, ` +
        `and the rest would be trained on; ${way}`,
    );
  return { prompt, answers };
}

function only({ answers }: TokenizedAnswers): TokenizedCompletion {
  const { ids, start } = answers[0]!;
  return { prompt: ids.slice(0, start), completion: ids.slice(start) };
}
