// Resident memory over 1,000 training steps in a plain loop, and what 100,000 ops in one tidy leave. One JSON line.
import { memory, ones, tidy } from "smaug/torch";
import { smallModel } from "./model.mjs";

const resident = () => {
  globalThis.gc();
  return process.memoryUsage.rss() / 2 ** 20;
};

const step = smallModel();
for (let k = 0; k < 100; k++) step();
const before = resident();
for (let k = 100; k < 1_000; k++) step();
const after = resident();

const x = ones([16]);
const live = memory().tensors;
tidy(() => {
  for (let k = 0; k < 100_000; k++) x.add(x);
});
console.log(JSON.stringify({ bench: "memory", before, after, leaked: memory().tensors - live }));
