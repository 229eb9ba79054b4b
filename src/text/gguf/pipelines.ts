/**
 * What a GGUF file has no room for: the steps around the vocabulary, as they stand in the tokenizer.json of the models
 * that llama.cpp knows by the name in `tokenizer.ggml.pre`.
 */
import type { Step } from "../pipeline";

export interface Pipeline {
  readonly normalizer: Step | null;
  readonly preTokenizer: Step | null;
  readonly decoder: Step;
  /** Further entries of the model. */
  readonly model: Readonly<Record<string, unknown>>;
  /** Whether texts begin with BOS when the file does not say. */
  readonly addBos: boolean;
}

const bytes = (useRegex: boolean): Step => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
});

const split = (pattern: string): Step => ({
  type: "Sequence",
  pretokenizers: [{ type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false }, bytes(false)],
});

const byteLevel = (preTokenizer: Step, changes: Partial<Pipeline> = {}): Pipeline => ({
  normalizer: null,
  preTokenizer,
  decoder: bytes(true),
  model: {},
  addBos: false,
  ...changes,
});

/** Words with one sign before them, `digits` at a time, runs of other signs with the line ends after them. */
const words = (digits: string): string =>
  `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*` +
  "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const gpt2 = byteLevel(bytes(true));
const singleDigits = byteLevel({
  type: "Sequence",
  pretokenizers: [{ type: "Digits", individual_digits: true }, bytes(true)],
});
const llama3 = byteLevel(split(words("\\p{N}{1,3}")), { model: { ignore_merges: true }, addBos: true });
const qwen2 = byteLevel(split(words("\\p{N}")), { normalizer: { type: "NFC" } });

/** Of byte-level vocabularies, by `tokenizer.ggml.pre`. */
export const byteLevelPipelines: Readonly<Record<string, Pipeline>> = {
  default: gpt2,
  "gpt-2": gpt2,
  smollm: singleDigits,
  starcoder: singleDigits,
  "llama-bpe": llama3,
  llama3,
  "llama-v3": llama3,
  qwen2,
  "deepseek-r1-qwen": qwen2,
};

const spaces: Step = { type: "Replace", pattern: { String: " " }, content: "▁" };
const decoders: readonly Step[] = [
  { type: "Replace", pattern: { String: "▁" }, content: " " },
  { type: "ByteFallback" },
  { type: "Fuse" },
];

/** Of SentencePiece vocabularies: Llama 2 puts a space before the text. */
export function sentencePiecePipeline(prefixed: boolean): Pipeline {
  const prefix: Step = { type: "Prepend", prepend: "▁" };
  const unprefix: Step = { type: "Strip", content: " ", start: 1, stop: 0 };
  return {
    normalizer: prefixed ? { type: "Sequence", normalizers: [prefix, spaces] } : spaces,
    preTokenizer: null,
    decoder: { type: "Sequence", decoders: prefixed ? [...decoders, unprefix] : [...decoders] },
    model: { byte_fallback: true, fuse_unk: true },
    addBos: true,
  };
}
