/** A hub of its own and an empty cache for a test. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished, vi } from "vitest";
import { HubServer } from "./server";

/** Starts a hub and points the environment at it and at an empty cache. */
export async function freshHub(): Promise<{ hub: HubServer; cache: string }> {
  const hub = await HubServer.start();
  const home = mkdtempSync(join(tmpdir(), "smaug-hub-"));
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(home, { recursive: true, force: true });
  });
  for (const name of Object.keys(process.env)) if (/^(HF|HUGGING|TRANSFORMERS)_/.test(name)) vi.stubEnv(name, undefined);
  vi.stubEnv("HF_HOME", home);
  vi.stubEnv("HF_ENDPOINT", hub.url);
  vi.stubEnv("HF_HUB_DISABLE_PROGRESS_BARS", "1");
  return { hub, cache: join(home, "hub") };
}

export const text = (...path: string[]) => readFileSync(join(...path), "utf8");

/** What goes to stderr. */
export function listenToStderr(): () => string {
  const spy = vi.spyOn(process.stderr, "write").mockImplementation(() => true);
  onTestFinished(() => spy.mockRestore());
  return () => spy.mock.calls.map(([chunk]) => String(chunk)).join("");
}

/** Reproducible bytes that do not compress. */
export function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0, state = 1; i < length; i++) bytes[i] = (state = (state * 48271) % 2147483647) >> 8;
  return bytes;
}
