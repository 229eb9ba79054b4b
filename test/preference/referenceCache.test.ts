import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { TokenizedPair } from "../../src/data/tokenizedPair";
import { fingerprint } from "../../src/preference/fingerprint";
import { ReferenceCache } from "../../src/preference/referenceCache";
import { tensor } from "../../src/torch";

const root = mkdtempSync(join(tmpdir(), "smaug-reference-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const folder = () => mkdtempSync(join(root, "cache-"));

const pair: TokenizedPair = {
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

  test("refuses values that do not belong to the row", async () => {
    const cache = await ReferenceCache.open(folder());
    await expect(cache.put("model", [[pair, { ...values, rejected: Float32Array.of(1, 2) }]])).rejects.toThrow(
      "Expected 1 log-probs for 'rejected' of row 0 but received 2",
    );
    await cache.close();
  });

  test("counts an entry whose bytes have changed as missing", async () => {
    const at = folder();
    const cache = await ReferenceCache.open(at);
    await cache.put("model", [[pair, values]]);
    const { file } = cache;
    await cache.close();
    const bytes = readFileSync(file);
    const place = bytes.indexOf(Buffer.from(Float32Array.of(-0.5, -1.25, -3).buffer));
    expect(place).toBeGreaterThan(0);
    bytes[place]! ^= 1;
    writeFileSync(file, bytes);
    const again = await ReferenceCache.open(at);
    expect(again.get("model", pair)).toBeUndefined();
    await again.close();
  });

  test("names a file that is no store, or that is cut short, and the way out", async () => {
    const at = folder();
    const cache = await ReferenceCache.open(at);
    await cache.put("model", Array.from({ length: 300 }, (_, i) => [{ ...pair, chosen: { ids: Int32Array.of(i, 2, 3, 4), start: 2 } }, values] as const));
    const { file } = cache;
    await cache.close();
    truncateSync(file, 12_288);
    await expect(ReferenceCache.open(at)).rejects.toThrow(/Expected a reference cache at .* cut short, 12288 of \d+ bytes. Delete it/);
    writeFileSync(file, "not a store ".repeat(1000));
    await expect(ReferenceCache.open(at)).rejects.toThrow(/Expected a reference cache at .* but received another file. Delete it/);
  });

  test("names a folder that cannot be made", async () => {
    const file = join(folder(), "file");
    writeFileSync(file, "");
    await expect(ReferenceCache.open(join(file, "cache"))).rejects.toThrow(/Expected a folder for the reference cache .* reference_cache/);
  });
});

describe("the fingerprint of a model", () => {
  const a = tensor([1, 2, 3]);
  const b = tensor([[4, 5]]);

  test("is of the content: names, values, dtypes, shapes and settings, in any order", async () => {
    const one = await fingerprint({ theta: 1, eps: 2 }, [["a", a], ["b", b]]);
    expect(one).toMatch(/^[0-9a-f]{64}$/);
    expect(await fingerprint({ eps: 2, theta: 1 }, [["b", b.clone()], ["a", a.clone()]])).toBe(one);
    const others = await Promise.all([
      fingerprint({ theta: 1, eps: 3 }, [["a", a], ["b", b]]),
      fingerprint({ theta: 1, eps: 2 }, [["b", a], ["a", b]]),
      fingerprint({ theta: 1, eps: 2 }, [["a", a], ["b", b.reshape([2])]]),
      fingerprint({ theta: 1, eps: 2 }, [["a", a], ["b", b.add(1e-6)]]),
      fingerprint({ theta: 1, eps: 2 }, [["a", a.to("float64")], ["b", b]]),
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
