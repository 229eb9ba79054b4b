/** The tokenizer of a GGUF file as files of a Hugging Face folder, beside a model or an adapter made from it. */
import { StagedFiles } from "../base/wholeFiles";
import { findGguf } from "../models/ggufPaths";
import { readGgufTokenizer } from "./ggufTokenizer";

/** Writes tokenizer.json and tokenizer_config.json for a model that came from a GGUF; for any other it does nothing. */
export async function saveGgufTokenizer(source: string | undefined, folder: string): Promise<void> {
  const gguf = source === undefined ? undefined : findGguf(source);
  if (gguf === undefined) return;
  const { json, specialTokens, chatTemplates } = readGgufTokenizer(gguf);
  const { default: template } = chatTemplates;
  const config = {
    clean_up_tokenization_spaces: false,
    tokenizer_class: "PreTrainedTokenizerFast",
    ...specialTokens,
    ...(template === undefined ? {} : { chat_template: template }),
  };
  const staged = await StagedFiles.in(folder);
  try {
    await staged.add("tokenizer.json", (file) => file.writeFile(JSON.stringify({ version: "1.0", truncation: null, padding: null, ...json })));
    await staged.add("tokenizer_config.json", (file) => file.writeFile(`${JSON.stringify(config, null, 2)}\n`));
    await staged.commit();
  } finally {
    await staged.discard();
  }
}
