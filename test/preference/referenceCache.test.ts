import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { InputError } from "../../src/base/errors";
import { RecordStore } from "../../src/base/records/store";
import type { AnswerPair } from "../../src/data/tokenize/tokenizedPair";
import { ReferenceCache } from "../../src/preference/reference/cache";
import { fingerprint } from "../../src/preference/reference/fingerprint";
import { tensor } from "../../src/torch";

const root = mkdtempSync(join(tmpdir(), "smaug-reference-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const folder = () => mkdtempSync(join(root, "cache-"));

const pair: AnswerPair = {
  index: 0,
  chosen: { ids: Int32Array.of(1, 2, 3, 4), start: 2 },
  rejected: { ids: Int32Array.of(1, 2, 5), start: 2 },
};
const values = { chosen: Float32Array.of(-0.5, -1.25), rejected: Float32Array.of(-3) };

describe("the reference cache", () => {
  test("gives back what was stored, to the bit, also after it was closed", async () => {
    const at = folder();
    const cache = await ReferenceCache.open(at);
    expect(cache.get("model", pair)).toBeUndefined();
    await cache.put("model", [[pair, values]]);
    expect(cache.get("model", pair)).toEqual(values);
    await cache.close();
    const again = await ReferenceCache.open(at);
    expect(again.get("model", pair)).toEqual(values);
    await again.close();
  });

  test("finds a row by the model and its tokens, whatever its place in the data", async () => {
    const cache = await ReferenceCache.open(folder());
    await cache.put("model", [[pair, values]]);
    expect(cache.get("model", { ...pair, index: 7 })).toEqual(values);
    expect(cache.get("another", pair)).toBeUndefined();
    const elsewhere = { ids: pair.chosen.ids, start: 1 }; // the same tokens, another boundary
    expect(cache.get("model", { ...pair, chosen: elsewhere })).toBeUndefined();
    expect(cache.get("model", { ...pair, chosen: pair.rejected, rejected: pair.chosen })).toBeUndefined();
    await cache.close();
  });

  test("keeps a row without a rejected answer apart from the pair with the same chosen one", async () => {
    const cache = await ReferenceCache.open(folder());
    const single = { index: 0, chosen: pair.chosen };
    const ofSingle = { chosen: values.chosen, rejected: new Float32Array() };
    await cache.put("model", [[single, ofSingle]]);
    expect(cache.get("model", single)).toEqual(ofSingle);
    expect(cache.get("model", pair)).toBeUndefined();
    await cache.close();
  });

  test("refuses values that do not belong to the row", async () => {
    const cache = await ReferenceCache.open(folder());
    await expect(cache.put("model", [[pair, { ...values, rejected: Float32Array.of(1, 2) }]])).rejects.toThrow(
      "Expected 1 log-probs for 'rejected' of row 0 but received 2",
    );
    await cache.close();
  });

  test("never returns a value that has changed on disk, and names the file once", async () => {
    const at = folder();
    const cache = await ReferenceCache.open(at);
    await cache.put("model", [[pair, values]]);
    await cache.close();
    const file = join(at, readdirSync(at)[0]!);
    const bytes = readFileSync(file);
    const place = bytes.indexOf(Buffer.from(Float32Array.of(-0.5, -1.25, -3).buffer));
    expect(place).toBeGreaterThan(0);
    bytes[place]! ^= 1;
    writeFileSync(file, bytes);
    const again = await ReferenceCache.open(at);
    expect(again.get("model", pair)).toBeUndefined();
    expect(again.takeProblems()).toEqual([`${file} has 1 damaged value`]);
    expect(again.takeProblems()).toEqual([]);
    await again.put("model", [[pair, values]]);
    await again.close();
    const last = await ReferenceCache.open(at);
    expect(last.get("model", pair)).toEqual(values);
    expect(last.takeProblems()).toEqual([]);
    await last.close();
  });

  test("neither stores nor returns NaN or infinity", async () => {
    const at = folder();
    const cache = await ReferenceCache.open(at);
    for (const wrong of [NaN, -Infinity, Infinity])
      await expect(cache.put("model", [[pair, { ...values, rejected: Float32Array.of(wrong) }]])).rejects.toThrow(
        "Expected finite log-probs for 'rejected' of row 0 but received NaN or infinity",
      );
    await cache.put("model", [[pair, values]]);
    await cache.close();
    // The same entry with a NaN, written as by another program: its digest is right.
    const file = join(at, readdirSync(at)[0]!);
    const key = readFileSync(file).subarray(24, 56);
    for (const content of [Float32Array.of(-0.5, NaN, -3), Float32Array.of(-0.5, -1.25), new Float64Array(2)]) {
      const other = folder();
      const store = await RecordStore.open(other, "logprobs-2");
      await store.put([[key, new Uint8Array(content.buffer)]]);
      const again = await ReferenceCache.open(other);
      expect(again.get("model", pair)).toBeUndefined();
      await store.put([[key, new Uint8Array(Float32Array.of(-0.5, -1.25, -3).buffer)]]);
      await Promise.all([again.close(), store.close()]);
    }
  });

  test("keeps float64 values", async () => {
    const at = folder();
    const exact = { chosen: Float64Array.of(-1 / 3, -Math.PI), rejected: Float64Array.of(-1e-300) };
    const cache = await ReferenceCache.open(at);
    await cache.put("model", [[pair, exact]]);
    expect(cache.get("model", pair)).toEqual(exact);
    await cache.close();
  });

  test("leaves the file of earlier versions alone", async () => {
    const at = folder();
    writeFileSync(join(at, "logprobs-1.mdb"), "LMDB");
    await (await ReferenceCache.open(at)).close();
    expect(readdirSync(at)).toEqual(["logprobs-1.mdb"]);
  });

  test.each([
    ["lies in a file", (file: string) => join(file, "cache")],
    ["is a file", (file: string) => file],
    ["is a device", () => "/dev/zero"],
  ])("names a folder that %s", async (_, place) => {
    const file = join(folder(), "file");
    writeFileSync(file, "");
    await expect(ReferenceCache.open(place(file))).rejects.toThrow(
      /Expected a folder for the reference cache .* reference_cache/,
    );
    await expect(ReferenceCache.open(place(file))).rejects.toBeInstanceOf(InputError);
  });

  test("names the folder and the way out where there is no room, and keeps what was stored before", () => {
    const at = folder();
    const program = join(__dirname, "programs", "fillCache.ts");
    const register = join(__dirname, "..", "setup", "typescript.cjs");
    // A limit for the size of files is what a program can set; a full disk fails in the same call.
    const command = ["-c", 'ulimit -f 1024; exec "$@"', "bash", process.execPath, "--require", register, program, at];
    const { stored, error, message } = JSON.parse(execFileSync("bash", command, { encoding: "utf8" })) as Record<string, unknown>;
    expect(stored).toEqual([true, true, false]);
    expect(error).toBe("InputError");
    expect(message).toMatch(
      /^Expected to write to the reference cache in .* but received: EFBIG: .*; what was stored before is kept\. Free/,
    );
    expect(message).toContain(at);
  });
});

describe("the fingerprint of a model", () => {
  const a = tensor([1, 2, 3]);
  const b = tensor([[4, 5]]);

  test("is of the content: names, values, dtypes, shapes and settings, in any order", async () => {
    const one = await fingerprint({ theta: 1, eps: 2 }, [
      ["a", a],
      ["b", b],
    ]);
    expect(one).toMatch(/^[0-9a-f]{64}$/);
    expect(
      await fingerprint({ eps: 2, theta: 1 }, [
        ["b", b.clone()],
        ["a", a.clone()],
      ]),
    ).toBe(one);
    const others = await Promise.all([
      fingerprint({ theta: 1, eps: 3 }, [
        ["a", a],
        ["b", b],
      ]),
      fingerprint({ theta: 1, eps: 2 }, [
        ["b", a],
        ["a", b],
      ]),
      fingerprint({ theta: 1, eps: 2 }, [
        ["a", a],
        ["b", b.reshape([2])],
      ]),
      fingerprint({ theta: 1, eps: 2 }, [
        ["a", a],
        ["b", b.add(1e-6)],
      ]),
      fingerprint({ theta: 1, eps: 2 }, [
        ["a", a.to("float64")],
        ["b", b],
      ]),
    ]);
    expect(new Set([one, ...others]).size).toBe(6);
  });

  test("sees a change in the last value of a large tensor", async () => {
    const large = tensor(0).expand([5_000_000]).clone();
    const before = await fingerprint({}, [["w", large]]);
    large.index(4_999_999).fill_(1);
    expect(await fingerprint({}, [["w", large]])).not.toBe(before);
  });
});
