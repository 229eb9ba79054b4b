/** What text can fail with: a tokenizer folder that cannot be used, a chat template that cannot be rendered. */

import { InputError } from "../native/errors";

/** A tokenizer file that is missing, broken, or asks for what is not supported; names the file and the key. */
export class TokenizerError extends InputError {
  override name = "TokenizerError";
}

/** A chat template that is missing, does not parse, refuses the conversation, or does not come to an end. */
export class ChatTemplateError extends InputError {
  override name = "ChatTemplateError";
}

/** The text of a value in a message, cut to fit. */
export function shown(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
