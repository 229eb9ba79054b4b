/** Two processes at once: in one output folder only one may run; one reference cache serves both. */
import { join } from "node:path";
import { judgeCommand } from "../judge.mjs";
import { checkpointsIn, differs, notWhole, wait } from "./base.mjs";

export default {
  name: "concurrent runs",
  share: 3,
  minimum: 30,
  async run(random, shop, folder) {
    return random.chance(0.6) ? oneFolder(random, shop, folder) : oneCache(random, shop, folder);
  },
};

async function oneFolder(random, shop, folder) {
  const settings = [{}, { seed: 7, learning_rate: 0.02 }];
  const expected = [await shop.baseline(settings[0]), await shop.baseline(settings[1])];
  const out = join(folder, "out");
  const delay = random.number() * expected[0].seconds * 1.2;
  const note = `one output folder, ${delay.toFixed(2)} s apart`;
  const runs = settings.map(async (changes, i) => {
    await wait(i * delay);
    return shop.cli(shop.train(out, join(folder, `cache-${i}`), changes));
  });
  const outcomes = await Promise.all(runs);
  const faults = outcomes.map((outcome) => judgeCommand(outcome, { codes: [0, 2], names: [out] })).filter(Boolean);
  if (faults.length > 0) return { note, inputs: 1, faults: [{ ...faults[0], text: `one output folder: ${faults[0].text}` }] };
  const done = outcomes.map(({ code }) => code === 0);
  const why =
    done[0] && done[1]
      ? "both runs ended with 0 in one output folder"
      : !done[0] && !done[1]
        ? "neither run was allowed"
        : (differs(out, expected[done.indexOf(true)]) ?? notWhole(out));
  return {
    note,
    inputs: 1,
    faults: why ? [{ type: "wrong", text: `${why} (${checkpointsIn(out).length} checkpoints)` }] : [],
  };
}

async function oneCache(random, shop, folder) {
  const expected = await shop.baseline();
  const cache = join(folder, "cache");
  const note = "one reference cache";
  const runs = [0, 1, 2].slice(0, random.integer(2, 3)).map(async (i) => {
    await wait(i * 0.3 * random.number());
    const outcome = await shop.cli(shop.train(join(folder, `out-${i}`), cache));
    const fault = judgeCommand(outcome, { codes: [0] });
    const why = fault ? undefined : differs(join(folder, `out-${i}`), expected);
    return fault ?? (why && { type: "wrong", text: why });
  });
  const faults = (await Promise.all(runs))
    .filter(Boolean)
    .map((fault) => ({ ...fault, text: `one reference cache: ${fault.text}` }));
  return { note, inputs: 1, faults: faults.slice(0, 1) };
}
