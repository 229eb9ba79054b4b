/** Damaged tokenizer.json, tokenizer_config.json and chat templates. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { copyFolder, damageFile, replace } from "../folders.mjs";
import { damageJson, mutateText, sameJson } from "../mutate.mjs";
import { judgeInput, parity, product, wrong } from "../product.mjs";

const TEXTS = ["the sky is blue", " Hello,\n\nworld  42!", "naïve 😀 \u0000\u200d", "a".repeat(64), "<s></s>[INST]", ""];
const CHAT = [
  { role: "system", content: "Be brief." },
  { role: "user", content: "Hi" },
  { role: "assistant", content: "Hello {{ x }}" },
];
const FILES = ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"];
const KEYS = [
  "normalizer",
  "pre_tokenizer",
  "post_processor",
  "decoder",
  "model",
  "added_tokens",
  "truncation",
  "padding",
  "chat_template",
  "bos_token",
  "add_bos_token",
  "split_special_tokens",
  "add_prefix_space",
  "clean_up_tokenization_spaces",
  "eos_token",
  "extra_special_tokens",
  "tokenizer_class",
];
const PIECES = [
  "{{ messages }}",
  "{% for m in messages %}",
  "{% endfor %}",
  "{% if x %}",
  "{% endif %}",
  "{{ 1/0 }}",
  "{{ 'a' * 100000000 }}",
  "{{ x.y.z }}",
  "{% set a = [1] %}",
  "{% for i in range(1000000000) %}x{% endfor %}",
  "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
  "{{ raise_exception('no') }}",
  "{% set ns = namespace(a=['x']) %}{% for i in range(60) %}{% set ns.a = ns.a + ns.a %}{% endfor %}{{ ns.a }}",
  "{{ messages | tojson }}",
  "{{ '%s' | format(1) }}",
  "{{ cycler('a') }}",
  "{%- break %}",
  "{{ (1).__class__ }}",
  "{{ messages[10].content }}",
  "{{ messages[0]['content'][::-1] }}",
  "{{ ((((((((((1)))))))))) }}",
];

export default {
  name: "tokenizers and templates",
  share: 3,
  batch: 60,
  minimum: 2000,
  async open() {
    const folders = [parity("score", "model"), parity("eval", "model")];
    return { folders, right: new Map() };
  },
  async make(random, folder, { folders, right }) {
    const source = random.of(folders);
    const model = join(folder, "model");
    copyFolder(source, model);
    const present = FILES.filter((name) => existsSync(join(model, name)));
    const name = random.of(present);
    const file = join(model, name);
    const names = [...present, model];
    const command = ["generate", "--model", model, "--prompt", "the sky", "--max-new-tokens", "2"];
    if (name.endsWith(".json") && random.chance(0.08)) {
      replace(file, sameJson(random, JSON.parse(readFileSync(file, "utf8"))));
      return {
        note: `${name}: the same JSON, written differently`,
        names,
        command,
        run: async () => {
          if (!right.has(source)) right.set(source, await use(source));
          const [found, expected] = [await use(model), right.get(source)];
          if (JSON.stringify(found) !== JSON.stringify(expected)) return wrong("other tokens from the same tokenizer");
        },
      };
    }
    let note;
    if (name.endsWith(".jinja")) {
      const text = readFileSync(file, "utf8");
      const piece = random.of(PIECES);
      const at = random.integer(0, text.length);
      const made = random.chance(0.6)
        ? { text: random.chance(0.5) ? piece + text : text.slice(0, at) + piece + text.slice(at), note: piece }
        : mutateText(random, text);
      replace(file, made.bytes ?? made.text);
      ({ note } = made);
    } else if (name === "tokenizer.json" && random.chance(0.2)) {
      const json = JSON.parse(readFileSync(file, "utf8"));
      const { text, bytes, note: said } = damageJson(random, json.model, { keys: ["vocab", "merges", "type", "unk_token"] });
      delete json.model;
      replace(file, bytes ?? JSON.stringify(json).replace(/\}$/, `,"model":${text}}`));
      note = `model: ${said}`;
    } else note = damageFile(random, file, { keys: KEYS });
    return { note: `${name}: ${note}`, names, command, run: async () => void (await use(model)) };
  },
  judge: judgeInput,
};

async function use(model) {
  const tokenizer = await product().loadTokenizer(model);
  const ids = TEXTS.map((text) => tokenizer.encode(text));
  const texts = ids.map((each) => tokenizer.decode(each));
  if (tokenizer.chatTemplates.length === 0) return { ids, texts };
  return { ids, texts, chat: tokenizer.applyChatTemplate(CHAT, { addGenerationPrompt: true }) };
}
