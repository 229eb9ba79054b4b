import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import type { Chart } from "../../src/report/figures";
import { readRuns } from "../../src/report/run";
import { renderRunReport, renderRuns, writeRunReport } from "../../src/report/runReport";
import { temporaryFolders } from "../models/folders";
import { header, type RunFixture, writeRun } from "./runs";

const folder = temporaryFolders();
const dpop = {
  header: { ...header, loss: "dpop", config: { ...header.config, loss_type: "dpop", beta: 0.25 } },
  chosen: (step: number) => step / 100,
  more: { "dpop/penalty_mean": 0.1, "dpop/penalty_active": 0.25 },
};

const textOf = (options: RunFixture, name = "dpo") => renderRunReport([writeRun(join(folder(), name), options)]);
const open = async (...runs: [name: string, options: RunFixture][]) => {
  const root = folder();
  return parseHTML(await renderRunReport(runs.map(([name, options]) => writeRun(join(root, name), options)))).document;
};
type Page = Awaited<ReturnType<typeof open>>;
type Section = ReturnType<Page["querySelectorAll"]>[number];
const warningsOf = (document: Page) => [...document.querySelectorAll(".warning")].map((each) => each.textContent!);
const titles = (document: Page) => [...document.querySelectorAll("h2")].map((each) => each.textContent);
const section = (document: Page, title: string) =>
  [...document.querySelectorAll("section")].find((each) => each.querySelector("h2")!.textContent === title)!;
const table = (element: Section) =>
  [...element.querySelectorAll("tr")].map((row) => [...row.querySelectorAll("th, td")].map((cell) => cell.textContent));

