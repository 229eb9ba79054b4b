/** What text can fail with: a tokenizer folder that cannot be used, a chat template that cannot be rendered. */

import { InputError } from "../base/errors";

/** A tokenizer file that is missing, broken, or asks for what is not supported; names the file and the key. */
export class TokenizerError extends InputError {
  override name = "TokenizerError";
}

/** A chat template that is missing, does not parse, refuses the conversation, or does not come to an end. */
export class ChatTemplateError extends InputError {
  override name = "ChatTemplateError";
}

/** A chat template that does not parse, or uses what is not there: no conversation can be rendered with it. */
export class ChatTemplateSyntaxError extends ChatTemplateError {}

/** A chat template that goes beyond what a template may use; with other rows it would take as long. */
export class ChatTemplateLimitError extends ChatTemplateError {}
