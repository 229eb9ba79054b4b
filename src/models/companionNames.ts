/** Names of the files in a model folder next to its weights. */

export const TEMPLATE_FILE = "chat_template.jinja";

/** The tokenizer's, in every form that transformers writes or reads. */
export const TOKENIZER_FILES: readonly string[] = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "vocab.txt",
  "tokenizer.model",
  "spiece.model",
  TEMPLATE_FILE,
  "chat_template.json",
];
export const TEMPLATE_FOLDER = "additional_chat_templates";
export const GENERATION_FILE = "generation_config.json";

/** Of a model, but not of an adapter. */
export const MODEL_COMPANIONS: ReadonlySet<string> = new Set(["config.json", GENERATION_FILE]);
