import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import type { Chart } from "../../src/report/figures";
import { fileNames, loadStandalone, writeSvgFiles } from "../../src/report/standaloneSvg";
import { temporaryFolders } from "../models/folders";
import { expectWellFormed } from "./xml";

const folder = temporaryFolders();

const chart = (changes: Partial<Chart> = {}): Chart => ({
  description: "loss over training steps, by run",
  xLabel: "step",
  yLabel: "loss",
  names: "elsewhere",
  lines: [
    {
      name: "dpo",
      color: "series-1",
      points: [
        { x: 1, y: 2 },
        { x: 2, y: 1 },
      ],
      behind: [
        { x: 1, y: 3 },
        { x: 2, y: 0 },
      ],
    },
    {
      name: "reference",
      color: "muted",
      dash: "2 3",
      points: [
        { x: 1, y: 1 },
        { x: 2, y: 1 },
      ],
    },
  ],
  ...changes,
});

const opened = (svg: string) => parseHTML(`<body>${svg.replace(/<\?xml.*?\?>/, "")}</body>`).document.querySelector("svg")!;

describe("a picture that stands alone", () => {
  test("is XML, has its colours and no style sheet, and says what it shows", async () => {
    const svg = (await loadStandalone())(chart({ caption: "Pale: each line.", ruleX: 1.5, ruleY: 0 }));
    expectWellFormed(svg);
    expect(svg.startsWith('<?xml version="1.0" encoding="UTF-8"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="720"')).toBe(
      true,
    );
    expect(svg).not.toMatch(/var\(|currentColor|<style|undefined|NaN/);
    const root = opened(svg);
    expect(root.querySelector("rect")!.getAttribute("fill")).toBe("#ffffff");
    const texts = [...root.querySelectorAll("text")].map((each) => each.textContent);
    expect(texts).toEqual(
      expect.arrayContaining(["loss over training steps, by run", "dpo", "reference", "step", "Pale: each line."]),
    );
    expect(root.querySelectorAll("[stroke='#1667b7'][stroke-width='2']").length).toBeGreaterThanOrEqual(2); // in the legend, and drawn
    expect(root.querySelectorAll("line[stroke-dasharray='2 3']")).toHaveLength(1);
  });

  test("stays XML whatever runs are called", async () => {
    const draw = await loadStandalone();
    for (const name of [`<b> & "it's"`, "a\u00a0b", "bell\u0007", "lone\ud800", "数据/🐉", "x".repeat(300)]) {
      const line = {
        name,
        color: "series-1",
        points: [
          { x: 1, y: 2 },
          { x: 2, y: 1 },
        ],
      };
      expectWellFormed(draw(chart({ description: `Change of ${name}`, yLabel: name, caption: name, lines: [line] })));
    }
    expect(opened(draw(chart({ lines: [{ ...chart().lines[0]!, name: "<b>&c" }] }))).textContent).toContain("<b>&c");
  });

  test("wraps a long title and a long legend within its width", async () => {
    const lines = Array.from({ length: 6 }, (_, i) => ({ ...chart().lines[0]!, name: `a_run_of_some_length_number_${i}` }));
    const root = opened((await loadStandalone())(chart({ description: "many words ".repeat(20), lines })));
    const legend = [...root.querySelectorAll("text")].filter((each) => each.textContent!.startsWith("a_run"));
    expect(new Set(legend.map((each) => each.getAttribute("y"))).size).toBeGreaterThan(1);
    for (const each of legend) expect(Number(each.getAttribute("x")) + 7 * each.textContent!.length).toBeLessThan(720);
    expect([...root.querySelectorAll("text")].filter((each) => each.textContent!.startsWith("many"))).toHaveLength(3);
  });
});

test("files are named for what they show, each for itself", () => {
  const names = fileNames(
    ["Loss (log), by run", "loss/log by run", "Änderung: 数据", "loss log by run 2", "ß".repeat(200)].map((description) =>
      chart({ description }),
    ),
  );
  expect(names.slice(0, 4)).toEqual([
    "loss-log-by-run.svg",
    "loss-log-by-run-2.svg",
    "änderung-数据.svg",
    "loss-log-by-run-2-2.svg",
  ]);
  expect(Buffer.byteLength(names[4]!)).toBeLessThan(130);
});

describe("writing", () => {
  test("makes the folder, and leaves what else is in it", async () => {
    const path = join(folder(), "new", "pictures");
    expect(await writeSvgFiles(path, [chart()])).toEqual(["loss-over-training-steps-by-run.svg"]);
    writeFileSync(join(path, "mine.txt"), "mine");
    await writeSvgFiles(path, [chart(), chart({ description: "more" })]);
    expect(readdirSync(path).sort()).toEqual(["loss-over-training-steps-by-run.svg", "mine.txt", "more.svg"]);
    expectWellFormed(readFileSync(join(path, "more.svg"), "utf8"));
  });

  test("leaves nothing when a picture cannot be drawn", async () => {
    const path = join(folder(), "pictures");
    await expect(writeSvgFiles(path, [chart(), chart({ description: "bad", lines: null as never })])).rejects.toThrow();
    expect(existsSync(path)).toBe(false);
    mkdirSync(path);
    await expect(writeSvgFiles(path, [chart(), chart({ lines: null as never })])).rejects.toThrow();
    expect(readdirSync(path)).toEqual([]);
  });
});

test("the check of XML sees what is none", () => {
  for (const bad of [
    "<a><b></a></b>",
    "<a>",
    "<a x=1/>",
    '<a x="<"/>',
    "<a>&nbsp;</a>",
    "<a>&</a>",
    "<a/><b/>",
    '<a x="1" x="2"/>',
    "a<b/>",
  ])
    expect(() => expectWellFormed(bad), bad).toThrow();
  expectWellFormed(`<?xml version="1.0"?>\n<a x="1" y='&lt;'><b/>&#160;text</a>\n`);
});
