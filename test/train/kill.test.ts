/** `kill -9` at moments of a run: what stands is whole, and the run goes on to the end it would have had. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { Random } from "../../src/base/random";
import { SafetensorsFile } from "../../src/models";
import { ReferenceCache } from "../../src/preference";

const root = mkdtempSync(join(tmpdir(), "smaug-kill-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** How many moments; a long trial by hand sets more. */
const KILLS = Number(process.env["SMAUG_KILLS"] ?? 6);

interface Run {
  readonly child: ChildProcess;
  /** Fulfilled when it has begun, and when it is gone. */
  readonly begun: Promise<void>;
  readonly ended: Promise<void>;
}

function start(outputDir: string, cache: string): Run {
  const program = join(__dirname, "programs", "train.ts");
  const register = join(__dirname, "..", "setup", "typescript.cjs");
  // Threads of OpenMP wait for each other by spinning: on a busy machine that takes more time than the work.
  const env = { ...process.env, OMP_NUM_THREADS: "1" };
  const child = spawn(process.execPath, ["--require", register, program, outputDir, cache], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  return {
    child,
    begun: new Promise((resolve) => child.stdout.once("data", () => resolve())),
    ended: new Promise((resolve) => child.once("close", () => resolve())),
  };
}

/** Every visible JSON and safetensors file is whole. */
function expectWhole(folder: string): void {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (path.split("/").some((part) => part.startsWith(".") && part !== "." && part !== "..") || !entry.isFile()) continue;
    if (path.endsWith(".json")) expect(() => JSON.parse(readFileSync(path, "utf8")) as unknown, path).not.toThrow();
    if (path.endsWith(".safetensors")) expect(() => new SafetensorsFile(path), path).not.toThrow();
  }
}

const history = (folder: string) => {
  const { log_history: lines } = JSON.parse(readFileSync(join(folder, "trainer_state.json"), "utf8")) as {
    log_history: Record<string, number>[];
  };
  return lines.filter((line) => "loss" in line).map(({ step, loss, grad_norm }) => ({ step, loss, grad_norm }));
};

test(
  "a run that is killed again and again ends as one that never was",
  async () => {
    const cache = join(root, "cache");
    const whole = join(root, "whole");
    const first = start(whole, join(root, "other-cache"));
    await first.begun;
    const from = performance.now();
    await first.ended;
    const length = performance.now() - from;

    const random = new Random(Date.now() % 1e6, "kills");
    const killed = join(root, "killed");
    for (let kill = 0; kill < KILLS; kill++) {
      const { child, begun, ended } = start(killed, cache);
      await begun;
      await new Promise((resolve) => setTimeout(resolve, (random.integer(0, 1000) / 1000) * length * 0.6));
      child.kill("SIGKILL");
      await ended;
      expectWhole(killed);
      await (await ReferenceCache.open(cache)).close(); // opens: it is whole
    }
    await start(killed, cache).ended;
    expectWhole(killed);
    expect(history(killed)).toEqual(history(whole));
    const weights = (folder: string) => readFileSync(join(folder, "adapter_model.safetensors"));
    expect(weights(killed).equals(weights(whole))).toBe(true);
    expect(readdirSync(killed).filter((name) => name.startsWith("."))).toEqual([]);
  },
  60_000 + 10_000 * KILLS,
);
