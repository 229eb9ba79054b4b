import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SafetensorsFile } from "../../src/models";
import { type DType, memory, tidy } from "../../src/torch";
import { folderOf } from "../parity/fixture";
import { temporaryFolders, writeSafetensorsFile } from "./folders";

const folder = temporaryFolders();
const f32 = (shape: number[], start: number, end: number) => ({ dtype: "F32", shape, data_offsets: [start, end] });
const write = (...args: [string | object, (number | Uint8Array)?, bigint?]) =>
  writeSafetensorsFile(join(folder(), "model.safetensors"), ...args);

describe("dtypes", () => {
  test.each<[string, number[], DType, unknown]>([
    ["F64", [0, 0, 0, 0, 0, 0, 0xf8, 0x3f], "float64", [1.5]],
    ["F32", [0, 0, 0xc0, 0x3f], "float32", [1.5]],
    ["F16", [0, 0x3e], "float16", [1.5]],
    ["BF16", [0xc0, 0x3f], "bfloat16", [1.5]],
    ["F8_E4M3", [0x3c, 0xbc], "bfloat16", [1.5, -1.5]],
    ["F8_E5M2", [0x3e], "bfloat16", [1.5]],
    ["I64", [254, 255, 255, 255, 255, 255, 255, 255], "int64", [-2]],
    ["I32", [254, 255, 255, 255], "int32", [-2]],
    ["I16", [254, 255], "int16", [-2]],
    ["I8", [254], "int8", [-2]],
    ["U8", [254], "uint8", [254]],
    ["BOOL", [1, 0], "bool", [true, false]],
  ])("%s", (format, bytes, dtype, values) => {
    const size = bytes.length;
    const shape = [(values as unknown[]).length];
    const file = new SafetensorsFile(write({ x: { dtype: format, shape, data_offsets: [0, size] } }, Uint8Array.from(bytes)));
    const tensor = file.read("x");
    expect([tensor.dtype, tensor.toList()]).toEqual([dtype, values]);
  });

  test("8-bit floats are read in any dtype that is asked for, others too", () => {
    const path = write({ x: { dtype: "F8_E4M3", shape: [2], data_offsets: [0, 2] } }, Uint8Array.of(0x3c, 0xbc));
    expect(new SafetensorsFile(path).read("x", { dtype: "float32" }).toList()).toEqual([1.5, -1.5]);
    expect(new SafetensorsFile(path).read("x", { dtype: "float8_e4m3fn" }).toBits()).toEqual(Uint8Array.of(0x3c, 0xbc));
  });
});

test("scalars, empty tensors, metadata, and names of any kind", () => {
  const header = { __metadata__: { format: "pt" }, "": f32([], 0, 4), 'a"\\: {é': f32([0, 3], 4, 4), __proto__: 1 };
  const text = JSON.stringify(header).replace("}}", `},"__proto__":${JSON.stringify(f32([1], 4, 8))}}`);
  const file = new SafetensorsFile(write(text, Uint8Array.of(0, 0, 128, 63, 0, 0, 0, 64)));
  expect(file.metadata).toEqual({ format: "pt" });
  expect([...file.entries.keys()].sort()).toEqual(["", "__proto__", 'a"\\: {é']);
  expect(file.read("").item()).toBe(1);
  expect(file.read("__proto__").toList()).toEqual([2]);
  expect(file.read('a"\\: {é').shape).toEqual([0, 3]);
});

test("data that is not aligned is read, but not in place", () => {
  const values = Buffer.from(Float32Array.of(1, 2, 3).buffer);
  const header = `${JSON.stringify({ x: f32([3], 0, 12) })} `;
  for (let spaces = 0; spaces < 8; spaces++) {
    const padded = header + " ".repeat(spaces);
    const file = new SafetensorsFile(write(padded, values));
    expect(file.read("x").toList()).toEqual([1, 2, 3]);
    const view = file.view("x", file.map());
    if (padded.length % 4 === 0) expect(view!.toList()).toEqual([1, 2, 3]);
    else expect(view).toBeUndefined();
  }
});

test("a tensor larger than one step is whole", () => {
  const count = (16 << 20) / 4 + 1001;
  const values = Float32Array.from({ length: count }, (_, i) => i % 1021);
  const path = write(`${JSON.stringify({ x: f32([count], 0, 4 * count) })}`, Buffer.from(values.buffer));
  const read = new SafetensorsFile(path).read("x").toArray() as Float32Array;
  expect(Buffer.compare(Buffer.from(read.buffer), Buffer.from(values.buffer))).toBe(0); // toEqual would take seconds
});

test("a view shows the file, and writing to it does not change the file", () => {
  const path = write(`${JSON.stringify({ x: f32([2], 0, 8) })}    `.padEnd(64), 8);
  const before = readFileSync(path);
  const tensors = memory().tensors;
  tidy(() => {
    const file = new SafetensorsFile(path);
    const view = tidy(() => file.view("x", file.map())!);
    view.fill_(7);
    expect(view.toList()).toEqual([7, 7]);
  });
  expect(memory().tensors).toBe(tensors);
  expect(readFileSync(path)).toEqual(before);
});

