import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { compareLogProbs, sampleSequences, tokenLogProbs } from "../../src/cli/merge/check";
import { mergeCommand } from "../../src/cli/merge/command";
import { loadModel, SafetensorsFile, saveModel } from "../../src/models";
import { noGrad, ops, tensor, tidy } from "../../src/torch";
import { temporaryFolders } from "../models/folders";
import { expectClose, fixture, folderOf } from "../parity/fixture";
import { tinyFolder } from "../text/tiny";
import { runCommand } from "./command";

const folder = temporaryFolders();
const single = folderOf("folders", "single");
const tied = folderOf("folders", "tied"); // bfloat16
const adapter = (name: string) => folderOf("adapters", name);
const { ids } = fixture<{ ids: number[][] }>("weights");
const { adapters } = fixture<{ adapters: Record<string, { logits: number[] }> }>("adapters");

const smaug = (...args: string[]) => runCommand(mergeCommand(), ...args);

const merge = (name: string, out: string, ...more: string[]) =>
  smaug("--model", single, "--adapter", adapter(name), "--out", out, ...more);

const logits = async (path: string) => {
  const model = await loadModel(path, { dtype: "float32" });
  return tidy(() => noGrad(() => model.forward(tensor(ids, { dtype: "int64" }))));
};

describe("an adapter's own tokenizer and template", () => {
  test("are written to the merged folder; the adapter alone determines the base", async () => {
    const model = tinyFolder({ "chat_template.jinja": "base" });
    afterAll(() => rmSync(model, { recursive: true }));
    cpSync(single, model, { recursive: true });
    const own = folder(adapter("list"));
    cpSync(tinyFolder({ "chat_template.jinja": "adapter" }), own, { recursive: true });
    const config = join(own, "adapter_config.json");
    const json = JSON.parse(readFileSync(config, "utf8")) as object;
    writeFileSync(config, JSON.stringify({ ...json, base_model_name_or_path: model }));
    const [both, alone] = [join(folder(), "both"), join(folder(), "alone")];
    expect(await smaug("--model", model, "--adapter", own, "--out", both)).toMatchObject({ status: 0, stderr: "" });
    expect(await smaug("--model", own, "--out", alone, "--verify")).toMatchObject({ status: 0, stderr: "" });
    for (const out of [both, alone]) expect(readFileSync(join(out, "chat_template.jinja"), "utf8")).toBe("adapter");
    expect(readFileSync(join(alone, "model.safetensors"))).toEqual(readFileSync(join(both, "model.safetensors")));
  });

  test("requires an adapter", async () => {
    expect(await smaug("--model", single, "--out", join(folder(), "out"))).toMatchObject({
      status: 2,
      stderr: `error: Expected '--adapter', or an adapter's folder for '--model', but received only the model ${single}\n`,
    });
  });
});

