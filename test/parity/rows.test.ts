/** How chat templates write the numbers in rows, against transformers (scripts/parity/rows.py). */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parseJsonText } from "../../src/base/formats/pythonJson";
import { type ChatRow, loadPreferences } from "../../src/data";
import { loadTokenizer } from "../../src/text";
import { tinyFolder } from "../text/tiny";
import { fixture, folderOf } from "./fixture";

interface Rendered {
  chosen: string;
  rejected: string;
}

const { template, rows, parquet } = fixture<{ template: string; rows: (Rendered & { text: string })[]; parquet: Rendered[] }>(
  "rows",
);
const tokenizer = await loadTokenizer(tinyFolder());
const folder = mkdtempSync(join(tmpdir(), "smaug-numbers-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function load(source: string): Promise<ChatRow[]> {
  return (await loadPreferences(source, { onNote: () => undefined })) as ChatRow[];
}

function loadText(name: string, text: string): Promise<ChatRow[]> {
  writeFileSync(join(folder, name), text);
  return load(join(folder, name));
}

function rendered({ prompt, chosen, rejected, tools, chatTemplateKwargs }: ChatRow): Rendered {
  const options = { chatTemplate: template, ...(tools ? { tools } : {}), ...(chatTemplateKwargs ? { chatTemplateKwargs } : {}) };
  const render = (answer: ChatRow["chosen"]) => tokenizer.applyChatTemplate([...prompt, ...answer], options);
  return { chosen: render(chosen), rejected: render(rejected) };
}

const wanted = rows.map(({ chosen, rejected }) => ({ chosen, rejected }));
const texts = rows.map(({ text }) => text);

test.each([
  ["JSON Lines", "rows.jsonl", texts.join("\n")],
  ["a list in JSON", "rows.json", `[${texts.join(",\n")}]`],
  ["a list under 'data'", "data.json", `{"data": [${texts.join(", ")}]}`],
  ["JSON Lines under a wrong name", "lines.json", texts.join("\n")],
])("numbers from %s are written as Python writes them", async (_, name, text) => {
  expect((await loadText(name, text)).map(rendered)).toEqual(wanted);
});

test("numbers from Parquet are written as Python writes them", async () => {
  expect((await load(folderOf("rows", "numbers.parquet"))).map(rendered)).toEqual(parquet);
});

describe("a row of the library", () => {
  test("has JavaScript's numbers", async () => {
    const [row] = await loadText("row.jsonl", texts[0]!);
    const { chosen, chat_template_kwargs: kwargs } = parseJsonText(texts[0]!) as {
      chosen: object[];
      chat_template_kwargs: object;
    };
    expect([row!.chosen, row!.chatTemplateKwargs]).toEqual([chosen, kwargs]);
    expect(row!.chatTemplateKwargs!.scale).toBe(20);
  });

  test("may be copied, filtered and changed; changed numbers are written as they are", async () => {
    const [row] = await loadText("row.jsonl", texts[0]!);
    const copy = { ...row!, prompt: [...row!.prompt], chosen: row!.chosen.filter(() => true) };
    expect(rendered(copy)).toEqual(wanted[0]);
    const changed = { ...row!, chatTemplateKwargs: Object.assign(row!.chatTemplateKwargs!, { scale: 21 }) };
    expect(rendered(changed).rejected).toMatch(/\n21 \[20\.0\]$/);
  });
});
