/** Damaged gzip of JSON Lines, several members, and texts that unpack to far more than they take. */

import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { replace } from "../folders.mjs";
import { mutateBytes } from "../mutate.mjs";
import { wrong } from "../product.mjs";
import { damagedLines, judgeRows, readLines } from "./jsonl.mjs";
import { compareRows, loaded, malformed, someRows } from "./rows.mjs";

let bomb;

export default {
  name: "gz",
  share: 2,
  batch: 100,
  minimum: 1500,
  async make(random, folder) {
    const file = join(folder, "pairs.jsonl.gz");
    const edit = random.weighted([
      [6, "bytes"],
      [3, "lines"],
      [2, "members"],
      [0.15, "bomb"],
    ]);
    const lines = `${someRows(random)
      .map((row) => JSON.stringify(row))
      .join("\n")}\n`;
    let content = gzipSync(lines);
    let note = edit;
    if (edit === "bytes") ({ bytes: content, note } = mutateBytes(random, content));
    else if (edit === "lines") {
      const made = damagedLines(random);
      [content, note] = [gzipSync(made.text), made.note];
    } else if (edit === "members") content = Buffer.concat([content, content]);
    else {
      bomb ??= gzipSync(Buffer.alloc(64 * 2 ** 20, "a"));
      content = Buffer.concat(Array(random.integer(20, 60)).fill(bomb));
      note = "unpacks to gigabytes";
    }
    replace(file, content);
    const expected = edit === "bomb" ? undefined : unpacked(content);
    return {
      note,
      names: ["pairs.jsonl.gz"],
      command: ["data", "inspect", file],
      expected,
      mayRefuse: false,
      run: async function () {
        const found = await loaded(file);
        if (this.expected === "broken") return wrong("a damaged file was taken");
        const why = malformed(found) ?? (Array.isArray(this.expected) ? compareRows(this.expected, found) : undefined);
        if (why) return wrong(why);
      },
    };
  },
  judge: judgeRows,
};

function unpacked(content) {
  try {
    return readLines(gunzipSync(content));
  } catch {
    return "broken";
  }
}
