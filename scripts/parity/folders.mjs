// Saves model and adapter folders with smaug, each beside its logits, for transformers and PEFT to read:
//   npm run compile && node scripts/parity/folders.mjs FOLDER
//   python scripts/parity/weights.py check FOLDER/models
//   python scripts/parity/adapters.py check FOLDER/adapters
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const [out, dist = fileURLToPath(new URL("../../dist", import.meta.url))] = process.argv.slice(2);
if (out === undefined) throw new Error("usage: node scripts/parity/folders.mjs FOLDER");

const { default: smaug } = await import(pathToFileURL(join(dist, "index.js")));
const { default: torch } = await import(pathToFileURL(join(dist, "torch/index.js")));
const { LlamaForCausalLM, loadModel, lora, loraLayers, mergeAndUnload } = smaug;
const { saveAdapter, saveModel, tensorsTrainedWhole } = smaug;
const { manualSeed, noGrad, randn, tensor, tidy } = torch;

const parity = fileURLToPath(new URL("../../test/parity", import.meta.url));
const ids = JSON.parse(readFileSync(join(parity, "weights.json"), "utf8")).ids;

function answer(model, folder) {
  const logits = tidy(() => noGrad(() => [...model.forward(tensor(ids, { dtype: "int64" })).toArray()]));
  writeFileSync(join(folder, "logits.json"), JSON.stringify({ ids, logits }));
}

/** Saves a model and the logits of what is in the folder, in float32. */
async function save(name, model, options) {
  const folder = join(out, "models", name);
  await saveModel(model, folder, options);
  answer(await loadModel(folder), folder);
}

manualSeed(0);
for (const name of ["single", "sharded", "tied", "tied-sharded-old"]) {
  const loaded = await loadModel(join(parity, "folders", name), { dtype: "auto" });
  await save(name, loaded);
  await save(`${name}-to-shards`, loaded, { maxShardSize: 6000 });
}
for (const dtype of ["bfloat16", "float16", "float64"])
  await save(`as-${dtype}`, await loadModel(join(parity, "folders", "single")), { dtype });
const sizes = { vocab_size: 40, hidden_size: 16, intermediate_size: 24, num_hidden_layers: 2, num_attention_heads: 4 };
await save("made-here", new LlamaForCausalLM({ ...sizes, initializer_range: 0.3 }));

const adapters = {
  list: lora({ r: 4, targetModules: ["q_proj", "v_proj"] }),
  regex: lora({ r: 3, alpha: 5, targetModules: ".*\\.(up|down)_proj", useRslora: true }),
  dora: lora({ r: 4, targetModules: ["q_proj", "down_proj"], useDora: true }),
  "all-linear": lora({ r: 2, alpha: 4, targetModules: "all-linear" }),
  patterns: lora({
    targetModules: ["q_proj", "k_proj", "gate_proj"],
    rankPattern: { "1.self_attn.q_proj": 1, "self_attn.[qk]_proj": 2 },
    alphaPattern: { "layers.0.mlp.gate_proj": 3, k_proj: 10 },
  }),
  head: lora({ r: 2, targetModules: ["q_proj", "lm_head"] }),
  layers: lora({ r: 2, targetModules: ["q_proj", "up_proj"], layersToTransform: [1], excludeModules: ["up_proj"] }),
  whole: lora({ r: 2, targetModules: "all-linear", modulesToSave: ["embed_tokens", "lm_head", "norm", "v_proj"] }),
  "whole-tied": lora({ r: 2, targetModules: ["q_proj"], modulesToSave: ["embed_tokens"], ensureWeightTying: true }),
  biases: lora({ r: 2, targetModules: ["q_proj", "down_proj"], bias: "all" }),
  "biases-of-adapted": lora({ r: 2, targetModules: ["q_proj", "down_proj"], bias: "lora_only" }),
};
const bases = { "whole-tied": "tied", biases: "sharded", "biases-of-adapted": "sharded" };
for (const [name, adapter] of Object.entries(adapters)) {
  const base = bases[name] ?? "single";
  const model = await loadModel(join(parity, "folders", base), { dtype: "float32", adapter });
  noGrad(() => {
    for (const [, layer] of loraLayers(model)) layer.adapter.lora_B.weight.normal_(0, 0.3);
    for (const [, whole] of tensorsTrainedWhole(model)) whole.add_(randn(whole.shape), { alpha: 0.1 });
  });
  const folder = join(out, "adapters", name);
  await saveAdapter(model, folder, { baseModel: `small/${base}` });
  answer(model, folder);
  mergeAndUnload(model);
  await save(`merged-${name}`, model);
}
