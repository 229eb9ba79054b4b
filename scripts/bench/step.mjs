// Median milliseconds of the small model's training step: the Node side of step.py. One JSON line.
import { smallModel } from "./model.mjs";

const STEPS = 200;
const WARM_UP = 20;

const step = smallModel();
const times = [];
for (let k = 0; k < STEPS + WARM_UP; k++) {
  const start = performance.now();
  step();
  if (k >= WARM_UP) times.push(performance.now() - start);
}
times.sort((a, b) => a - b);
console.log(JSON.stringify({ bench: "step", steps: STEPS, ms: times[STEPS / 2] }));
