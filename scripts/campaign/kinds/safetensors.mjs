/** Damaged safetensors: the header's JSON, its length, the bytes. Tensors that are read are compared with a plain reader. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { copyFolder, replace } from "../folders.mjs";
import { damageJson, mutateBytes, replaceBySpecial, sameJson, withInteger } from "../mutate.mjs";
import { judgeInput, parity, product, wrong } from "../product.mjs";
import { logitsOf } from "./modelUse.mjs";

const FILE = "model.safetensors";

export default {
  name: "safetensors headers",
  share: 3,
  batch: 80,
  minimum: 2500,
  async open() {
    const folders = readdirSync(parity("models")).map((name) => parity("models", name));
    return { folders };
  },
  async make(random, folder, { folders }) {
    const source = random.of(folders);
    const model = copyFolder(source, join(folder, "model"));
    const file = join(model, FILE);
    const note = damage(random, file);
    return {
      note: `${source}: ${note}`,
      names: [FILE, model],
      command: ["generate", "--model", model, "--prompt", "x", "--max-new-tokens", "2"],
      run: async () => {
        await logitsOf(model);
        return compare(file);
      },
    };
  },
  judge: judgeInput,
};

export function damage(random, file) {
  const content = readFileSync(file);
  const size = Number(content.readBigUInt64LE(0));
  const header = JSON.parse(content.subarray(8, 8 + size));
  const data = content.subarray(8 + size);
  const joined = (text, length = Buffer.byteLength(text)) => {
    const head = Buffer.alloc(8);
    head.writeBigUInt64LE(BigInt(length));
    return Buffer.concat([head, Buffer.from(text), data]);
  };
  switch (
    random.weighted([
      [6, "header"],
      [4, "bytes"],
      [2, "length"],
      [2, "offsets"],
      [1, "same"],
      [1, "special"],
    ])
  ) {
    case "header": {
      const { text, bytes, note } = damageJson(random, header, { keys: ["__metadata__", "x"] });
      replace(file, joined(bytes ?? text));
      return `header: ${note}`;
    }
    case "length":
      replace(file, withInteger(random, content, 0, 8));
      return "the header's length";
    case "offsets": {
      const names = Object.keys(header).filter((name) => name !== "__metadata__");
      const [a, b] = [random.of(names), random.of(names)];
      const key = random.of(["data_offsets", "shape", "dtype"]);
      [header[a][key], header[b][key]] = [header[b][key], header[a][key]];
      replace(file, joined(JSON.stringify(header)));
      return `${key} of ${a} and ${b} swapped`;
    }
    case "same": {
      replace(file, joined(sameJson(random, header).trimStart()));
      return "the same header, written differently";
    }
    case "special":
      return replaceBySpecial(random, file);
    default: {
      const { bytes, note } = mutateBytes(random, content);
      replace(file, bytes);
      return note;
    }
  }
}

/** Reads float32 tensors with a few lines of plain JavaScript. */
export function compare(file) {
  const { SafetensorsFile } = product();
  const content = readFileSync(file);
  const size = Number(content.readBigUInt64LE(0));
  const header = JSON.parse(content.subarray(8, 8 + size));
  const opened = new SafetensorsFile(file);
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(header)) {
    if (name === "__metadata__" || dtype !== "F32") continue;
    const [from, to] = offsets;
    const expected = new Uint8Array(content.subarray(8 + size + from, 8 + size + to));
    const tensor = opened.read(name);
    const found = new Uint8Array(Float32Array.from(tensor.reshape([-1]).toArray()).buffer);
    tensor.dispose();
    const isNaNs = (bytes) => [...new Float32Array(Uint8Array.from(bytes).buffer)].some(Number.isNaN);
    if (found.length !== expected.length || (!isNaNs(expected) && !Buffer.from(found).equals(expected)))
      return wrong(`tensor ${name} [${shape}] differs from the bytes in the file`);
  }
  return undefined;
}
