/** Damaged JSON files of rows (one list), compared with JSON.parse. */
import { join } from "node:path";
import { replace } from "../folders.mjs";
import { damageJson, replaceBySpecial, sameJson } from "../mutate.mjs";
import { wrong } from "../product.mjs";
import { judgeRows } from "./jsonl.mjs";
import { compareRows, expectedRows, loaded, malformed, someRows } from "./rows.mjs";

export default {
  name: "JSON",
  share: 2,
  batch: 150,
  minimum: 2000,
  async make(random, folder) {
    const rows = someRows(random);
    const file = join(folder, "pairs.json");
    const same = random.chance(0.15);
    const { text, bytes, note } = same
      ? { text: sameJson(random, rows), note: "written differently" }
      : damageJson(random, rows, { keys: [] });
    replace(file, bytes ?? text);
    const special = random.chance(0.02) ? replaceBySpecial(random, file) : undefined;
    return {
      note: special ?? note,
      names: ["pairs.json"],
      command: ["data", "inspect", file],
      expected: special || bytes ? undefined : expectedOf(text),
      run: async function () {
        const found = await loaded(file);
        const why = malformed(found) ?? (Array.isArray(this.expected) ? compareRows(this.expected, found) : undefined);
        if (why) return wrong(why);
      },
    };
  },
  judge: judgeRows,
};

function expectedOf(text) {
  if (typeof text !== "string" || text.length > 100_000 || /"(tools|chat_template_kwargs|messages|images?|label)"/.test(text))
    return undefined;
  try {
    const value = JSON.parse(text);
    return Array.isArray(value) ? expectedRows(value) : undefined;
  } catch {
    return undefined;
  }
}
