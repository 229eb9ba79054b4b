/** Damaged GGUF: bytes, counts, lengths, types and offsets of its header. */
import { readdirSync, readFileSync, truncateSync } from "node:fs";
import { basename, join } from "node:path";
import { replace } from "../folders.mjs";
import { mutateBytes, withInteger } from "../mutate.mjs";
import { judgeInput, parity, product } from "../product.mjs";
import { logitsOf } from "./modelUse.mjs";

export default {
  name: "GGUF",
  share: 3,
  batch: 80,
  minimum: 2500,
  async open() {
    return {
      files: readdirSync(parity("gguf"))
        .filter((name) => !name.includes("sharded"))
        .map((name) => parity("gguf", name)),
    };
  },
  async make(random, folder, { files }) {
    const source = random.of(files);
    const file = join(folder, basename(source));
    const content = readFileSync(source);
    let [bytes, note] = [content, ""];
    const edit = random.weighted([
      [4, "field"],
      [3, "head"],
      [2, "bytes"],
      [1, "string"],
      [1, "sparse"],
    ]);
    if (edit === "field" || edit === "sparse") {
      const at = random.of(fieldsOf(content));
      bytes = withInteger(random, content, at.at, at.size);
      note = `${at.what} at ${at.at}`;
    } else if (edit === "string") {
      const { at } = random.of(fieldsOf(content).filter(({ what }) => what === "key" || what === "name"));
      bytes = Buffer.concat([content.subarray(0, at + 8), random.bytes(4), content.subarray(at + 12)]);
      note = `text at ${at}`;
    } else if (edit === "head") {
      const head = Math.min(content.length, 4000);
      const made = mutateBytes(random, content.subarray(0, head));
      [bytes, note] = [Buffer.concat([made.bytes, content.subarray(head)]), made.note];
    } else ({ bytes, note } = mutateBytes(random, content));
    replace(file, bytes);
    if (edit === "sparse") truncateSync(file, 2 ** 31);
    return {
      note: `${source}: ${edit} ${note}`,
      names: [basename(file)],
      command: ["generate", "--model", file, "--prompt", "x", "--max-new-tokens", "2"],
      run: async () => {
        await logitsOf(file);
        const tokenizer = await product().loadTokenizer(file);
        tokenizer.decode(tokenizer.encode("the sky is blue"));
      },
    };
  },
  judge: judgeInput,
};

/** Where the header's counts, lengths, types and offsets are. */
export function fieldsOf(content) {
  const fields = [
    { at: 4, size: 4, what: "version" },
    { at: 8, size: 8, what: "tensor count" },
    { at: 16, size: 8, what: "key count" },
  ];
  let at = 24;
  const u32 = (what) => (fields.push({ at, size: 4, what }), (at += 4), content.readUInt32LE(at - 4));
  const u64 = (what) => (fields.push({ at, size: 8, what }), (at += 8), Number(content.readBigUInt64LE(at - 8)));
  const text = (what) => {
    const length = u64(what); // it moves `at`, too
    at += length;
  };
  const sizes = [1, 1, 2, 2, 4, 4, 4, 1, undefined, undefined, 8, 8, 8];
  const value = (type) => {
    if (type === 8) text("string");
    else if (type === 9) {
      const of = u32("element type");
      const count = u64("array count");
      const from = fields.length;
      for (let i = 0; i < count; i++) value(of);
      fields.splice(from + 3); // of long arrays a few elements will do
    } else {
      if (sizes[type] >= 4) fields.push({ at, size: sizes[type], what: "value" });
      at += sizes[type];
    }
  };
  const [tensors, keys] = [Number(content.readBigUInt64LE(8)), Number(content.readBigUInt64LE(16))];
  for (let i = 0; i < keys; i++) {
    text("key");
    value(u32("type"));
  }
  for (let i = 0; i < tensors; i++) {
    text("name");
    const dimensions = u32("dimensions");
    for (let d = 0; d < dimensions; d++) u64("size");
    u32("tensor type");
    u64("offset");
  }
  return fields;
}
