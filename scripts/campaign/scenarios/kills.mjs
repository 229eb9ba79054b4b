/** SIGKILL at random moments of commands that write. What exists is intact, nothing finished is lost, and repeating the command succeeds. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { judgeCommand } from "../judge.mjs";
import { parity } from "../product.mjs";
import { checkpointsIn, copy, differs, finish, MODEL, notWhole, wait } from "./base.mjs";

export default {
  name: "kills",
  share: 7,
  minimum: 100,
  async run(random, shop, folder) {
    const variant = random.weighted([
      [4, "train"],
      [2, "overwrite"],
      [1, "reference"],
      [1, "merge"],
      [1, "score"],
      [1, "data"],
      [1, "reproduce"],
    ]);
    return { note: variant, ...(await variants[variant](random, shop, folder)) };
  },
};

/** Kills a command after part of the time it takes. Returns its outcome. */
async function killed(random, shop, args, seconds, cwd) {
  const { ended, kill } = shop.startCli(args, { cwd });
  const moment = random.chance(0.75) ? seconds * (0.3 + 0.75 * random.number()) : seconds * random.number();
  await Promise.race([wait(moment), ended]);
  kill();
  return { ...(await ended), moment };
}

const wrong = (text) => ({ type: "wrong", text });
const list = (fault) => (fault ? [fault] : []);

const variants = {
  /** Kills a run, then what resumes it, one to three times; then lets it end. */
  async train(random, shop, folder) {
    const expected = await shop.baseline();
    const [out, cache] = [join(folder, "out"), join(folder, "cache")];
    const kills = random.integer(1, 3);
    for (let i = 0; i < kills; i++) {
      const resumed = checkpointsIn(out).length > 0 ? { resume_from_checkpoint: true } : {};
      if (existsSync(join(out, "adapter_model.safetensors"))) break; // it ended before
      await killed(random, shop, shop.train(out, cache, resumed), expected.seconds);
      const why = notWhole(out);
      if (why) return { inputs: i + 1, faults: [wrong(`after kill ${i + 1}: ${why}`)] };
    }
    return { inputs: kills, faults: list(await finish(shop, out, cache, expected)) };
  },

  /** Kills a run that replaces a finished one: until it has a checkpoint or weights, the finished one is still there. */
  async overwrite(random, shop, folder) {
    const changes = { seed: 7, learning_rate: 0.02 };
    const [old, expected] = [await shop.baseline(), await shop.baseline(changes)];
    const [out, cache] = [join(folder, "out"), join(folder, "cache")];
    copy(old.folder, out);
    writeFileSync(join(out, "notes.txt"), "mine");
    const args = shop.train(out, cache, { ...changes, overwrite_output_dir: true });
    const inputs = random.integer(1, 2);
    for (let i = 0; i < inputs; i++) {
      await killed(random, shop, args, expected.seconds);
      const why =
        notWhole(out) ??
        (holdsWeights(out, old.weights) || hasProgress(out, old.folder)
          ? undefined
          : "the finished run's weights are gone, and the new one has neither a checkpoint nor weights");
      if (why) return { inputs: i + 1, faults: [wrong(why)] };
    }
    const outcome = await shop.cli(args);
    const fault = judgeCommand(outcome, { codes: [0] });
    if (fault) return { inputs, faults: [{ ...fault, text: `replacing again failed: ${fault.text}` }] };
    const lost = !existsSync(join(out, "notes.txt")) || readFileSync(join(out, "notes.txt"), "utf8") !== "mine";
    const why = differs(out, expected) ?? notWhole(out) ?? (lost ? "the user's own file is gone" : undefined);
    return { inputs, faults: why ? [wrong(`after replacing: ${why}`)] : [] };
  },

  /** Kills the reference pass; training then finds what it needs, or computes it. */
  async reference(random, shop, folder) {
    const expected = await shop.baseline();
    const [out, cache] = [join(folder, "out"), join(folder, "cache")];
    const inputs = random.integer(1, 2);
    const { seconds } = await shop.once("reference", (place) =>
      shop.cli(shop.train(join(place, "out"), join(place, "cache"), {}, "reference")),
    );
    for (let i = 0; i < inputs; i++) await killed(random, shop, shop.train(out, cache, {}, "reference"), seconds);
    return { inputs, faults: list(await finish(shop, out, cache, expected)) };
  },

  async merge(random, shop, folder) {
    const { folder: adapter } = await shop.baseline();
    const args = (from, out) => ["merge", "--model", MODEL, "--adapter", from, "--out", out];
    const made = (name, from) =>
      shop.once(name, async (place) => {
        const { seconds } = await shop.cli(args(from, join(place, "merged")));
        return {
          seconds,
          folder: join(place, "merged"),
          weights: readFileSync(join(place, "merged", "model.safetensors")),
        };
      });
    const [old, expected] = [await made("merged before", parity("score", "adapter")), await made("merged", adapter)];
    const out = join(folder, "merged");
    const replacing = random.chance(0.5);
    if (replacing) copy(old.folder, out);
    await killed(random, shop, args(adapter, out), expected.seconds);
    const file = join(out, "model.safetensors");
    const there = existsSync(file) ? readFileSync(file) : undefined;
    const why =
      notWhole(out) ??
      (there && !there.equals(expected.weights) && !(replacing && there.equals(old.weights))
        ? "the merged weights are neither the old nor the new ones"
        : undefined) ??
      (replacing &&
      !there &&
      !holdsWeights(folder, old.weights, "model.safetensors") &&
      !holdsWeights(folder, expected.weights, "model.safetensors")
        ? "the earlier merged weights are gone"
        : undefined);
    if (why) return { inputs: 1, faults: [wrong(why)] };
    // The kill may have come after the merge was complete.
    const outcome = await shop.cli([...args(adapter, out), "--overwrite-output-dir"]);
    const fault = judgeCommand(outcome, { codes: [0] });
    if (fault) return { inputs: 1, faults: [{ ...fault, text: `merging again failed: ${fault.text}` }] };
    return {
      inputs: 1,
      faults: readFileSync(file).equals(expected.weights) ? [] : [wrong("merging again gave other weights")],
    };
  },

  score: (random, shop, folder) =>
    lines(random, shop, folder, "score", (out) => ["score", "--model", MODEL, "--data", shop.data, "--out", out]),
  data: (random, shop, folder) =>
    lines(random, shop, folder, "data", (out) => [
      "data",
      "metamath",
      "--input",
      parity("recipes", "MetaMathQA.json"),
      "--out",
      out,
    ]),

  /** Kills the whole job; its summary is there whole or not at all, and the same seed gives the same numbers again. */
  async reproduce(random, shop, folder) {
    const args = (out) => ["reproduce", "--preset", "smoke", "--out", out];
    const summaryOf = (out) => {
      const { seconds: _, versions: __, ...numbers } = JSON.parse(readFileSync(join(out, "summary.json"), "utf8"));
      return JSON.stringify(numbers, (key, value) => (key === "seconds" ? undefined : value));
    };
    const expected = await shop.once("reproduce", async (place) => ({
      seconds: (await shop.cli(args(join(place, "out")))).seconds,
      summary: summaryOf(join(place, "out")),
    }));
    const out = join(folder, "out");
    await killed(random, shop, args(out), expected.seconds);
    const why = notWhole(out);
    if (why) return { inputs: 1, faults: [wrong(why)] };
    if (!existsSync(join(out, "summary.json"))) {
      const fault = judgeCommand(await shop.cli(args(out)), { codes: [0] });
      if (fault) return { inputs: 1, faults: [{ ...fault, text: `starting again failed: ${fault.text}` }] };
    }
    return {
      inputs: 1,
      faults: summaryOf(out) === expected.summary ? [] : [wrong("the summary differs from that of an undisturbed run")],
    };
  },
};

