/** Resident memory over a training loop, in a process of its own. */
import { expect, test } from "vitest";
import { reportOf } from "../setup/program";

interface Residence {
  /** MB after step 100, and the most at any later look. */
  early: number;
  most: number;
  /** Handles and MB at the end. */
  tensors: number;
  live: number;
}

const program = new URL("programs/resident.ts", import.meta.url);

test("stays flat over 1,000 training steps in a plain loop", async () => {
  const { early, most, tensors, live } = await reportOf<Residence>(program, { args: ["tidy"] });
  expect(most).toBeLessThan(1.1 * early);
  expect(tensors).toBe(21 + 1 + 3 * 21); // parameters and a buffer; step and two means for each parameter
  expect(live).toBeLessThan(2);
});

test("stays bounded without scopes when the loop yields to the event loop", async () => {
  const { early, most } = await reportOf<Residence>(program, { args: ["yield"] });
  expect(most).toBeLessThan(1.25 * early);
});
