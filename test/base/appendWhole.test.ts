import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

const root = mkdtempSync(join(tmpdir(), "smaug-append-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("appends nothing when only a part fits", () => {
  const file = join(root, "log");
  writeFileSync(file, "x".repeat(900));
  const append = (bytes: number, limit: string): unknown => {
    const register = join(__dirname, "..", "setup", "typescript.cjs");
    const command = `ulimit -f ${limit}; ${process.execPath} --require ${register} ${join(__dirname, "programs", "append.ts")} ${file} ${bytes}`;
    return JSON.parse(/^report: (.*)$/m.exec(spawnSync("bash", ["-c", command], { encoding: "utf8" }).stdout)![1]!);
  };
  expect(append(10, "unlimited")).toEqual({ size: 910 });
  expect(append(500, "1")).toEqual({ code: "EFBIG", size: 910 }); // 1024 bytes
  expect(append(500, "unlimited")).toEqual({ size: 1410 });
});