describe("the merged folder", () => {
  test.each(["list", "dora", "head", "whole"])("answers as PEFT with the adapter %s, and holds none", async (name) => {
    const out = join(folder(), "new");
    expect(await merge(name, out)).toMatchObject({ status: 0, stderr: "" });
    expectClose(await logits(out), adapters[name]!.logits, 2e-4, "logits");
    expect(readdirSync(out).sort()).toEqual(["config.json", "model.safetensors"]);
    const names = (path: string) => [...new SafetensorsFile(join(path, "model.safetensors")).entries.keys()].sort();
    expect(names(out)).toEqual(names(single));
  });

  test("has the tokenizer's files, the architecture, and the dtype of the base", async () => {
    const model = tinyFolder({ "generation_config.json": { temperature: 0.6 } });
    afterAll(() => rmSync(model, { recursive: true }));
    cpSync(tied, model, { recursive: true });
    const out = folder();
    const args = ["--model", model, "--adapter", adapter("whole-tied"), "--out", out, "--json"];
    const { stdout, status } = await smaug(...args);
    expect({ status, ...JSON.parse(stdout) }).toEqual({
      status: 0,
      out,
      dtype: "bfloat16",
      layers: 2,
      whole: ["model.embed_tokens.weight"],
      verify: null,
    });
    expect(readdirSync(out).sort()).toEqual(readdirSync(model).sort());
    expect(JSON.parse(readFileSync(join(out, "config.json"), "utf8"))).toMatchObject({
      architectures: ["LlamaForCausalLM"],
      dtype: "bfloat16",
      tie_word_embeddings: true,
    });
  });

  test.each([
    { from: "float32", dtype: "bfloat16" },
    { from: "bfloat16", dtype: "bfloat16" },
    { from: "bfloat16", dtype: "float16" },
  ])("from $from to $dtype every weight is computed in float32 and rounded once", async ({ from, dtype }) => {
    const [name, weight] = ["whole-tied", "model.layers.0.self_attn.q_proj"];
    const base = folder(tied);
    if (from === "float32") {
      const wide = folder();
      await smaug("--model", tied, "--adapter", adapter(name), "--out", wide, "--dtype", "float32");
      cpSync(wide, base, { recursive: true });
    }
    const out = folder();
    expect((await smaug("--model", base, "--adapter", adapter(name), "--out", out, "--dtype", dtype)).status).toBe(0);
    const read = (path: string, file: string, tensorName: string) =>
      new SafetensorsFile(join(path, file)).read(tensorName, { dtype: "float32" });
    const factor = (letter: string) =>
      read(adapter(name), "adapter_model.safetensors", `base_model.model.${weight}.lora_${letter}.weight`);
    const before = read(base, "model.safetensors", `${weight}.weight`);
    const exact = before.add(factor("B").matmul(factor("A")), { alpha: 4 / 2 });
    const written = new SafetensorsFile(join(out, "model.safetensors")).read(`${weight}.weight`);
    expect(written.dtype).toBe(dtype);
    expect(ops.equal(written, exact.to(dtype as "bfloat16"))).toBe(true);
  });

  test("replaces another model only when asked to, by the command that it prints; the user's files stay", async () => {
    const out = folder(folderOf("folders", "sharded"));
    writeFileSync(join(out, "notes.txt"), "mine");
    const before = readdirSync(out).sort();
    const refused = await merge("list", out);
    expect(refused).toMatchObject({ status: 2, stdout: "" });
    expect(readdirSync(out).sort()).toEqual(before);
    const line = /^ {2}smaug merge (.*)$/m.exec(refused.stderr)![1]!;
    expect(line).toBe(`--model ${single} --adapter ${adapter("list")} --out ${out} --overwrite_output_dir true`);
    expect((await smaug(...line.split(" "))).status).toBe(0);
    expect(readdirSync(out).sort()).toEqual(["config.json", "model.safetensors", "notes.txt"]);
    expectClose(await logits(out), adapters["list"]!.logits, 2e-4, "logits");
  });

  test("is not replaced by one that cannot be written or answers differently", async () => {
    const out = folder(folderOf("folders", "sharded"));
    const contents = () =>
      readdirSync(out)
        .sort()
        .map((name) => [name, readFileSync(join(out, name)).toString("base64")]);
    const before = contents();
    const failed = await smaug("--model", tied, "--adapter", adapter("list"), "--out", out, "--overwrite-output-dir");
    expect(failed).toMatchObject({ status: 2, stderr: expect.stringContaining("does not fit the model") });
    expect(contents()).toEqual(before);

    const wide = folder();
    const model = await loadModel(single);
    noGrad(() => model.stateDict()["model.layers.0.self_attn.v_proj.weight"]!.mul_(1e6)); // beyond float16
    await saveModel(model, wide);
    const args = ["--model", wide, "--adapter", adapter("list"), "--out", out, "--verify", "--dtype", "float16"];
    const differing = await smaug(...args, "--overwrite-output-dir", "true");
    expect(differing).toMatchObject({ status: 1, stderr: expect.stringContaining(`${out} keeps what it held before`) });
    expect(contents()).toEqual(before);
  });

  test("is put back when a command was killed while replacing it", async () => {
    const out = folder();
    mkdirSync(join(out, ".smaug-previous"));
    cpSync(folderOf("folders", "sharded"), join(out, ".smaug-previous"), { recursive: true });
    cpSync(join(single, "model.safetensors"), join(out, "model.safetensors")); // its config.json had not been moved yet
    const { status, stderr } = await merge("list", out);
    expect(status).toBe(2);
    execFileSync("sh", ["-c", /^ {2}(\(cd .*\))$/m.exec(stderr)![1]!]);
    expect(readdirSync(out).sort()).toEqual(readdirSync(folderOf("folders", "sharded")).sort());
    expect(readFileSync(join(out, "config.json"))).toEqual(readFileSync(join(folderOf("folders", "sharded"), "config.json")));
  });
});

