/** A list in any pieces gives the elements that JSON.parse finds in the whole. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { listElements } from "../../src/data/reading/jsonArray";

async function* pieces(text: string, sizes: readonly number[]): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const end = at + (sizes[i % sizes.length] ?? 1);
    yield bytes.subarray(at, end);
    at = end;
  }
}

async function elements(text: string, ...sizes: number[]): Promise<string[]> {
  const found = [];
  for await (const elements of listElements(pieces(text, sizes), "list.json"))
    for (const element of elements) found.push(Buffer.from(element).toString());
  return found;
}

test.each([1, 2, 3, 1000])("elements in pieces of %i bytes", async (size) => {
  const rows = [{ a: 'x, ]}\\"[{' }, "\\", 'é😀"', 4, null, [[], {}], { b: [{ c: '\\\\"' }] }, ""];
  for (const space of [0, 2]) {
    const found = await elements(`\ufeff ${JSON.stringify(rows, null, space)}\n`, size);
    expect(found.map((text) => JSON.parse(text) as unknown)).toEqual(rows);
  }
  expect(await elements(" [ \n] ", size)).toEqual([]);
});

test("any JSON in any pieces", async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.json()), sizes, async (values, each) => {
      const text = `[${values.join(",")}]`;
      const found = await elements(text, ...each);
      expect(found.map((element) => JSON.parse(element) as unknown)).toEqual(JSON.parse(text));
    }),
  );
});

test.each([
  ["[1, 2", /list\.json' but received a list that ends within row 1 \(counted from 0\)/],
  [`["a]`, /ends within row 0/],
  ["[1] [2]", /more after the end of the list \(1 rows\)/],
  ["[{]", /ends within row 0/],
])("%s is no list", async (text, message) => {
  await expect(elements(text, 2)).rejects.toThrow(message);
});
