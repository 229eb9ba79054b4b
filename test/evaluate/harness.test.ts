/** Agreement with lm-evaluation-harness 0.4, request by request: scripts/parity/eval.py. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type EvaluateOptions, type EvaluationResults, evaluate } from "../../src/evaluate";
import { PythonRandom } from "../../src/evaluate/python/random";
import { type CausalLM, loadModel } from "../../src/models";
import { loadTokenizer, type Tokenizer } from "../../src/text";
import { fixture, folderOf } from "../parity/fixture";

interface Expected {
  results: Record<string, Record<string, number | string>>;
  groups?: Record<string, Record<string, number | string>>;
  group_subtasks: Record<string, string[]>;
  versions: Record<string, number | string>;
  "n-shot": Record<string, number>;
  higher_is_better: Record<string, Record<string, boolean>>;
  "n-samples": Record<string, { original: number; effective: number }>;
  samples: Record<
    string,
    {
      doc_id: number;
      filter: string;
      prompt_hash: string;
      target: unknown;
      resps: ([number, boolean] | string[])[];
      filtered_resps?: unknown[];
      metrics: Record<string, number>;
    }[]
  >;
}

const harness = fixture<
  Record<string, Expected> & {
    python_random: { draws: number[]; samples: { n: number; k: number; drawn: number[] }[]; shuffled: number[] };
  }
>("eval");
const data = folderOf("eval", "data");

let model: CausalLM;
let tokenizer: Tokenizer;
beforeAll(async () => {
  model = await loadModel(folderOf("eval", "model"), { dtype: "float32" });
  tokenizer = await loadTokenizer(folderOf("eval", "model"));
});
afterAll(() => model.dispose());

/** Numbers that may differ by rounding; everything else is equal. */
function expectAlike(actual: Record<string, unknown>, wanted: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(wanted))
    if (typeof value === "number") expect(actual[key], key).toBeCloseTo(value, 6);
    else expect(actual[key], key).toEqual(value);
}

function expectSameResults(found: EvaluationResults, wanted: Expected): void {
  for (const part of ["results", "groups"] as const)
    for (const [name, entry] of Object.entries(wanted[part] ?? {})) expectAlike(found[part]![name]!, entry);
  for (const part of ["group_subtasks", "versions", "n-shot", "higher_is_better", "n-samples"] as const)
    expect(found[part]).toMatchObject(wanted[part]);
  for (const [name, samples] of Object.entries(wanted.samples)) {
    const own = found.samples![name]!;
    expect(own).toHaveLength(samples.length);
    for (const [i, sample] of samples.entries()) {
      const { doc_id, filter, prompt_hash, target, metrics, resps, filtered_resps } = sample;
      expect(own[i]).toMatchObject({ doc_id, filter, prompt_hash, target });
      expectAlike(own[i]!, metrics);
      for (const [k, response] of resps.entries()) {
        const [given] = own[i]!.resps[k] as [[number, boolean] | string];
        if (typeof given === "string") expect(given).toBe(response[0]);
        else {
          expect(Math.abs(given[0] - (response[0] as number)), `log-likelihood ${k} of ${name} ${doc_id}`).toBeLessThan(1e-3);
          expect(given[1]).toBe(response[1]);
        }
      }
      if (filtered_resps) expect(own[i]!.filtered_resps).toEqual(filtered_resps);
    }
  }
}

const run = (options: EvaluateOptions) => evaluate(model, tokenizer, { data, logSamples: true, ...options });

describe("responses, scores and results are the harness's", () => {
  test.each(["arc_challenge", "hellaswag", "winogrande", "truthfulqa_mc2", "mmlu", "gsm8k"])("%s", async (task) => {
    const found = await run({ tasks: [task] });
    expectSameResults(found, harness[task]!);
    expect([found.smaug.truncated, found.smaug.unfinished]).toEqual([{}, {}]);
  });

  test("without examples", async () => {
    expectSameResults(await run({ tasks: ["hellaswag"], numFewshot: 0, limit: 2 }), harness["no_shots"]!);
  });

  test.each(["animals", "sums"])("the task %s from a YAML file", async (name) => {
    expectSameResults(
      await evaluate(model, tokenizer, { tasks: [folderOf("eval", "tasks", `${name}.yaml`)], logSamples: true }),
      harness[name]!,
    );
  });

  test("where prompts are longer than the context: they lose their beginnings, and are counted", async () => {
    const choices = await run({ tasks: ["arc_challenge"], limit: 3, maxLength: 100 });
    expectSameResults(choices, harness["truncated"]!);
    const requests = harness["truncated"]!.samples["arc_challenge"]!.flatMap(({ resps }) => resps);
    expect(choices.smaug.truncated).toEqual({ arc_challenge: requests.length });
    const answers = await run({ tasks: ["gsm8k"], limit: 3, maxLength: 300 });
    expectSameResults(answers, harness["truncated_gsm8k"]!);
    expect(answers.smaug.truncated).toEqual({ gsm8k: 3 });
  });
});

test("batches of any size give the same", async () => {
  const options = { tasks: ["arc_challenge", "winogrande"], limit: 4 };
  const likelihoods = async (maxTokens: number) => {
    const { samples } = await run({ ...options, maxTokens });
    return Object.values(samples!)
      .flat()
      .flatMap(({ resps }) => (resps as [[number, boolean]][]).map(([[value]]) => value));
  };
  const [alone, many] = [await likelihoods(1), await likelihoods(100_000)];
  expect(alone).toHaveLength(many.length);
  for (const [i, value] of alone.entries()) expect(Math.abs(value - many[i]!)).toBeLessThan(1e-4);
});

test("the leaderboard's average is that of its six tasks, MMLU by the plain mean of its subjects", async () => {
  const found = await run({ tasks: ["leaderboard"], logSamples: false });
  const { results, groups } = harness["mmlu"]!;
  const subjects = Object.keys(results).filter((name) => !(name in groups!));
  const accuracies = subjects.map((name) => results[name]!["acc,none"] as number);
  expect(accuracies).toHaveLength(57);
  const values = [
    harness["arc_challenge"]!.results["arc_challenge"]!["acc_norm,none"],
    harness["hellaswag"]!.results["hellaswag"]!["acc_norm,none"],
    accuracies.reduce((a, b) => a + b) / 57,
    harness["truthfulqa_mc2"]!.results["truthfulqa_mc2"]!["acc,none"],
    harness["winogrande"]!.results["winogrande"]!["acc,none"],
    harness["gsm8k"]!.results["gsm8k"]!["exact_match,strict-match"],
  ] as number[];
  expect(found.smaug.leaderboard_average).toBeCloseTo((100 * values.reduce((a, b) => a + b)) / 6, 4);
  expect(found.samples).toBeUndefined();
});

describe("Python's random numbers", () => {
  const { draws, samples, shuffled } = harness.python_random;

  test("bits", () => {
    const random = new PythonRandom(1234);
    expect(draws.map((_, i) => random.bits(i < 4 ? 32 : 5))).toEqual(draws);
  });

  test("samples, of few and of many", () => {
    const random = new PythonRandom(1234);
    for (const { n, k, drawn } of samples)
      expect(
        random.sample(
          Array.from({ length: n }, (_, i) => i),
          k,
        ),
      ).toEqual(drawn);
  });

  test("shuffling", () => {
    expect(new PythonRandom(0).shuffled(shuffled.map((_, i) => i))).toEqual(shuffled);
  });
});
