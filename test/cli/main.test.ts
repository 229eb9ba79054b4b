import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { packageRoot, packageVersion } from "../../src/base/package";

const main = join(packageRoot, "dist/cli/main.js");

function smaug(args: string[], env: NodeJS.ProcessEnv = {}) {
  const options = { encoding: "utf8", env: { ...process.env, DEBUG: "", ...env } } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], options);
  return { status, stdout, stderr };
}

test("--version and --help", () => {
  expect(smaug(["--version"])).toEqual({ status: 0, stdout: `${packageVersion()}\n`, stderr: "" });
  expect(smaug(["--help"])).toMatchObject({ status: 0, stdout: expect.stringMatching(/setup[^]*doctor[^]*Example:/) });
});

test("every command's help has an example", () => {
  const commands = [...smaug(["--help"]).stdout.matchAll(/^ {2}(\w+) (?=.*\s{2}\w)/gm)].map(([, name]) => name!);
  expect(commands).toEqual(expect.arrayContaining(["setup", "doctor"]));
  for (const name of commands.filter((each) => each !== "help"))
    expect(smaug([name, "--help"])).toMatchObject({ status: 0, stdout: expect.stringContaining(`$ smaug ${name}`) });
});

test("help names a command and its options", () => {
  expect(smaug(["help", "merge"])).toEqual(smaug(["merge", "--help"]));
});

describe("bad usage ends with 2 and one message", () => {
  test.each([
    [["nonsense"], /unknown command 'nonsense'/],
    [["doctor", "--jsn"], /unknown option '--jsn'[^]*smaug doctor --help/],
    [["doctor", "extra"], /too many arguments/],
    [["setup", "--libtorch"], /argument missing/],
    [["setup", "--libtorch", "/nowhere"], /Expected libtorch 2\.11 to 2\.14 but received \/nowhere: no such folder/],
    [[], /Usage: smaug/],
  ])("smaug %j", (args, message) => {
    expect(smaug(args)).toEqual({ status: 2, stdout: "", stderr: expect.stringMatching(message) });
  });
});

describe("doctor", () => {
  test("prints the table and ends with 0", () => {
    const table = expect.stringMatching(/ok {2}cpu .*GFLOP/);
    expect(smaug(["doctor"])).toEqual({ status: 0, stderr: "", stdout: table });
  });

  test("prints JSON", () => {
    const { status, stdout } = smaug(["doctor", "--json"]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, smaug: packageVersion(), checks: expect.any(Array) });
  });

  test("works where libtorch does not load, and ends with 1", () => {
    const { status, stdout, stderr } = smaug(["doctor", "--json"], { LIBTORCH: "/nowhere" });
    expect({ status, stderr }).toEqual({ status: 1, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, libtorch: null });
    const table = smaug(["doctor"], { LIBTORCH: "/nowhere" }).stdout;
    expect(table).toMatch(/!! {2}libtorch .*\n +-> unset LIBTORCH; npx smaug setup/);
  });
});

test("a failure is one message on standard error, with the stack only under DEBUG", () => {
  const env = { LIBTORCH: "/nowhere" };
  const message = /^error: expected libtorch 2\.11 to 2\.14\n {2}LIBTORCH: \/nowhere: no such folder\n {2}-> .*\n$/;
  expect(smaug(["setup"], env)).toEqual({ status: 1, stdout: "", stderr: expect.stringMatching(message) });
  expect(smaug(["setup"], { ...env, DEBUG: "1" }).stderr).toMatch(/SetupError: [^]*\n +at /);
});

test("what cannot be printed is an error without a stack, and a message that cannot be printed changes no exit code", () => {
  const shell = (script: string) => {
    const { status, stdout, stderr } = spawnSync("bash", ["-c", `set -o pipefail; ${script}`], {
      encoding: "utf8",
      env: { ...process.env, DEBUG: "", SMAUG: `${process.execPath} ${main}` },
    });
    return { status, stdout, stderr };
  };
  const full = "error: Expected to write the result to standard output but received: ENOSPC: no space left on device, write\n";
  for (const command of ["--help", "doctor", "doctor --json"])
    expect(shell(`$SMAUG ${command} >/dev/full`)).toEqual({ status: 1, stdout: "", stderr: full });
  for (const closed of ["2>/dev/full", "2>&-"])
    expect(shell(`$SMAUG nonsense ${closed}`)).toEqual({ status: 2, stdout: "", stderr: "" });
  expect(shell("$SMAUG --help | head -c 5")).toEqual({ status: 0, stdout: "Usage", stderr: "" });
});
