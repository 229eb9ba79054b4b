// One add of 16 floats, wrapper and dispose included: the Node side of add.py. One JSON line.
import { ones, setNumThreads } from "smaug/torch";

const ADDS = 100_000;
const REPETITIONS = 9;

function microseconds(a, b) {
  const repetition = () => {
    const start = performance.now();
    for (let i = 0; i < ADDS; i++) a.add(b).dispose();
    return ((performance.now() - start) / ADDS) * 1e3;
  };
  repetition();
  const times = Array.from({ length: REPETITIONS }, repetition).sort((x, y) => x - y);
  return times[Math.floor(REPETITIONS / 2)];
}

setNumThreads(1);
const a = ones([16]);
const b = ones([16]);
const us = microseconds(a, b);
const usWithGrad = microseconds(a.requiresGrad_(), b);
console.log(JSON.stringify({ bench: "add", us, usWithGrad }));
