import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { scoreCommand } from "../../src/cli/score";
import { loadPreferences } from "../../src/data/rows/preferences";
import { tokenizeRows } from "../../src/data/tokenize/tokenizePairs";
import { loadModel } from "../../src/models";
import { type PairScore, scorePreferences } from "../../src/preference";
import { loadTokenizer } from "../../src/text";
import { memory } from "../../src/torch";
import { temporaryFolders } from "../models/folders";
import { fixture, folderOf } from "../parity/fixture";
import { settledTensors } from "../setup/garbage";
import { runCommand } from "./command";

interface Line {
  index: number;
  chosen_logp: number;
  rejected_logp: number;
  chosen_tokens: number;
  rejected_tokens: number;
  chosen_token_logps: number[];
  rejected_token_logps: number[];
}

type ByKind<T> = Record<string, T[]>;
const { rows, ...expected } = fixture<{
  rows: ByKind<object>;
  model: ByKind<Omit<Line, "index">>;
  adapter: ByKind<Omit<Line, "index">>;
}>("score");
const kinds = Object.keys(rows);

const folder = temporaryFolders();
const model = folderOf("score", "model");
const adapter = folderOf("score", "adapter");

afterEach(() => vi.restoreAllMocks());

const smaug = (...args: string[]) => runCommand(scoreCommand(), ...args);

/** A file of these records. */
function dataOf(records: readonly unknown[]): string {
  const file = join(folder(), "pairs.jsonl");
  writeFileSync(file, records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  return file;
}

const linesOf = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);

async function scores(data: string, ...args: string[]): Promise<Line[]> {
  const out = join(folder(), "scores.jsonl");
  const result = await smaug("--model", model, "--data", data, "--out", out, ...args);
  expect(result).toMatchObject({ status: 0 });
  return linesOf(readFileSync(out, "utf8"));
}

function expectNear(actual: readonly number[], wanted: readonly number[], tolerance: number): void {
  expect(actual.length).toBe(wanted.length);
  const worst = Math.max(...actual.map((value, i) => Math.abs(value - wanted[i]!)));
  expect(worst).toBeLessThanOrEqual(tolerance);
}

describe.each(["model", "adapter"] as const)("the %s", (name) => {
  test.each(kinds)("scores rows of the kind '%s' as transformers does", async (kind) => {
    const options = name === "adapter" ? ["--adapter", adapter] : [];
    const lines = await scores(dataOf(rows[kind]!), "--per-token", ...options);
    const wanted = expected[name][kind]!;
    expect(lines.map(({ index }) => index)).toEqual(wanted.map((_, i) => i));
    for (const [i, line] of lines.entries()) {
      const { chosen_tokens, rejected_tokens, ...logps } = wanted[i]!;
      expect(line).toMatchObject({ chosen_tokens, rejected_tokens });
      expectNear([line.chosen_logp, line.rejected_logp], [logps.chosen_logp, logps.rejected_logp], 5e-5);
      expectNear(line.chosen_token_logps, logps.chosen_token_logps, 2e-5);
      expectNear(line.rejected_token_logps, logps.rejected_token_logps, 2e-5);
    }
  });
});

describe("an adapter's folder", () => {
  /** The adapter with its base's name, and the base's tokenizer with the template of another, which starts no turn with BOS. */
  function ownTemplate(): string {
    const path = folder(adapter);
    const config = join(path, "adapter_config.json");
    const json = JSON.parse(readFileSync(config, "utf8")) as object;
    writeFileSync(config, JSON.stringify({ ...json, base_model_name_or_path: model }));
    writeFileSync(join(path, "chat_template.jinja"), "{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}");
    return path;
  }

  test("as the model loads its base with the adapter; its template takes precedence over the base's", async () => {
    const path = ownTemplate();
    const [plain, chats] = [dataOf(rows["plain"]!), dataOf(rows["conversations"]!)];
    expect(await scores(plain, "--model", path)).toEqual(await scores(plain, "--adapter", adapter));
    const intoBase = await smaug("--model", path, "--data", plain, "--out", join(model, "config.json"));
    expect(intoBase).toMatchObject({ status: 2, stderr: expect.stringContaining(`which is read from the folder ${model}`) });
    const own = await scores(chats, "--model", path);
    expect(own).toEqual(await scores(chats, "--adapter", path));
    // The same texts without a template: prompt and answer, each with the token that ends it.
    const text = ({ prompt, chosen, rejected }: Record<string, { content: string }[]>) => {
      const joined = (turns: { content: string }[]) => turns.map(({ content }) => `${content}<eos>`).join("");
      return { prompt: joined(prompt!), chosen: joined(chosen!), rejected: joined(rejected!) };
    };
    const texts = dataOf(rows["conversations"]!.map((row) => text(row as Parameters<typeof text>[0])));
    const counts = (lines: Line[]) => lines.map((line) => [line.chosen_tokens, line.rejected_tokens]);
    expect(counts(own)).toEqual(counts(await scores(texts, "--adapter", adapter)));
    expect(own).not.toEqual(await scores(chats, "--adapter", adapter));
  });
});

