import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { packageRoot } from "../../src/base/package";
import { type DoctorReport, diagnose } from "../../src/native/setup/doctor";
import { hostChecks, isOlder } from "../../src/native/setup/host";
import { type Check, formatChecks, hasProblem } from "../../src/native/setup/report";
import { crashingLibtorch, fakeLibtorch, packageFolder, programs, realLibtorch, temporaryFolder } from "./fixtures";

describe("diagnose", () => {
  test("a working set-up: every check fine, a product on the CPU", () => {
    const { folder, version } = realLibtorch();
    const { ok, libtorch, checks } = diagnose({ ...process.env, LIBTORCH: folder });
    expect(checks.filter(({ status }) => status === "problem")).toEqual([]);
    expect(ok).toBe(true);
    expect(libtorch).toMatchObject({ version, folder });
    expect(checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["Node", "platform", "libtorch", "addon", "C++ ABI", "cpu", "compiler", "CMake", "pip"]),
    );
    expect(checks.find(({ name }) => name === "cpu")!.found).toMatch(/^\d+ GFLOP\/s in float32$/);
  });

  test("without an addon, a missing compiler is a problem of its own", () => {
    const env = { LIBTORCH: fakeLibtorch("2.12.0"), PATH: temporaryFolder() };
    const { ok, checks } = diagnose(env, packageFolder());
    expect(ok).toBe(false);
    expect(checks.filter(({ status }) => status === "problem").map(({ name }) => name)).toEqual([
      "addon",
      "compiler",
      "CMake",
      "make",
    ]);
  });

  test("with one, it is not", () => {
    const { folder } = realLibtorch();
    const { ok, checks } = diagnose({ LIBTORCH: folder, PATH: temporaryFolder() }, packageFolder());
    expect(ok).toBe(true);
    expect(checks.find(({ name }) => name === "compiler")).toMatchObject({ found: "none", status: "note" });
  });
});

describe("doctor --json", () => {
  const doctor = (LIBTORCH: string) => {
    const env = { ...process.env, LIBTORCH, PATH: programs() };
    return spawnSync(process.execPath, [join(packageRoot, "dist/cli/main.js"), "doctor", "--json"], { env, encoding: "utf8" });
  };

  test("reports a libtorch that ends the process that opens it", () => {
    const folder = crashingLibtorch();
    const { stdout, status } = doctor(folder);
    expect(status).toBe(1);
    const { ok, libtorch, checks } = JSON.parse(stdout) as DoctorReport;
    expect({ ok, libtorch }).toMatchObject({ ok: false, libtorch: { folder } });
    expect(checks.at(-1)).toMatchObject({
      name: "libraries",
      status: "problem",
      found: expect.stringMatching(/^opening them ended the process: SIG/),
      fix: expect.stringContaining("unset LIBTORCH"),
    });
  });

  test.each(["/dev/zero", "", "fifo"])("is JSON when LIBTORCH is '%s'", (name) => {
    const folder = temporaryFolder();
    if (name === "fifo") execFileSync("mkfifo", [join(folder, name)]);
    const { stdout, status } = doctor(name.startsWith("/") ? name : join(folder, name));
    expect(status).toBe(1);
    expect((JSON.parse(stdout) as DoctorReport).checks).toContainEqual(
      expect.objectContaining({ name: "libtorch", status: "problem" }),
    );
  });
});

describe("the table", () => {
  const check = (status: Check["status"], found: string): Check => ({
    name: "libtorch",
    found,
    expected: "2.13",
    status,
    ...(status === "problem" && { fix: "npx smaug setup" }),
  });

  test("has a line per check and the way out below a problem", () => {
    expect(formatChecks([check("ok", "2.13.0"), check("problem", "none")])).toBe(
      [
        "    what      found   expected",
        "ok  libtorch  2.13.0  2.13",
        "!!  libtorch  none    2.13",
        "      -> npx smaug setup",
      ].join("\n"),
    );
  });

  test("only problems count as problems", () => {
    expect(hasProblem([check("ok", ""), check("note", "")])).toBe(false);
    expect(hasProblem([check("note", ""), check("problem", "")])).toBe(true);
  });
});

test("versions compare by number", () => {
  expect(isOlder("2.9", "2.28")).toBe(true);
  expect(isOlder("2.36", "2.28")).toBe(false);
  expect(isOlder("20.17.0", "20.17")).toBe(false);
  expect(isOlder("20.9.1", "20.17")).toBe(true);
  expect(isOlder("3", "2.28")).toBe(false);
  expect(isOlder("2", "2.28")).toBe(true);
});

test("this machine's Node and C library are read", () => {
  expect(hostChecks().map(({ found }) => found)).toEqual([
    `${process.versions.node}, Node-API ${process.versions.napi}`,
    expect.stringMatching(/^linux-x64, glibc \d+\.\d+/),
  ]);
});
