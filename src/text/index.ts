/** Tokenizers, chat templates, and where a prompt ends and its completion begins. */
export * from "./completion";
export {
  type ChatTemplateOptions,
  type DecodeOptions,
  type EncodeOptions,
  type LoadTokenizerOptions,
  Tokenizer,
  loadTokenizer,
} from "./tokenizer";
export { ChatTemplateError, TokenizerError } from "./errors";
export type { ChatMessage, JsonValue } from "./chatTemplate";
export { saveGgufTokenizer } from "./gguf/tokenizer";
