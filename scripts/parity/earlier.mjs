/**
 * Writes test/earlier: what a run of an earlier version left, which later versions must read. Run from the repository's
 * root, with a built checkout of commit 8c081a7:
 *
 *   node scripts/parity/earlier.mjs CHECKOUT
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [checkout] = process.argv.slice(2);
if (checkout === undefined) throw new Error("Expected the folder of a checkout but received none");

const folder = join("test", "earlier");
const run = join("runs", "earlier"); // relative, since trainer_state.json names it
const scratch = mkdtempSync(join(tmpdir(), "smaug-earlier-"));
try {
  const env = { ...process.env, XDG_CACHE_HOME: scratch, LIBTORCH: process.env.LIBTORCH ?? "", OMP_NUM_THREADS: "1" };
  const smaug = (...args) => {
    const { status } = spawnSync(process.execPath, [join(checkout, "dist", "cli", "main.js"), ...args], {
      stdio: "inherit",
      env,
    });
    if (status !== 0) throw new Error(`Expected smaug ${args[0]} to exit with 0 but received ${status}`);
  };
  smaug("train", join(folder, "run.yaml"), "--output_dir", run);
  for (const name of ["checkpoint-3", "adapter_config.json", "adapter_model.safetensors", "trainer_state.json"]) {
    const target = join(folder, "run", name);
    rmSync(target, { recursive: true, force: true });
    cpSync(join(run, name), target, { recursive: true });
  }
  rmSync(join(folder, "tokens"), { recursive: true, force: true });
  mkdirSync(join(folder, "tokens"), { recursive: true });
  const tokens = join(scratch, "smaug", "tokens");
  for (const name of readdirSync(tokens)) cpSync(join(tokens, name), join(folder, "tokens", name));
  const model = join("test", "parity", "score", "model");
  const data = join(folder, "pairs.jsonl");
  smaug("score", "--model", model, "--adapter", run, "--data", data, "--out", join(folder, "scores.jsonl"));
} finally {
  for (const each of [scratch, run]) rmSync(each, { recursive: true, force: true });
}
