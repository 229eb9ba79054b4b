import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { examine, locate } from "../../src/native/setup/locate";
import { fakeLibtorch, temporaryFolder, writeTree } from "./fixtures";

/** An environment whose cache folder says that setup chose `folder`. */
function chosen(folder: string) {
  const cache = temporaryFolder();
  writeTree(cache, { "smaug/libtorch.json": JSON.stringify({ folder }) });
  return { XDG_CACHE_HOME: cache };
}

describe("the order of search", () => {
  const everywhere = () => {
    const [asked, named, earlier, python, system] = Array.from({ length: 5 }, () => fakeLibtorch("2.13.0")) as [
      string,
      string,
      string,
      string,
      string,
    ];
    const env = { ...chosen(earlier), LIBTORCH: named };
    return { asked, env, earlier, named, python: () => python, system: [system] };
  };

  test("the folder asked for comes first", () => {
    const options = everywhere();
    expect(locate(options).libtorch).toMatchObject({ folder: options.asked, source: "--libtorch" });
  });

  test("then LIBTORCH", () => {
    const options = { ...everywhere(), asked: undefined };
    expect(locate(options).libtorch).toMatchObject({ folder: options.named, source: "LIBTORCH" });
  });

  test("then what setup chose, and Python is not run", () => {
    const { env, earlier, system } = everywhere();
    const python = () => expect.unreachable();
    expect(locate({ env: { ...env, LIBTORCH: "" }, python, system }).libtorch).toMatchObject({ folder: earlier });
  });

  test("then Python's torch, then the system", () => {
    const { python, system } = everywhere();
    const env = { HOME: temporaryFolder() };
    expect(locate({ env, python, system }).libtorch).toMatchObject({ folder: python(), source: "Python's torch" });
    expect(locate({ env, system }).libtorch).toMatchObject({ folder: system[0], source: "system" });
    expect(locate({ env, system: [] })).toEqual({ rejected: [] });
  });

  test("HOME holds the choice when XDG_CACHE_HOME is not set", () => {
    const folder = fakeLibtorch("2.12.0");
    const home = writeTree(temporaryFolder(), { ".cache/smaug/libtorch.json": JSON.stringify({ folder }) });
    expect(locate({ env: { HOME: home }, system: [] }).libtorch?.folder).toBe(folder);
  });
});

describe("what does not fit", () => {
  test("LIBTORCH is an order: nothing else is tried", () => {
    const env = { ...chosen(fakeLibtorch("2.13.0")), LIBTORCH: "/nowhere" };
    expect(locate({ env, system: [] })).toEqual({
      rejected: [{ folder: "/nowhere", source: "LIBTORCH", reason: "no such folder" }],
    });
  });

  test("a choice that has gone is passed over", () => {
    const python = fakeLibtorch("2.13.0");
    const { libtorch, rejected } = locate({ env: chosen("/gone"), python: () => python, system: [] });
    expect(libtorch?.folder).toBe(python);
    expect(rejected).toEqual([{ folder: "/gone", source: "chosen by setup", reason: "no such folder" }]);
  });

  test.each<[string, (file: string) => void]>([
    ["is not JSON", (file) => writeFileSync(file, "{")],
    ["is binary", (file) => writeFileSync(file, Buffer.from([0xff, 0, 0xfe, 1]))],
    ["is nested without end", (file) => writeFileSync(file, "[".repeat(200_000) + "]".repeat(200_000))],
    ["holds null", (file) => writeFileSync(file, "null")],
    ["names no folder", (file) => writeFileSync(file, '{"folder": 7}')],
    ["is too large", (file) => writeFileSync(file, `{"folder": "${"x".repeat(2 ** 20)}"}`)],
    ["is a FIFO", (file) => execFileSync("mkfifo", [file])],
    ["is a device", (file) => symlinkSync("/dev/zero", file)],
    ["is a folder", (file) => mkdirSync(file)],
  ])("a choice file that %s counts as none", (_, make) => {
    const cache = writeTree(temporaryFolder(), { "smaug/other": "" });
    make(join(cache, "smaug/libtorch.json"));
    expect(locate({ env: { XDG_CACHE_HOME: cache }, system: [] })).toEqual({ rejected: [] });
  });

  test.each([
    ["/dev/zero", "not a folder"],
    ["/dev/null/x", "ENOTDIR"],
    [`/${"x".repeat(300)}`, "ENAMETOOLONG"],
    ["/x\0y", "null bytes"],
  ])("%s is refused with the reason", (folder, reason) => {
    expect(examine(folder)).toContain(reason);
  });

  test("version files that are not regular files are ignored", () => {
    const folder = writeTree(temporaryFolder(), { "lib/libtorch_cpu.so.2.13": "" });
    execFileSync("mkfifo", [join(folder, "version.py")]);
    symlinkSync("/dev/zero", join(folder, "build-version"));
    expect(examine(folder)).toMatchObject({ version: "2.13" });
  });

  test.each(["1.13.1", "2.10.0+cu128", "2.15.0", "3.11.0"])("libtorch %s is refused with its version", (version) => {
    expect(examine(fakeLibtorch(version))).toBe(`libtorch ${version}`);
  });

  test.each(["2.11.0+cu130", "2.12.1", "2.13.0+cpu", "2.14.0a0+git1"])("libtorch %s fits", (version) => {
    expect(examine(fakeLibtorch(version))).toMatchObject({ version, minor: version.slice(0, 4) });
  });

  test("an empty folder, a lib that is a file, and no version", () => {
    expect(examine(temporaryFolder())).toBe("no lib/libtorch_cpu.so in it");
    expect(examine(writeTree(temporaryFolder(), { lib: "" }))).toBe("no lib/libtorch_cpu.so in it");
    expect(examine(writeTree(temporaryFolder(), { "lib/libtorch_cpu.so": "" }))).toContain("version cannot be read");
  });
});

describe("what a folder says of itself", () => {
  const bare = (files: Record<string, string>) => examine(writeTree(temporaryFolder(), { "lib/libtorch_cpu.so": "", ...files }));
  const header = "#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 12\n#define TORCH_VERSION_PATCH 1\n";

  test("a wheel writes version.py", () => {
    expect(bare({ "version.py": "__all__ = ['__version__']\n__version__ = '2.13.0+cpu'\n" })).toMatchObject({
      version: "2.13.0+cpu",
      cuda: false,
    });
  });

  test.each(["torch/headeronly/version.h", "torch/csrc/api/include/torch/version.h"])("headers write %s", (file) => {
    expect(bare({ [`include/${file}`]: header })).toMatchObject({ version: "2.12.1", minor: "2.12" });
  });

  test("a distribution writes it behind the library's name, in its own folder", () => {
    const folder = writeTree(temporaryFolder(), { "lib/x86_64-linux-gnu/libtorch_cpu.so.2.14": "" });
    expect(examine(folder)).toMatchObject({ version: "2.14", libraries: join(folder, "lib/x86_64-linux-gnu") });
  });

  test("libtorch_cuda makes it one for CUDA", () => {
    expect(examine(fakeLibtorch("2.11.0+cu130", { "lib/libtorch_cuda.so": "" }))).toMatchObject({ cuda: true });
  });

  test("a folder that was moved is found under its new name", () => {
    const folder = fakeLibtorch("2.13.0");
    const moved = join(temporaryFolder(), "moved");
    renameSync(folder, moved);
    expect(examine(folder)).toBe("no such folder");
    expect(examine(moved)).toMatchObject({ folder: moved });
  });
});