describe("the lines", () => {
  test("have no tokens unless they are asked for", async () => {
    const [line] = await scores(dataOf(rows["plain"]!));
    expect(Object.keys(line!)).toEqual(["index", "chosen_logp", "rejected_logp", "chosen_tokens", "rejected_tokens"]);
  });

  test("are read from renamed columns, given a mapping", async () => {
    const renamed = rows["plain"]!.map((row) => {
      const { prompt, chosen, rejected } = row as Record<string, string>;
      return { question: prompt, good: chosen, bad: rejected, note: 1 };
    });
    const mapping = ["--column-mapping", "question=prompt,good=chosen,bad=rejected"];
    expect(await scores(dataOf(renamed), ...mapping)).toEqual(await scores(dataOf(rows["plain"]!)));
    const result = await smaug("--model", model, "--data", dataOf(renamed), "--out", "-", ...mapping);
    expect(result.stderr.match(/^not read: note$/gm)).toHaveLength(1);
  });

  test("are in the order of the rows, and the same, however the rows are batched", async () => {
    const data = dataOf(Array.from({ length: 5 }, () => rows["plain"]!).flat());
    const whole = await scores(data);
    expect(whole.map(({ index }) => index)).toEqual(whole.map((_, i) => i));
    for (const tokens of ["1", "30"]) {
      const lines = await scores(data, "--max-tokens-per-batch", tokens);
      expect(lines.map(({ index }) => index)).toEqual(whole.map((_, i) => i));
      expectNear(
        lines.map((line) => line.chosen_logp),
        whole.map((line) => line.chosen_logp),
        2e-5,
      );
      expectNear(
        lines.map((line) => line.rejected_logp),
        whole.map((line) => line.rejected_logp),
        2e-5,
      );
    }
  });

  test("go to standard output for -, with the summary on standard error", async () => {
    const { status, stdout, stderr } = await smaug("--model", model, "--data", dataOf(rows["plain"]!), "--out", "-");
    expect(status).toBe(0);
    expect(linesOf(stdout)).toHaveLength(6);
    expect(stderr).toMatch(/^6 of 6 rows scored in/m);
  });

  test("follow --dtype", async () => {
    const data = dataOf(rows["plain"]!);
    const exact = (await scores(data, "--dtype", "float64")).map((line) => line.rejected_logp);
    const wanted = expected.model["plain"]!.map((line) => line.rejected_logp);
    expectNear(exact, wanted, 5e-5);
    const coarse = (await scores(data, "--dtype", "bfloat16")).map((line) => line.rejected_logp);
    expect(coarse).not.toEqual(exact);
    expectNear(coarse, wanted, 3);
  });

  test("are of the split that is named", async () => {
    const data = folder();
    for (const [name, row] of [
      ["train", rows["plain"]![0]],
      ["test", rows["plain"]![1]],
    ] as const)
      writeFileSync(join(data, `${name}.jsonl`), JSON.stringify(row));
    const [line] = await scores(data, "--split", "test");
    expect(line!.rejected_tokens).toBe(expected.model["plain"]![1]!.rejected_tokens);
  });
});

