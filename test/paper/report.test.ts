import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { renderReport } from "../../src/paper/report";
import type { ExperimentResult } from "../../src/paper/summary";
import { resultWith } from "./fixtures";

const open = async (result: ExperimentResult) => parseHTML(await renderReport(result)).document;

describe("the report", () => {
  test("opens offline: nothing is loaded from anywhere, and nothing runs", async () => {
    const text = await renderReport(resultWith());
    expect(text).not.toMatch(/<script|<link|<img|@import|url\(|\bsrc=|\bhref=/);
    expect(text.startsWith("<!doctype html>")).toBe(true);
    expect(text).not.toMatch(/undefined|NaN|\[object/);
  });

  test("has the pictures, each with its numbers as a table", async () => {
    const document = await open(resultWith());
    // Three charts, each wide and narrow.
    const charts = [...document.querySelectorAll("figure svg[role=img]")];
    expect(charts).toHaveLength(6);
    for (const chart of charts) expect(chart.getAttribute("aria-label")).toMatch(/log-prob/);
    expect(document.querySelectorAll("section > details table")).toHaveLength(2);
    const dashed = charts[2]!.querySelectorAll("g[stroke-dasharray='6 4'] path, path[stroke-dasharray='6 4']");
    expect(dashed).toHaveLength(3); // the rejected answers of the three methods
  });

  test("has the table with each change from the reference", async () => {
    const document = await open(resultWith({ dpo: { chosen_logp: -3, accuracy: 0.5 } }));
    const rows = [...document.querySelectorAll("section:first-of-type tbody tr")].map((row) =>
      [...row.querySelectorAll("th, td")].map((each) => each.textContent),
    );
    expect(rows).toContainEqual(["chosen", "−1.00", "−1.00+0.00", "−3.00−2.00", "−1.00+0.00"]);
    expect(rows).toContainEqual(["answered rightly", "80.0%", "80.0%+0.0", "50.0%−30.0", "80.0%+0.0"]);
  });

  test("colours tokens by their change and marks the first difference", async () => {
    const document = await open(resultWith());
    const tokens = [...document.querySelectorAll(".tokens dt.dpo + dd span")];
    expect(tokens.map((token) => [token.textContent, token.className])).toEqual([
      ["2 + 2 = ", ""],
      ["4", "d4 mark"],
      ["end", "end"],
    ]);
    expect(tokens[1]!.getAttribute("title")).toBe("−0.500 → −5.000");
  });

  test("escapes whatever comes from data", async () => {
    const evil = `</style><script>alert("1")</script>`;
    const base = resultWith();
    const text = await renderReport({
      ...base,
      data: evil,
      samples: [{ ...base.samples[0]!, prompt: evil, chosen: [evil, evil, ""], rejected: [evil, "x", ""] }],
      answers: [{ ...base.answers[0]!, prompt: evil, expected: evil }],
    });
    expect(text).not.toContain("<script");
    expect(text.match(/<\/style>/g)).toHaveLength(text.match(/<style/g)!.length);
    expect(text).toContain("&lt;/style&gt;&lt;script&gt;alert(&quot;1&quot;)");
  });

  test("its headline follows the measurement", async () => {
    const headline = async (dpo: number, dpop: number) => {
      const document = await open(resultWith({ dpo: { chosen_logp: dpo }, dpop: { chosen_logp: dpop } }));
      return document.querySelector("h1")!.textContent;
    };
    expect(await headline(-2, -0.5)).toBe("DPO pushed the right answers down. DPOP held them.");
    expect(await headline(-2, -1.5)).toMatch(/and so did DPOP/);
    expect(await headline(-0.9, -0.5)).toMatch(/DPO did not push/);
    expect(await headline(-0.9, -1.5)).toMatch(/DPO held the right answers, and DPOP did not/);
  });

  test("says that the reference missed its goal", async () => {
    const document = await open({ ...resultWith(), reference: { steps: 2060, loss: 0.3, reachedGoal: false } });
    expect(document.querySelector(".warning")!.textContent).toMatch(/limit of 2060 steps/);
    expect((await open(resultWith())).querySelector(".warning")).toBeNull();
  });
});