/** A command that writes one file of lines. */
async function lines(random, shop, folder, name, args) {
  const expected = await shop.once(name, async (place) => {
    const { seconds, code, stderr } = await shop.cli(args(join(place, "out.jsonl")));
    if (code !== 0) throw new Error(`${name} failed: ${stderr}`);
    return { seconds, text: readFileSync(join(place, "out.jsonl"), "utf8") };
  });
  const out = join(folder, "out.jsonl");
  const before = random.chance(0.5) ? "before\n" : undefined;
  if (before) writeFileSync(out, before);
  await killed(random, shop, args(out), expected.seconds);
  const text = existsSync(out) ? readFileSync(out, "utf8") : undefined;
  if (text !== before && text !== expected.text)
    return {
      inputs: 1,
      faults: [wrong(`the file is neither as it was before nor complete: ${text?.length} characters`)],
    };
  const fault = judgeCommand(await shop.cli(args(out)), { codes: [0] });
  if (fault) return { inputs: 1, faults: [{ ...fault, text: `doing it again failed: ${fault.text}` }] };
  return {
    inputs: 1,
    faults: readFileSync(out, "utf8") === expected.text ? [] : [wrong("doing it again gave another file")],
  };
}

/** Whether any folder below, hidden ones too, holds these weights. */
function holdsWeights(folder, weights, name = "adapter_model.safetensors") {
  return readdirSync(folder, { recursive: true }).some(
    (each) => each.endsWith(name) && readFileSync(join(folder, each)).equals(weights),
  );
}

/**
 * Whether there is a checkpoint, or weights, that the old run did not have: of the new run, or of one killed before it,
 * which the new run has set aside in turn.
 */
function hasProgress(out, old) {
  const name = "adapter_model.safetensors";
  const theirs = readdirSync(old, { recursive: true })
    .filter((each) => each.endsWith(name))
    .map((each) => readFileSync(join(old, each)));
  return readdirSync(out, { recursive: true })
    .filter((each) => each.endsWith(name) && !/\.tmp\//.test(each))
    .some((each) => !theirs.some((weights) => weights.equals(readFileSync(join(out, each)))));
}
