/** A damaged reference store: its values are computed again, never taken as they are, and no run ends of it. */
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { judgeCommand } from "../judge.mjs";
import { mutateBytes, replaceBySpecial } from "../mutate.mjs";
import { copy, differs } from "./base.mjs";

/** All rows in two steps: a wrong value shows in the first one's loss. */
const CHANGES = { per_device_train_batch_size: 20, max_steps: 2, logging_steps: 1, save_steps: 10, report_to: "none" };

export default {
  name: "reference store",
  share: 5,
  minimum: 150,
  async run(random, shop, folder) {
    const expected = await shop.baseline(CHANGES);
    const [out, cache] = [join(folder, "out"), join(folder, "cache")];
    copy(expected.cache, cache);
    const files = readdirSync(cache, { recursive: true }).filter((name) => statSync(join(cache, name)).isFile());
    const file = random.of(files.filter((name) => statSync(join(cache, name)).size > 0));
    const path = join(cache, file);
    const { note, special } = damage(
      random,
      path,
      files.map((name) => join(cache, name)),
    );
    const before = `${file}: ${note}`;
    const outcome = await shop.cli(shop.train(out, cache, CHANGES));
    // A pipe or a folder in the place of a file is for the user to remove.
    const fault = judgeCommand(outcome, { codes: special ? [0, 2] : [0], names: [file, cache] });
    if (fault)
      return {
        note: before,
        inputs: 1,
        files: cache,
        faults: [
          {
            ...fault,
            type: fault.type === "unclear" && !special ? "wrong" : fault.type,
            text: `a damaged store: ${fault.text}`,
          },
        ],
      };
    let why = outcome.code === 0 ? differs(out, expected) : undefined;
    if (!why && outcome.code === 0 && random.chance(0.3)) {
      // What was computed again is kept.
      const again = await shop.cli(shop.train(join(folder, "again"), cache, { ...CHANGES }));
      why = again.code === 0 ? differs(join(folder, "again"), expected) : `the next run ended with ${again.signal ?? again.code}`;
    }
    return {
      note: before,
      inputs: 1,
      files: cache,
      faults: why ? [{ type: "wrong", text: `a damaged store was used: ${why}` }] : [],
    };
  },
};

function damage(random, path, files) {
  const content = readFileSync(path);
  switch (
    random.weighted([
      [8, "bytes"],
      [3, "many"],
      [2, "pages"],
      [2, "cut"],
      [1, "append"],
      [1, "remove"],
      [1, "swap"],
      [0.5, "special"],
    ])
  ) {
    case "many": {
      const bytes = Buffer.from(content);
      for (let i = random.integer(2, 200); i > 0; i--) bytes[random.integer(0, bytes.length - 1)] ^= 1 << random.integer(0, 7);
      writeFileSync(path, bytes);
      return { note: "many bits flipped" };
    }
    case "pages": {
      const bytes = Buffer.from(content);
      const page = random.of([512, 4096]);
      const at = random.integer(0, Math.floor((bytes.length - 1) / page)) * page;
      bytes.fill(random.of([0, 255]), at, Math.min(at + page, bytes.length));
      writeFileSync(path, bytes);
      return { note: `a page at ${at} overwritten` };
    }
    case "cut": {
      const size = random.integer(0, content.length - 1);
      truncateSync(path, size);
      return { note: `cut to ${size} of ${content.length} bytes` };
    }
    case "append":
      writeFileSync(path, Buffer.concat([content, random.bytes(random.integer(1, 5000))]));
      return { note: "bytes appended" };
    case "remove":
      rmSync(path);
      return { note: "removed" };
    case "swap":
      writeFileSync(path, readFileSync(random.of(files)));
      return { note: "replaced by another file of the store" };
    case "special":
      return { note: replaceBySpecial(random, path), special: true };
    default: {
      const { bytes, note } = mutateBytes(random, content);
      writeFileSync(path, bytes);
      return { note };
    }
  }
}
