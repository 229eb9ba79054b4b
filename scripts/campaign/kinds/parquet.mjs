/** Damaged Parquet, of every codec: bytes anywhere, and in the footer. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { replace } from "../folders.mjs";
import { mutateBytes, replaceBySpecial, withInteger } from "../mutate.mjs";
import { judgeInput, parity, wrong } from "../product.mjs";
import { loaded, malformed } from "./rows.mjs";

export default {
  name: "Parquet",
  share: 2,
  batch: 100,
  minimum: 2000,
  async open() {
    const files = [
      ...readdirSync(parity("data"))
        .filter((name) => name.endsWith(".parquet"))
        .map((name) => parity("data", name)),
      parity("recipes", "hellaswag", "data", "train-00000-of-00001.parquet"),
    ];
    return { files };
  },
  async make(random, folder, { files }) {
    const source = random.of(files);
    const content = readFileSync(source);
    const name = basename(source);
    const file = join(folder, name);
    const edit = random.weighted([
      [4, "bytes"],
      [4, "footer"],
      [1, "length"],
      [2, "twice"],
      [0.3, "special"],
    ]);
    const footer = content.length - 8 - content.readUInt32LE(content.length - 8);
    let [bytes, note] = [content, edit];
    if (edit === "bytes") ({ bytes, note } = mutateBytes(random, content));
    else if (edit === "length") bytes = withInteger(random, content, content.length - 8, 4);
    else if (edit === "footer") {
      const made = mutateBytes(random, content.subarray(footer, content.length - 8));
      const size = Buffer.alloc(4);
      size.writeUInt32LE(made.bytes.length);
      bytes = Buffer.concat([content.subarray(0, footer), made.bytes, size, content.subarray(content.length - 4)]);
      note = `footer: ${made.note}`;
    } else if (edit === "twice") {
      // Two columns of one row group: each read fails on its own.
      bytes = Buffer.from(content);
      for (const at of [0.2, 0.4, 0.6, 0.8])
        bytes.fill(random.integer(0, 255), Math.floor(footer * at), Math.floor(footer * at) + random.integer(1, 40));
    }
    replace(file, bytes);
    if (edit === "special") note = replaceBySpecial(random, file);
    return {
      note: `${name}: ${note}`,
      names: [name],
      command: ["data", "inspect", file],
      run: async () => {
        const why = malformed(await loaded(file));
        if (why) return wrong(why);
      },
    };
  },
  judge: judgeInput,
};