describe("the page", () => {
  test("opens offline: nothing is loaded from anywhere, and nothing runs", async () => {
    const text = await textOf({ evaluateEvery: 20 });
    expect(text.startsWith("<!doctype html>")).toBe(true);
    expect(text).not.toMatch(/<script|<link|<img|@import|url\(|\bsrc=|\bhref=/);
    expect(text).not.toMatch(/undefined|NaN|Infinity|\[object/);
    expect(text).toContain('<meta name="viewport" content="width=device-width, initial-scale=1">');
  });

  test("escapes what comes from files", async () => {
    const evil = `</style><script>alert("1")</script>`;
    const text = await textOf(
      { header: { ...header, model: evil, config: { beta: 0.5, [evil]: evil } }, more: { [evil]: 1 } },
      "<b>",
    );
    expect(text).not.toMatch(/<script|<b>, after/);
    expect(text.match(/<\/style>/g)).toHaveLength(text.match(/<style/g)!.length);
  });

  test("has every metric that was logged, those it does not know too", async () => {
    const document = await open(["dpo", { more: { "my/metric": 4, entropy: 1, "perf/tokens_per_second": 900 } }]);
    expect(titles(document)).toEqual([
      "What the run came to",
      "Against the reference",
      "Log-probs",
      "Margin and accuracy",
      "Optimisation",
      "Tokens",
      "Speed and memory",
      "More",
      "Settings",
    ]);
    expect(section(document, "More").querySelector("svg[role=img]")!.getAttribute("aria-label")).toBe(
      "my/metric over training steps",
    );
  });

  test("stays small for a long run, and says which lines its tables hold", async () => {
    const text = await textOf({ steps: 20_000 });
    expect(text.length).toBeLessThan(600_000);
    const rows = table(section(parseHTML(text).document, "Log-probs"));
    expect(rows[0]![0]).toBe("step (1 of 100)");
    expect(rows).toHaveLength(202);
    expect(rows.at(-1)![0]).toBe("20000");
  });
});

describe("against the reference", () => {
  test("rewards are divided by each run's β, with the numbers behind the picture", async () => {
    const document = await open(["dpo", {}], ["dpop", dpop]);
    const part = section(document, "Against the reference");
    expect(part.textContent).toContain("rewards/chosen and rewards/rejected divided by β");
    expect(part.textContent).toContain("β is 0.5 (dpo), 0.25 (dpop).");
    const [heads, ...rows] = table(part);
    expect(heads).toEqual([
      "step",
      "dpo: rewards/chosen ÷ β",
      "dpo: rewards/rejected ÷ β",
      "dpop: rewards/chosen ÷ β",
      "dpop: rewards/rejected ÷ β",
    ]);
    expect(rows[1]).toEqual(["2", "−0.4", "−4", "0.08", "−8"]);
    expect(rows.at(-1)).toEqual(["60", "−12", "−120", "2.4", "−240"]);
  });

  test("each run has one colour, and is named above the pictures", async () => {
    const part = section(await open(["dpo", {}], ["dpop", dpop]), "Against the reference");
    expect([...part.querySelectorAll(".legend b")].map((each) => [each.textContent, each.className])).toEqual([
      ["dpo", "series-1"],
      ["dpop", "series-2"],
    ]);
    const drawn = [...part.querySelectorAll("svg[role=img]")];
    expect(drawn).toHaveLength(4); // chosen and rejected, wide and narrow
    for (const svg of drawn)
      for (const color of ["series-1", "series-2"])
        expect(svg.querySelectorAll(`[stroke='var(--${color})'][stroke-width='2']`)).toHaveLength(1);
  });

  test("a run that does not say its β shows its rewards as they are", async () => {
    const document = await open(["dpo", {}], ["trl", { header: null }]);
    expect(titles(document)).toContain("Rewards");
    expect(table(section(document, "Rewards"))[2]).toEqual(["2", "−0.2", "−2", "−0.2", "−2"]);
    expect(document.querySelector("h1")!.textContent).toBe("dpo and trl, side by side");
  });

  test("evaluations are dashed, and have columns of their own", async () => {
    const part = section(await open(["dpo", { evaluateEvery: 20 }]), "Against the reference");
    expect(part.querySelectorAll(".wide [stroke-dasharray='5 3']")).toHaveLength(1);
    expect(part.querySelector("figcaption")!.textContent).toMatch(/Dashed: evaluations/);
    const [heads, ...rows] = table(part);
    expect(heads![2]).toBe("eval_rewards/chosen ÷ β");
    expect(rows[18]![2]).toBe("");
    expect(rows[19]![2]).toBe("−2");
  });
});

describe("around the first difference", () => {
  const means = (prefix: string, value: number) =>
    Object.fromEntries(
      ["before", "at", "after"].flatMap((stage, i) => [
        [`${prefix}/chosen_${stage}`, value - i],
        [`${prefix}/chosen_${stage}_macro`, value - i - (i === 1 ? 0 : 0.5)],
      ]),
    );
  const logged = { ...means("token_logps", -1), ...means("token_logratios", 2) };

  test("runs stand side by side in each picture, with micro and macro means in the numbers", async () => {
    const document = await open(
      ["dpo", { more: logged, evaluateEvery: 20 }],
      ["dpop", { ...dpop, more: { ...dpop.more, ...logged } }],
    );
    expect(titles(document).slice(1, 5)).toEqual([
      "Against the reference",
      "Around the first difference, against the reference",
      "Log-probs",
      "Log-probs of tokens around the first difference",
    ]);
    expect(titles(document)).not.toContain("More");
    const part = section(document, "Around the first difference, against the reference");
    const drawn = [...part.querySelectorAll("svg[role=img]")];
    expect(drawn.map((svg) => svg.getAttribute("aria-label"))).toEqual(
      ["before the difference", "at the difference", "after the difference", "after the difference by pair"].map(
        (place) => `Chosen tokens ${place}, nats from the reference over training steps, by run`,
      ),
    );
    for (const svg of drawn)
      for (const color of ["series-1", "series-2"])
        expect(svg.querySelectorAll(`[stroke='var(--${color})'][stroke-width='2']`)).toHaveLength(1);
    expect(part.querySelector("figcaption")!.textContent).toBe("Pale: each logged line; strong: their running mean.");
    const [heads, row] = table(part);
    expect(heads!.slice(1, 6)).toEqual(
      ["before", "at", "after", "after_macro", "before_macro"].map((name) => `dpo: token_logratios/chosen_${name}`),
    );
    expect(row!.slice(1, 6)).toEqual(["2", "1", "0", "−0.5", "1.5"]);
  });

  test("a run without a reference has its log-probs", async () => {
    const document = await open(["simpo", { more: means("token_logps", -1) }]);
    expect(titles(document)).not.toContain("Around the first difference, against the reference");
    expect(titles(document)).toContain("Log-probs of tokens around the first difference");
  });

  test("the end of a run has them beside its beginning", async () => {
    const rows = table(section(await open(["dpo", { more: logged }]), "What the run came to"));
    expect(rows).toContainEqual(["chosen token before the first difference, nats against the reference", "2from 2"]);
  });
});

test("tells of every picture", async () => {
  const charts: Chart[] = [];
  const runs = readRuns([writeRun(join(folder(), "dpo"), { evaluateEvery: 20 })]);
  const { document } = parseHTML(await renderRuns(runs, undefined, (chart) => charts.push(chart)));
  expect(charts.map(({ description }) => description)).toEqual(
    [...document.querySelectorAll(".wide svg[role=img], .half svg[role=img]")].map((svg) => svg.getAttribute("aria-label")),
  );
  expect(charts[0]!.caption).toBe("β is 0.5. Pale: each logged line; strong: their running mean. Dashed: evaluations.");
});

test("a loss over several orders of magnitude is drawn logarithmically", async () => {
  const labels = (document: Page) =>
    [...section(document, "Optimisation").querySelectorAll("svg")[0]!.querySelectorAll("text")].map((each) => each.textContent!);
  const steep = labels(await open(["dpo", { loss: (step) => Math.exp(-step / 6) }])); // 0.85 to 4.5e-5
  expect(steep).toEqual(expect.arrayContaining(["loss (logarithmic)", "1e−4", "0.001", "0.01", "0.1"]));
  expect(labels(await open(["dpo", { loss: (step) => 0.7 - step / 100 }]))).toContain("loss");
});

describe("what the runs came to", () => {
  test("is a table of ends and beginnings", async () => {
    const rows = table(section(await open(["dpo", { evaluateEvery: 20 }], ["dpop", dpop]), "What each run came to"));
    // Means of rewards −5.6 to −6 and −0.1 to −0.5 over β 0.5; 0.56 to 0.6 and 0.01 to 0.05 over β 0.25.
    expect(rows).toContainEqual(["chosen answer, nats against the reference", "−11.6from −0.6", "2.32from 0.12"]);
    expect(rows).toContainEqual(["dpop/penalty_mean", "–", "0.1from 0.1"]);
    expect(rows.at(-2)).toEqual(["chosen answer, nats against the reference", "−6from −2", "–"]);
  });

  test("is in the headline", async () => {
    const headline = async (...runs: Parameters<typeof open>) => (await open(...runs)).querySelector("h1")!.textContent;
    expect(await headline(["dpo", {}])).toBe("The chosen answers fell 11.60 nats below the reference.");
    expect(await headline(["dpop", dpop])).toBe("The chosen answers rose 2.32 nats above the reference.");
    expect(await headline(["flat", { chosen: () => 1e-4 }])).toBe("The chosen answers stayed at the level of the reference.");
    expect(await headline(["dpo", {}], ["dpop", dpop])).toBe("dpo pushed the chosen answers down. dpop held them.");
    expect(await headline(["a", {}], ["b", {}])).toMatch(/^Every run/);
    expect(await headline(["a", dpop], ["b", dpop])).toMatch(/^No run/);
  });
});

describe("a warning", () => {
  test("says that the chosen answers fell, and what to do", async () => {
    const [dpo] = warningsOf(await open(["dpo", {}]));
    expect(dpo).toMatch(/^dpo: the chosen answers end 11\.60 nats per answer below the reference/);
    expect(dpo).toMatch(/lowest: −12\.00 at step 60.*Train with loss_type dpop, or lower learning_rate\.$/);
    expect(warningsOf(await open(["dpop", { ...dpop, chosen: () => -1 }]))[0]).toMatch(/Raise dpop_lambda/);
    expect(warningsOf(await open(["dpop", dpop]))).toEqual([]);
  });

  test("leaves a fall within the tolerance alone", async () => {
    const tolerant = { ...dpop, chosen: () => -0.01, header: { ...dpop.header, dpop_tolerance: 0.05 } };
    expect(warningsOf(await open(["dpop", tolerant]))).toEqual([]);
    expect(warningsOf(await open(["dpop", { ...tolerant, header: dpop.header }]))).toHaveLength(1);
  });

  test("says that nothing is learnt", async () => {
    const stuck = { ...dpop, loss: () => 0.69315 };
    expect(warningsOf(await open(["dpop", stuck]))).toEqual([expect.stringMatching(/^dpop: the loss is at ln 2 = 0\.6931/)]);
    expect(warningsOf(await open(["dpop", { ...stuck, loss: (step) => (step < 58 ? 0.69315 : 0.6) }]))).toEqual([]);
  });

  test("says that a loss was no number, and that a run is not at its end", async () => {
    const broken = { ...dpop, steps: 40, isFinished: false, loss: (step: number) => (step === 7 ? null : 0.5) };
    expect(warningsOf(await open(["dpop", broken]))).toEqual([
      "dpop: loss or gradient was not finite at step 7.",
      "dpop: not finished. Its last logged step is 40 of 60.",
    ]);
  });
});

describe("settings", () => {
  test("that differ come first, those that are the same after them", async () => {
    const part = section(await open(["dpo", {}], ["dpop", dpop]), "Settings");
    expect(table(part).map(([name, ...values]) => [name, ...values])).toEqual([
      ["", "dpo", "dpop"],
      ["loss_type", "sigmoid", "dpop"],
      ["beta", "0.5", "0.25"],
      ["loss", "sigmoid", "dpop"],
    ]);
    const same = [...part.querySelectorAll("dt")].map((each) => [each.textContent, each.nextElementSibling!.textContent]);
    expect(same).toContainEqual(["learning_rate", "5e−5"]);
    expect(same).toContainEqual(["lora_target_modules", "q_proj, v_proj"]);
    expect(same).toContainEqual(["train_runtime", "12.3 s"]);
  });

  test("are all of one run, with its versions below", async () => {
    const document = await open(["dpo", {}]);
    expect(section(document, "Settings").querySelector("summary")!.textContent).toBe("All 11");
    expect(document.querySelector("footer")!.textContent).toBe("smaug 0.1.0 · node v20.20.2 · libtorch 2.13.0");
  });
});

describe("writeRunReport", () => {
  test("puts report.html into the folder, and nothing else", async () => {
    const path = writeRun(folder());
    expect(await writeRunReport(path)).toBe(join(path, "report.html"));
    expect(readdirSync(path).sort()).toEqual(["metrics.jsonl", "report.html"]);
    expect(readFileSync(join(path, "report.html"), "utf8")).toBe(await renderRunReport([path]));
  });

  test("leaves no file where there is no run", async () => {
    const path = folder();
    await expect(writeRunReport(path)).rejects.toThrow(/Expected metrics\.jsonl/);
    expect(existsSync(join(path, "report.html"))).toBe(false);
  });
});
