/** Inputs with faults that are known: what a campaign has to find, by the number of the input. */
import { unclearError } from "../../../scripts/campaign/judge.mjs";

const refuse = (message) => {
  throw Object.assign(new Error(message), { name: "InputError" });
};

const hoard = [];
let poisoned = false;

const actions = {
  1: () => process.kill(process.pid, "SIGSEGV"),
  5: () => {
    for (;;);
  },
  7: async () => {
    for (;;) {
      hoard.push(Buffer.alloc(16 * 2 ** 20, 1));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  },
  9: () => undefined.length,
  11: () => ({ type: "wrong", text: "5 instead of 4" }),
  13: () => void Promise.reject(new Error("nobody waits for this")),
  15: () => refuse("Expected rows in pairs.jsonl, line 3, but found none"),
  17: () => refuse("Expected rows but found none"), // which file?
  19: () => refuse("Expected rows in pairs.jsonl but: Cannot read properties of undefined (reading 'x')"),
  21: () => (poisoned = true),
  23: () => poisoned && process.abort(), // only after 21
  25: () => refuse("Expected a file: ENOENT: no such file"),
};

export default {
  name: "planted",
  share: 1,
  batch: 30,
  minimum: 30,
  async make(random, folder) {
    const input = Number(folder.split("/").at(-1));
    return {
      note: `input ${input}`,
      names: ["pairs.jsonl"],
      draw: random.integer(0, 1e9),
      run: async () => {
        const found = await actions[input]?.();
        return typeof found === "object" ? found : undefined;
      },
    };
  },
  judge(error, made) {
    const why = unclearError(error, made.names, ({ name }) => name === "InputError");
    return why && { type: "unclear", text: why };
  },
};
