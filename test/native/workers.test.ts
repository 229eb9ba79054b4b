import { expect, test } from "vitest";
import { reportOf, runProgram } from "../setup/program";

const program = new URL("programs/workers.ts", import.meta.url);
const scenario = <T>(name: string) => reportOf<T>(program, { args: [name] });

// Also the test of native/vectorMath.cc: without it, one in 13 cold starts gave a thread an inexact first tanh.
test("workers and the main thread train at the same time, each as if alone", async () => {
  const { own, others, left } = await scenario<{ own: number[]; others: number[][]; left: number }>("together");
  expect(own).toHaveLength(200);
  expect(own.at(-1)).toBeLessThan(own[0]! / 10);
  expect(others).toEqual([own, own, own]);
  expect(left).toBe(0);
});

test("grad mode belongs to the thread", async () => {
  expect(await scenario("gradMode")).toEqual({
    worker: { before: true, recorded: true, inside: false, after: true },
    main: true,
  });
});

test("the default generator is one for the process: a worker that seeds it seeds it for all", async () => {
  const { main, worker, next, continued } = await scenario<Record<"main" | "worker" | "next" | "continued", number[]>>("seeds");
  expect(worker).toEqual(main);
  expect(next).toEqual(continued);
});

test("a worker that ends with tensors alive and reads under way frees everything, however it ends", async () => {
  expect(await scenario("teardown")).toEqual({ ends: ["ended", "ended", { code: 7 }, { errors: ["mine"] }], left: 0 });
});

test("workers may be terminated in the middle of their work", async () => {
  expect(await scenario("terminate")).toEqual({ codes: Array(12).fill(1), left: 0, works: 5 });
});

test("the end of a worker's smaller stack is a RangeError", async () => {
  expect(await scenario("overflow")).toEqual({ error: "RangeError", works: 6 });
});

test("values are sent to another thread without a copy", async () => {
  expect(await scenario("sendBuffer")).toEqual([1, 1, 1]);
});

test("the addon may be loaded in workers only, and again when all of them are gone", async () => {
  expect(await scenario("onlyWorkers")).toEqual({ same: true, loaded: false });
});

test("twenty workers one after another do not add up", async () => {
  const { resident, left } = await scenario<{ resident: number[]; left: number }>("inSequence");
  expect(left).toBe(0);
  const [early, late] = [resident.slice(5, 10), resident.slice(15)].map((part) => Math.min(...part));
  expect(late! - early!).toBeLessThan(20); // MB; one worker's heap is more
});

test("the process exits while workers work and reads are under way", async () => {
  expect(await runProgram(program, { args: ["exit"] })).toMatchObject({ value: "leaving", code: 5, signal: null });
});