describe("--verify", () => {
  test("prints the largest differences, of texts where there is a tokenizer", async () => {
    const { status, stdout } = await merge("all-linear", folder(), "--verify");
    expect(status).toBe(0);
    expect(stdout).toMatch(/14 adapted layers merged, written in float32\n.* 6 texts, 186 tokens, differ by at most \S+ nats/);

    const model = tinyFolder({});
    const config = JSON.parse(readFileSync(join(single, "config.json"), "utf8"));
    expect(await sampleSequences({ folder: model, config: { vocabSize: 300 } } as never)).toHaveLength(6);
    expect(await sampleSequences({ folder: single, config: { vocabSize: config.vocab_size } } as never)).toEqual(
      Array(6).fill(expect.toSatisfy((row: number[]) => row.length === 32 && row.every((id) => id < 40))),
    );
    rmSync(model, { recursive: true });
  });

  test("in 16 bits as JSON, with the tolerance of the dtype", async () => {
    const { status, stdout } = await merge("list", folder(), "--verify", "--dtype", "bfloat16", "--json");
    const { verify } = JSON.parse(stdout);
    expect([status, verify.ok, verify.tolerance]).toEqual([0, true, 0.4]);
    expect(verify.largest_token_delta).toBeGreaterThan(1e-3); // rounding shows
  });

  test("a merged model that answers otherwise ends with 1, and the folder stays", async () => {
    // Weights beyond float16's range: the merge itself is fine, what is written is not.
    const [wide, out] = [folder(), folder()];
    const model = await loadModel(single);
    noGrad(() => model.stateDict()["model.layers.0.self_attn.v_proj.weight"]!.mul_(1e6));
    await saveModel(model, wide);
    const args = ["--model", wide, "--adapter", adapter("list"), "--out", out, "--verify", "--dtype", "float16"];
    const result = await smaug(...args);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/error: Expected the merged model .* a difference of NaN; .* stays as it was written/);
    expect(readdirSync(out)).toContain("model.safetensors");
  });

  test("log-probs are those of the softmax, and differences the largest", async () => {
    const model = await loadModel(single);
    const [row] = tokenLogProbs(model, [ids[0]!]);
    const scores = tidy(() => noGrad(() => model.forward(tensor([ids[0]!], { dtype: "int64" }))));
    const expected = ops.logSoftmax(scores, -1).toList();
    ids[0]!.slice(1).forEach((id, i) => expect(row![i]).toBeCloseTo((expected as number[][][])[0]![i]![id]!, 5));

    const a = [Float64Array.of(-1, -2), Float64Array.of(-3)];
    const b = [Float64Array.of(-1.25, -1.5), Float64Array.of(-3)];
    expect(compareLogProbs(a, b, "float16")).toEqual({
      ok: false,
      sequences: 2,
      tokens: 3,
      largest_sequence_delta: 0.25,
      largest_token_delta: 0.5,
      tolerance: 0.05,
    });
    expect(compareLogProbs(a, a, "float32").ok).toBe(true);
  });
});

describe("what is refused", () => {
  test.each<[string, () => string[], string]>([
    [
      "the model's folder as --out",
      () => {
        const [model, link] = [folder(single), join(folder(), "link")];
        symlinkSync(model, link);
        return ["--model", model, "--adapter", adapter("list"), "--out", link];
      },
      "Expected another folder for '--out' than for '--model'",
    ],
    [
      "a folder inside the model's",
      () => {
        const model = folder(single);
        return ["--model", model, "--adapter", adapter("list"), "--out", join(model, "merged")];
      },
      "Expected another folder for '--out' than for '--model'",
    ],
    [
      "the folder of an adapter's checkpoint",
      () => {
        const run = folder();
        cpSync(adapter("list"), join(run, "checkpoint-3"), { recursive: true });
        return ["--model", single, "--adapter", join(run, "checkpoint-3"), "--overwrite-output-dir", "--out", run];
      },
      "where '--adapter' reads checkpoint-3",
    ],
    [
      "the adapter's",
      () => {
        const copy = folder(adapter("list"));
        return ["--model", single, "--adapter", copy, "--out", copy];
      },
      "holds an adapter",
    ],
    [
      "a folder of other files",
      () => {
        const out = folder();
        writeFileSync(join(out, "notes.txt"), "mine");
        return ["--model", single, "--adapter", adapter("list"), "--out", out];
      },
      "holds other files",
    ],
    [
      "a file",
      () => {
        const out = join(folder(), "file");
        writeFileSync(out, "");
        return ["--model", single, "--adapter", adapter("list"), "--out", out];
      },
      "is a file",
    ],
    [
      "an adapter for another base",
      () => ["--model", tied, "--adapter", adapter("list"), "--out", folder()],
      "does not fit the model",
    ],
    ["no adapter", () => ["--model", single, "--adapter", single, "--out", folder()], "Expected an adapter"],
  ])("%s", async (_, args, message) => {
    const list = args();
    const out = list.at(-1)!;
    const before = readdirSync(join(out, "..")).length;
    const result = await smaug(...list);
    expect(result).toEqual({ status: 2, stdout: "", stderr: expect.stringContaining(message) });
    expect(readdirSync(join(out, "..")).length).toBe(before);
  });

  test("an adapter that names another base is merged with a warning", async () => {
    const other = folder(single);
    const { status, stderr } = await smaug("--model", other, "--adapter", adapter("list"), "--out", folder());
    expect(status).toBe(0);
    expect(stderr).toContain("warning: the adapter names small/single as its base");
  });
});

test("on a full disk nothing half-written stays", async () => {
  const parent = folder();
  mkdirSync(join(parent, "models"));
  const limit = (bytes: string) => execFileSync("prlimit", [`--fsize=${bytes}:`, "--pid", String(process.pid)]);
  limit("8192");
  const result = await merge("list", join(parent, "models", "a", "b")).finally(() => limit("unlimited"));
  expect(result).toEqual({ status: 1, stdout: "", stderr: expect.stringContaining("EFBIG") });
  expect(readdirSync(join(parent, "models"))).toEqual([]);
});
