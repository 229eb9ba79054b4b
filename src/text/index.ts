/** Tokenizers, chat templates, and where a prompt ends and its completion begins. */

export type { ChatMessage, JsonValue } from "./chatTemplate";
export * from "./completion";
export { ChatTemplateError, TokenizerError } from "./errors";
export { saveGgufTokenizer } from "./gguf/tokenizer";
export {
  type ChatTemplateOptions,
  type DecodeOptions,
  type EncodeOptions,
  type LoadTokenizerOptions,
  loadTokenizer,
  Tokenizer,
} from "./tokenizer";
