import { parseHTML } from "linkedom";
import { expect, test } from "vitest";
import { renderStudyReport } from "../../../src/paper/study/report";
import { studyWith } from "./fixtures";

const result = studyWith([0, 1, 2], ({ seed, method }) => (method === "dpo" ? { chosen_logp: -2 - 2 * seed } : {}));

test("opens offline and is complete", async () => {
  const text = await renderStudyReport(result);
  expect(text).not.toMatch(/<script|<link|<img|@import|url\(|\bsrc=|\bhref=/);
  expect(text).not.toMatch(/undefined|NaN|\[object/);
});

test("has both comparisons, the grid, the claims with their verdicts, and pictures with their numbers", async () => {
  const { document } = parseHTML(await renderStudyReport(result));
  const rows = [...document.querySelectorAll("section tbody tr")].map((row) =>
    [...row.querySelectorAll("th, td")].map((each) => each.textContent),
  );
  expect(rows.filter(([name, , chosen]) => name === "DPO" && chosen === "−4.00± 2.00")).toHaveLength(3);
  expect(rows.filter(([name, dpo]) => name === "β\u00a00.3" && dpo === "80.0% ± 0.0%−4.00 ± 2.00")).toHaveLength(2);
  expect(rows).toContainEqual([
    "low: DPO makes the chosen answers less likelychosen log-prob, DPO − reference",
    "−3.000 ± 2.000 nats",
    "agree",
  ]);
  expect(document.querySelectorAll("figure svg[role=img]")).toHaveLength(12); // two for each corpus, wide and narrow
  expect(document.querySelectorAll("details table")).toHaveLength(6);
});

test("a single seed has no deviations, and a token that is nowhere a dash", async () => {
  const text = await renderStudyReport(studyWith([0], () => ({ token_logp_before: null })));
  const { document } = parseHTML(text);
  const row = [...document.querySelectorAll("section tbody tr")].find((each) => each.querySelector("th")!.textContent === "SFT")!;
  expect([...row.querySelectorAll("td")].map((each) => each.textContent)).toEqual([
    "80.0%",
    "−1.00",
    "−40.00",
    "–",
    "−0.100",
    "−0.030",
  ]);
});