describe("the summary", () => {
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

  test("has counts, means and times as JSON", async () => {
    const out = join(folder(), "new", "scores.jsonl");
    const data = dataOf([...rows["plain"]!, { prompt: "a", chosen: "", rejected: "b" }]);
    const { stdout, stderr } = await smaug("--model", model, "--data", data, "--out", out, "--json");
    const summary = JSON.parse(stdout) as Record<string, number>;
    expect(summary).toMatchObject({
      out,
      rows: 7,
      scored: 6,
      refused: 1,
      refusals: [{ index: 6, reason: "the chosen answer is empty" }],
      chosen_tokens: 19,
      rejected_tokens: 44,
      seconds: expect.any(Number),
      tokens_per_second: expect.any(Number),
    });
    const wanted = expected.model["plain"]!;
    expect(summary["chosen_logp"]).toBeCloseTo(mean(wanted.map((line) => line.chosen_logp)), 4);
    expect(summary["rejected_logp"]).toBeCloseTo(mean(wanted.map((line) => line.rejected_logp)), 4);
    expect(summary["accuracy"]).toBeCloseTo(5 / 6, 6);
    expect(stderr).toContain("1 of 7 rows cannot be scored (rows are counted from 0):\n  row 6: the chosen answer is empty");
    expect(readdirSync(join(out, ".."))).toEqual(["scores.jsonl"]);
  });

  test("is a few lines of text otherwise", async () => {
    const args = ["--model", model, "--data", dataOf(rows["plain"]!), "--out", join(folder(), "scores.jsonl")];
    const { stdout, stderr } = await smaug(...args);
    expect(stderr).toBe("");
    const lines = stdout.split("\n");
    expect(lines[0]).toMatch(/^6 of 6 rows scored in \d.* tokens\/s\): .*scores\.jsonl$/);
    expect(lines[1]).toMatch(/^chosen {4}mean log-prob -30\.\d{4}, 3\.2 tokens an answer$/);
    expect(lines[3]).toBe("chosen likelier than rejected in 83.3 % of the pairs");
  });
});

describe("rows that cannot be scored", () => {
  const long = { prompt: "the sky is", chosen: " blue".repeat(70), rejected: " grey" };

  test("are those longer than the model's positions", async () => {
    const out = join(folder(), "scores.jsonl");
    const data = dataOf([rows["plain"]![0], long, rows["plain"]![1]]);
    const { status, stderr } = await smaug("--model", model, "--data", data, "--out", out);
    expect(status).toBe(0);
    expect(stderr).toMatch(/1 of 3 rows cannot be scored.*\n {2}row 1: prompt and answer have \d+ tokens, more than 64/);
    expect(linesOf(readFileSync(out, "utf8")).map(({ index }) => index)).toEqual([0, 2]);
  });

  test("are those longer than --max-length, which may go beyond the positions", async () => {
    expect(await scores(dataOf([long]), "--max-length", "200")).toHaveLength(1);
    const short = await scores(dataOf(rows["plain"]!), "--max-length", "4"); // BOS, the three of "hello there"
    expect(short.map(({ index }) => index)).toEqual([4]);
  });

  test("end the command with 2 when there are no others", async () => {
    const out = join(folder(), "scores.jsonl");
    const { status, stderr } = await smaug("--model", model, "--data", dataOf([long, long]), "--out", out);
    expect(status).toBe(2);
    expect(stderr).toMatch(/Expected rows that can be scored in .*, but 2 of 2 rows cannot be scored/);
    expect(existsSync(out)).toBe(false);
  });
});

