/** Stores three entries in a reference cache, the last of which is too large for a limit, and prints what became of them. */
import { ReferenceCache } from "../../../src/preference/reference/cache";

const [folder] = process.argv.slice(2) as [string];
const pairOf = (tokens: number) => {
  const answer = { ids: new Int32Array(tokens).fill(1), start: 1 };
  return { index: 0, chosen: answer, rejected: answer };
};
const valuesOf = (tokens: number) => ({ chosen: new Float32Array(tokens - 1), rejected: new Float32Array(tokens - 1) });

async function main(): Promise<void> {
  const cache = await ReferenceCache.open(folder);
  const sizes = [10, 20, 300_000];
  let failure: Error | undefined;
  for (const tokens of sizes)
    await cache.put("model", [[pairOf(tokens), valuesOf(tokens)]]).catch((error: Error) => (failure = error));
  await cache.close();
  const again = await ReferenceCache.open(folder);
  const stored = sizes.map((tokens) => again.get("model", pairOf(tokens)) !== undefined);
  await again.close();
  console.log(JSON.stringify({ stored, error: failure?.name, message: failure?.message }));
}

void main();