describe("a damaged file is refused", () => {
  const good = readFileSync(folderOf("folders", "single", "model.safetensors"));

  test.each([0, 7, 8, 100, 2000, good.length - 1])("cut to %i bytes", (length) => {
    const path = join(folder(), "model.safetensors");
    writeFileSync(path, good.subarray(0, length));
    expect(() => new SafetensorsFile(path)).toThrow(/it is cut short/);
  });

  test("with bytes after its tensors", () => {
    const path = join(folder(), "model.safetensors");
    writeFileSync(path, Buffer.concat([good, Buffer.alloc(3)]));
    expect(() => new SafetensorsFile(path)).toThrow(
      `to end after its tensors, at byte ${good.length}, but received ${good.length + 3} bytes`,
    );
  });

  test.each<[string, [string | object, (number | Uint8Array)?, bigint?], RegExp]>([
    ["header longer than the file", [{ x: f32([1], 0, 4) }, 4, 1000n], /a header of 1000 bytes in .* but received \d+;/],
    ["header over the limit", ["{}", 0, 33_554_433n], /at most 33554432 bytes in .* but received 33554433; this is another kind/],
    ["length beyond every number", ["{}", 0, 2n ** 64n - 1n], /but received 18446744073709551615/],
    ["no JSON", ["{'x'}"], /Expected tensors by name as JSON in the header of .*model\.safetensors/],
    ["JSON that is no object", ["[1]"], /to start with '\{' but received "\[1\]"/],
    ["space before the header", [" {}"], /to start with '\{'/],
    ["metadata that is no text", [{ __metadata__: { a: 1 } }], /strings by name for '__metadata__'/],
    ["an entry that is no object", [{ x: 3 }], /dtype, shape and data_offsets of 'x' in .* but received 3/],
    [
      "an unknown dtype",
      [{ x: { dtype: "F4", shape: [2], data_offsets: [0, 1] } }, 1],
      /for the dtype of 'x' .* but received "F4"/,
    ],
    ["a dtype of the prototype", [{ x: { dtype: "toString", shape: [], data_offsets: [0, 0] } }], /for the dtype of 'x'/],
    ["no shape", [{ x: { dtype: "F32", data_offsets: [0, 4] } }, 4], /for the shape of 'x' .* but received nothing/],
    ["a negative size", [{ x: f32([-1], 0, 4) }, 4], /for the shape of 'x' .* but received \[-1\]/],
    ["a fractional size", [{ x: f32([0.5], 0, 2) }, 2], /for the shape of 'x'/],
    ["offsets backwards", [{ x: f32([1], 4, 0) }, 4], /for the data_offsets of 'x' .* but received \[4,0\]/],
    ["one offset", [{ x: { dtype: "F32", shape: [1], data_offsets: [0] } }, 4], /for the data_offsets of 'x'/],
    [
      "bytes that are not the shape's",
      [{ x: f32([2], 0, 4) }, 4],
      /8 bytes \(F32, \[2\]\) for the data of 'x' in .* but received 4/,
    ],
    ["a shape beyond every size", [{ x: f32([2 ** 52, 2 ** 52], 0, 4) }, 4], /for the data of 'x'/],
    ["offsets outside", [{ x: f32([2], 0, 8) }, 4], /'x' to end within .* it is cut short/],
    ["an overlap", [{ x: f32([2], 0, 8), y: f32([2], 4, 12) }, 12], /'y' at byte \d+ of .*; tensors overlap/],
    ["the same bytes twice", [{ x: f32([1], 0, 4), y: f32([1], 0, 4) }, 4], /tensors overlap/],
    ["a gap", [{ x: f32([1], 0, 4), y: f32([1], 8, 12) }, 12], /'y' at byte \d+ of .*; tensors leave a gap/],
    ["a gap at the start", [{ x: f32([1], 4, 8) }, 8], /tensors leave a gap/],
    [
      "a name twice",
      ['{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0078" : {"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', 2],
      /each name once in the header of .* but received 'x' twice/,
    ],
    ["a key twice", ['{"x":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}', 1], /received 'dtype' twice/],
  ])("%s", (_, content, message) => {
    expect(() => new SafetensorsFile(write(...content))).toThrow(message);
  });

  test("a header that is not UTF-8", () => {
    const path = write("{}      ");
    writeFileSync(path, Buffer.concat([readFileSync(path).subarray(0, 9), Buffer.from([0xff, 0xfe]), Buffer.alloc(5, "}")]));
    expect(() => new SafetensorsFile(path)).toThrow("Expected UTF-8 for the header");
  });

  test("whatever byte of its header is wrong, it is read or refused", () => {
    const length = Number(good.readBigUInt64LE());
    const path = join(folder(), "model.safetensors");
    const changes = fc.array(fc.tuple(fc.nat(7 + length), fc.nat(255)), { minLength: 1, maxLength: 3 });
    const damaged = fc.property(changes, (bytes) => {
      const copy = Buffer.from(good);
      for (const [at, byte] of bytes) copy[at] = byte;
      writeFileSync(path, copy);
      try {
        const { entries } = new SafetensorsFile(path);
        for (const { start, end } of entries.values()) expect(end - start).toBeLessThanOrEqual(good.length);
      } catch (error) {
        expect(error).toMatchObject({ name: "FolderError" });
      }
    });
    fc.assert(damaged, { numRuns: 300 });
  });

  test("every message names the file, and is a FolderError", () => {
    const path = write("[]");
    expect(() => new SafetensorsFile(path)).toThrow(
      expect.objectContaining({ name: "FolderError", message: expect.stringContaining(path) }),
    );
    expect(() => new SafetensorsFile(`${path}.no`)).toThrow(/a safetensors file at .*\.no but there is none/);
  });
});

test("a tensor that is not there, or has another size, is named", () => {
  const file = new SafetensorsFile(write({ x: f32([1], 0, 4) }, 4));
  expect(() => file.read("y")).toThrow(/Expected a tensor 'y' in .* but received none of that name/);
  tidy(() => expect(() => file.copyTo("x", file.read("x").expand([2]).clone())).toThrow("1 elements for 'x' but received 2"));
});
