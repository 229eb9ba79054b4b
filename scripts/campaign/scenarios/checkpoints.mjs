/**
 * Damaged checkpoints: resuming from one is refused by name, or, where the damage touches nothing that counts, ends as the
 * undisturbed run does.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { judgeCommand } from "../judge.mjs";
import { damageJson, mutateBytes, replaceBySpecial } from "../mutate.mjs";
import { checkpointsIn, copy, differs } from "./base.mjs";

export default {
  name: "checkpoints",
  share: 5,
  minimum: 150,
  async run(random, shop, folder) {
    const expected = await shop.baseline();
    const source = await shop.once("stopped", async (place) => {
      const out = join(place, "out");
      copy(expected.folder, out);
      return out;
    });
    const names = checkpointsIn(source);
    const out = join(folder, "out");
    for (const name of names) copy(join(source, name), join(out, name));
    for (const name of ["metrics.jsonl", "trainer_state.json"]) copy(join(source, name), join(out, name));
    // The newest one is that of the last step: from it only the end is made again.
    const name = random.of(names);
    const checkpoint = join(out, name);
    const files = readdirSync(checkpoint);
    const file = random.chance(0.35) ? "trainer_state.json" : random.of(files);
    const path = join(checkpoint, file);
    const note = `${file}: ${damage(random, path, checkpoint, files)}`;
    if (name !== names.at(-1)) rmSync(join(out, names.at(-1)), { recursive: true });
    const by = random.chance(0.5) ? "true" : checkpoint;
    const outcome = await shop.cli(shop.train(out, join(expected.cache), { resume_from_checkpoint: by }));
    const fault = judgeCommand(outcome, { codes: [0, 2], names: [file, name] });
    if (fault) return { note, inputs: 1, files: out, faults: [{ ...fault, text: `${file}: ${fault.text}` }] };
    const why = outcome.code === 0 ? differs(out, expected) : undefined;
    return {
      note,
      inputs: 1,
      files: out,
      faults: why ? [{ type: "wrong", text: `a damaged ${file} was taken: ${why}` }] : [],
    };
  },
};

function damage(random, path, checkpoint, files) {
  const content = readFileSync(path);
  const edit = random.weighted([
    [5, "bytes"],
    [3, "json"],
    [1, "missing"],
    [1, "swap"],
    [1, "empty"],
    [0.5, "special"],
  ]);
  if (edit === "json" && path.endsWith(".json")) {
    const made = damageJson(random, JSON.parse(content));
    writeFileSync(path, made.bytes ?? made.text);
    return made.note;
  }
  if (edit === "special") return replaceBySpecial(random, path);
  if (edit === "missing") {
    rmSync(path);
    return "is missing";
  }
  if (edit === "swap") {
    const other = random.of(files);
    writeFileSync(path, readFileSync(join(checkpoint, other)));
    return `is ${other}`;
  }
  if (edit === "empty") {
    writeFileSync(path, "");
    return "is empty";
  }
  const { bytes, note } = mutateBytes(random, content);
  writeFileSync(path, bytes);
  return note;
}
