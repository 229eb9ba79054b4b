/** The errors of text: a tokenizer folder that cannot be used, a chat template that cannot be rendered. */

import { InputError } from "../base/errors";

/** A tokenizer file that is missing, broken, or asks for something unsupported; names the file and the key. */
export class TokenizerError extends InputError {
  override name = "TokenizerError";
}

/** A chat template that is missing, does not parse, rejects the conversation, or does not end. */
export class ChatTemplateError extends InputError {
  override name = "ChatTemplateError";
}

/** A chat template that does not parse, or uses something undefined: no conversation can be rendered with it. */
export class ChatTemplateSyntaxError extends ChatTemplateError {}

/** A chat template that exceeds its limits, as it would with other rows too. */
export class ChatTemplateLimitError extends ChatTemplateError {}
