/** A byte-level BPE of 264 tokens, small enough to work its ids out by hand, in a folder of its own. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** GPT-2's characters for bytes, in the order of the bytes: id 104 is "h", id 32 is "Ġ". */
const alphabet = Array.from({ length: 256 }, (_, byte) => byte);
const isPrintable = (byte: number) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
const others = alphabet.filter((byte) => !isPrintable(byte));
const characters = alphabet.map((byte) => String.fromCharCode(isPrintable(byte) ? byte : 256 + others.indexOf(byte)));

const merges = ["h e", "l l", "he ll", "hell o", "Ġ Ġ"]; // ids 256 to 260
const words = [...characters, ...merges.map((merge) => merge.replace(" ", ""))];

export const [bos, eos, pad] = [261, 262, 263];
export const hello = 259;

const special = (id: number, content: string) => ({
  id,
  content,
  special: true,
  normalized: false,
  lstrip: false,
  rstrip: false,
  single_word: false,
});

const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };

export const tokenizerJson = {
  version: "1.0",
  added_tokens: [special(bos, "<bos>"), special(eos, "<eos>"), special(pad, "<pad>")],
  normalizer: null as object | null,
  pre_tokenizer: bytes as object | null,
  post_processor: {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: "<bos>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
    pair: [],
    special_tokens: { "<bos>": { id: "<bos>", ids: [bos], tokens: ["<bos>"] } },
  } as object | null,
  decoder: bytes as object | null,
  model: { type: "BPE", vocab: Object.fromEntries(words.map((word, id) => [word, id])), merges } as object,
};

export const tokenizerConfig: Record<string, unknown> = {
  bos_token: "<bos>",
  eos_token: { content: "<eos>", lstrip: false },
  pad_token: "<pad>",
  unk_token: null,
  chat_template:
    "{{ bos_token }}{% for m in messages %}{{ m.role[0] }}:{{ m.content }}{{ eos_token }}{% endfor %}" +
    "{% if add_generation_prompt %}a:{% endif %}",
};

/** A new folder with these files; objects are written as JSON. */
export function folderOf(files: Record<string, unknown>): string {
  const folder = mkdtempSync(join(tmpdir(), "smaug-text-"));
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
  return folder;
}

/** The tiny tokenizer, with some of its files replaced. */
export const tinyFolder = (files: Record<string, unknown> = {}) =>
  folderOf({ "tokenizer.json": tokenizerJson, "tokenizer_config.json": tokenizerConfig, ...files });