describe("bad input", () => {
  const data = () => dataOf(rows["plain"]!);

  test("a folder as --out", async () => {
    const out = folder();
    const { status, stderr } = await smaug("--model", model, "--data", data(), "--out", out);
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: `error: Expected a file for '--out' but '${out}' is a folder; name a file in it\n`,
    });
  });

  test("a device as --out", async () => {
    const { status, stderr } = await smaug("--model", model, "--data", data(), "--out", "/dev/null");
    expect(status).toBe(2);
    expect(stderr).toMatch(/'\/dev\/null' is not one; name a new file, or - for standard output/);
  });

  test("the data as --out, or a folder that is a file", async () => {
    const file = data();
    const content = readFileSync(file, "utf8");
    expect((await smaug("--model", model, "--data", file, "--out", file)).stderr).toMatch(/for both/);
    expect(readFileSync(file, "utf8")).toBe(content);
    const below = await smaug("--model", model, "--data", file, "--out", join(file, "x", "scores.jsonl"));
    expect(below.status).toBe(2);
    expect(below.stderr).toMatch(/but '.*pairs\.jsonl' is a file/);
  });

  test.each([
    ["no model", ["--model", "nowhere/at/all"], /nowhere\/at\/all/],
    ["no data", ["--data", "nowhere.jsonl"], /Expected a data file at 'nowhere\.jsonl'/],
    ["no limit", ["--max-length", "1"], /Expected an integer from 2\./],
    ["no dtype", ["--dtype", "int8"], /Allowed choices are auto, float32/],
  ])("%s", async (_, args, message) => {
    const out = join(folder(), "scores.jsonl");
    const { status, stderr } = await smaug("--model", model, "--data", data(), "--out", out, ...args);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
    expect(existsSync(out)).toBe(false);
  });

  test("a tokenizer of another model", async () => {
    const other = folder(folderOf("folders", "single"));
    for (const file of readdirSync(model)) if (/token|chat/.test(file)) cpSync(join(model, file), join(other, file));
    const { status, stderr } = await smaug("--model", other, "--data", data(), "--out", join(folder(), "scores.jsonl"));
    expect(status).toBe(2);
    expect(stderr).toMatch(/Expected token ids below the model's 40 for row 0 but received \d+; the tokenizer in /);
  });

  test("weights that hold NaN leave the file as it was", async () => {
    const broken = folder(model);
    const weights = readFileSync(join(broken, "model.safetensors"));
    weights.writeFloatLE(NaN, weights.length - 4);
    writeFileSync(join(broken, "model.safetensors"), weights);
    const place = folder();
    const out = join(place, "scores.jsonl");
    writeFileSync(out, "before");
    const { status, stderr } = await smaug("--model", broken, "--data", data(), "--out", out);
    expect(status).toBe(1);
    expect(stderr).toMatch(/Expected a log-prob for row \d but the model gives NaN/);
    expect(readFileSync(out, "utf8")).toBe("before");
    expect(readdirSync(place)).toEqual(["scores.jsonl"]);
  });
});

test("progress goes to standard error, batch by batch", async () => {
  let time = 0;
  vi.spyOn(performance, "now").mockImplementation(() => (time += 6000)); // ms: a plain line every few seconds
  const out = join(folder(), "scores.jsonl");
  const { stderr } = await smaug("--model", model, "--data", dataOf(rows["plain"]!), "--out", out, "--max-tokens-per-batch", "1");
  expect(stderr.match(/^scoring +\d\/6 .*$/gm)!.map((line) => line.replace(/\/.*/, ""))).toEqual(
    [1, 2, 3, 4, 5, 6].map((done) => `${"scoring".padEnd(20)} ${done}`),
  );
});

describe("scorePreferences", () => {
  test("gives scores one after the other and holds no tensor", async () => {
    const loaded = await loadModel(model);
    const { pairs } = await tokenizeRows(await loadPreferences(dataOf(rows["plain"]!)), await loadTokenizer(model), {
      cacheDir: null,
    });
    const before = await settledTensors();
    const found: PairScore[] = [];
    const progress: number[][] = [];
    const onProgress = (...each: number[]) => progress.push(each);
    for await (const each of scorePreferences(loaded, pairs, { maxTokens: 20, onProgress })) found.push(each);
    expect(progress.length).toBeGreaterThan(2);
    expect(progress.at(-1)).toEqual([6, 6]);
    expect(memory().tensors).toBe(before);
    expectNear(
      found.map(({ chosenLogp }) => chosenLogp),
      expected.model["plain"]!.map((line) => line.chosen_logp),
      5e-5,
    );
    await expect(scorePreferences(loaded, pairs, { maxTokens: 0 }).next()).rejects.toThrow(/positive integer for 'maxTokens'/);
    await expect(scorePreferences(loaded, pairs, { maxToken: 1 } as object).next()).rejects.toThrow(/'maxToken'/);
    loaded.dispose();
  });
});
