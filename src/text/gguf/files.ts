/** The tokenizer of a GGUF file as files of a Hugging Face folder, beside a model or an adapter made from it. */
import { StagedFiles } from "../../base/files/wholeFiles";
import { companionPlaces } from "../../models/companions";
import { findGguf } from "../../models/formats/gguf/paths";
import { readGgufTokenizer } from "./tokenizer";

/**
 * Writes tokenizer.json and tokenizer_config.json for a model whose tokenizer is in a GGUF file; does nothing for any
 * other.
 */
export async function saveGgufTokenizer(
  { folder: model, adapterFolder }: { readonly folder: string | undefined; readonly adapterFolder: string | undefined },
  folder: string,
): Promise<void> {
  const gguf = model === undefined ? undefined : findGguf(companionPlaces(model, adapterFolder).tokenizer);
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
    await staged.add("tokenizer.json", (file) =>
      file.writeFile(JSON.stringify({ version: "1.0", truncation: null, padding: null, ...json })),
    );
    await staged.add("tokenizer_config.json", (file) => file.writeFile(`${JSON.stringify(config, null, 2)}\n`));
    await staged.commit();
  } finally {
    await staged.discard();
  }
}
