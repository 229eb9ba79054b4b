/** Records own their bytes: what is read of one does not depend on when it is read. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findDataFiles } from "../../src/data/reading/dataFiles";
import { type RecordOptions, streamLots } from "../../src/data/reading/records";
import type { SourceRecord } from "../../src/data/reading/source";
import { folderOf } from "../parity/fixture";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "smaug-records-"))));
afterAll(() => rmSync(folder, { recursive: true }));

const options: RecordOptions = { columns: { required: [] } };

/** All records of a source, in lots, none of which has been looked at. */
async function lotsOf(source: string): Promise<Iterable<SourceRecord>[]> {
  const lots = [];
  for await (const lot of streamLots(await findDataFiles(source, {}), options)) lots.push(lot);
  return lots;
}

// 3 MB: a dozen pieces of a file, whose ends cut rows, characters and strings.
const rows = Array.from({ length: 3000 }, (_, i) => ({ i, text: `"é😀\\`.repeat(70 + (i % 7)), score: i / 4 }));
const lines = rows.map((row) => JSON.stringify(row)).join("\n");
const list = JSON.stringify(rows, null, 1);

test.each([
  ["rows.jsonl", Buffer.from(lines)],
  ["rows.jsonl.gz", gzipSync(lines)],
  ["rows.json", Buffer.from(list)],
  ["rows.json.gz", gzipSync(list)],
  ["lines.json", Buffer.from(`${lines}\n`)],
])("records of %s can be read late, and last to first", async (name, content) => {
  writeFileSync(join(folder, name), content);
  const records = (await lotsOf(join(folder, name))).flatMap((lot) => [...lot]);
  const read = [...records].reverse().map(({ value }) => value);
  expect(read.reverse()).toEqual(rows);
  expect(records[2]!.exact!()).toMatchObject({ score: 0.5 });
});

test("so can those of Parquet", async () => {
  const [records] = await lotsOf(folderOf("rows", "unread.parquet"));
  expect([...records!].map(({ value }) => value)).toMatchObject([
    { id: 1, score: 0.5 },
    { id: 2, score: 1 },
  ]);
});
