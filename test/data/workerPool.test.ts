import { expect, test } from "vitest";
import { reportOf } from "../setup/program";

test("two threads make the same as one, in order; a thread's failure is the call's", async () => {
  const program = new URL("./programs/tokenizeInWorkers.ts", import.meta.url);
  expect(await reportOf(program)).toEqual({
    equal: true,
    counts: [1714, 286, expect.any(Number)], // every seventh row has an empty answer
    workers: 2,
    calls: 8, // chunks of 256 rows
    last: 2000,
    numbers: "20.0;a<eos>b<eos>",
    failure: "Expected a tokenizer.json in 'FOLDER' but received none, nor any other tokenizer",
  });
});
