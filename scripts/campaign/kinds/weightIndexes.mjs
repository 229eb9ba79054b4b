/** Damaged model.safetensors.index.json, and shards that are missing, swapped or damaged. */
import { readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { copyFolder, damageFile, replace } from "../folders.mjs";
import { damageJson, sameJson } from "../mutate.mjs";
import { judgeInput, parity, wrong } from "../product.mjs";
import { logitsOf, sameNumbers } from "./modelUse.mjs";

const INDEX = "model.safetensors.index.json";

export default {
  name: "weight indexes",
  share: 2,
  batch: 80,
  minimum: 1200,
  async open() {
    const folders = ["sharded", "tied-sharded-old"].map((name) => parity("folders", name));
    return { folders, right: new Map() };
  },
  async make(random, folder, { folders, right }) {
    const source = random.of(folders);
    const model = copyFolder(source, join(folder, "model"));
    const index = join(model, INDEX);
    const value = JSON.parse(readFileSync(index, "utf8"));
    const shards = readdirSync(model).filter((name) => name.endsWith(".safetensors"));
    const names = [INDEX, model, ...shards];
    const edit = random.weighted([
      [8, "index"],
      [2, "shard"],
      [1, "swap"],
      [1, "same"],
    ]);
    let note;
    let same = false;
    if (edit === "index") {
      const made = damageJson(random, value, { keys: ["weight_map", "metadata"] });
      replace(index, made.bytes ?? made.text);
      ({ note } = made);
    } else if (edit === "shard") note = damageFile(random, join(model, random.of(shards)));
    else if (edit === "swap") {
      const [a, b] = [random.of(shards), random.of(shards)];
      renameSync(join(model, a), join(model, "x"));
      if (a !== b) renameSync(join(model, b), join(model, a));
      renameSync(join(model, "x"), join(model, b));
      note = `${a} and ${b} swapped`;
    } else {
      replace(index, sameJson(random, value));
      [note, same] = ["the same JSON, written differently", true];
    }
    return {
      note: `${source}: ${note}`,
      names,
      command: ["generate", "--model", model, "--prompt", "x", "--max-new-tokens", "2"],
      run: async () => {
        const found = await logitsOf(model);
        if (!same) return undefined;
        if (!right.has(source)) right.set(source, await logitsOf(source));
        return sameNumbers(found, right.get(source)) ? undefined : wrong("other logits from the same index");
      },
    };
  },
  judge: judgeInput,
};
