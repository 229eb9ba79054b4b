import { homedir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hubSettings } from "../../src/hub/http";
import { parseName } from "../../src/hub/request";
import { temporaryFolder, writeTree } from "../native/fixtures";

test.each([
  ["gpt2", { id: "gpt2", revision: undefined }],
  ["owner/name", { id: "owner/name", revision: undefined }],
  ["Qwen/Qwen2.5-0.5B_x", { id: "Qwen/Qwen2.5-0.5B_x", revision: undefined }],
  ["owner/name@v1.0", { id: "owner/name", revision: "v1.0" }],
  ["owner/name@refs/pr/1", { id: "owner/name", revision: "refs/pr/1" }],
])("%s is on the hub", (name, expected) => expect(parseName(name)).toEqual(expected));

test.each([
  "./name",
  "../a/b",
  "/a/b",
  "a/b/c",
  "models/",
  "pairs.jsonl",
  "data/pairs.Jsonl.GZ",
  "pairs.ndjson",
  "data/x.parquet",
  "models/x.Q8_0.gguf",
  ".",
])("%s is a path", (name) => expect(parseName(name)).toEqual({ path: name }));

test("what is there on the disk is a path, and ~ is the user's folder", () => {
  const folder = temporaryFolder();
  expect(parseName(folder)).toEqual({ path: folder });
  expect(parseName("src/hub")).toEqual({ path: "src/hub" });
  expect(parseName("~/models/x")).toEqual({ path: join(homedir(), "models/x") });
});

test.each(["", "a b", "owner/na me", "-x", "x-", "a--b", "a..b", "owner/x.git", "größe", "x".repeat(97)])(
  "%j is neither",
  (name) =>
    expect(() => parseName(name)).toThrow(
      `Expected an existing folder, or a hub id such as owner/name, but received ${JSON.stringify(name)}`,
    ),
);

test.each(["", "../x", "a/../b", "/x", "x/", "a//b", ".x", "a b", "x\n", "a~1", "x.lock", "a:b", "@{u}"])(
  "%j is no revision",
  (revision) => expect(() => parseName("owner/name", revision)).toThrow(/Expected a branch, a tag or a commit for/),
);

test("two revisions have to agree", () => {
  expect(parseName("owner/name@a", "a")).toEqual({ id: "owner/name", revision: "a" });
  expect(() => parseName("owner/name@a", "b")).toThrow("Expected one revision of owner/name but received 'a' and 'b'");
});

test("the environment means what it means to huggingface_hub", () => {
  const bare = hubSettings({ HOME: "/home/u" });
  expect(bare).toEqual({
    endpoint: "https://huggingface.co",
    cache: "/home/u/.cache/huggingface/hub",
    token: undefined,
    offline: undefined,
    showProgress: true,
  });
  const cache = (env: Record<string, string>) => hubSettings({ HOME: "/home/u", ...env }).cache;
  expect(cache({ XDG_CACHE_HOME: "/c" })).toBe("/c/huggingface/hub");
  expect(cache({ XDG_CACHE_HOME: "/c", HF_HOME: "~/hf" })).toBe("/home/u/hf/hub");
  expect(cache({ HF_HOME: "/hf", HUGGINGFACE_HUB_CACHE: "/old" })).toBe("/old");
  expect(cache({ HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "/new" })).toBe("/new");

  const home = writeTree(temporaryFolder(), { token: " from-file\n", other: "from-other" });
  const token = (env: Record<string, string>) => hubSettings({ HF_HOME: home, ...env }).token;
  expect(token({})).toBe("from-file");
  expect(token({ HF_TOKEN_PATH: join(home, "other") })).toBe("from-other");
  expect(token({ HF_TOKEN: "from-env" })).toBe("from-env");
  expect(token({ HF_TOKEN: "from-env", HF_HUB_DISABLE_IMPLICIT_TOKEN: "YES" })).toBeUndefined();

  expect(hubSettings({ HF_ENDPOINT: "https://mirror.example/" }).endpoint).toBe("https://mirror.example");
  expect(hubSettings({ HF_HUB_OFFLINE: "true" }).offline).toBe("HF_HUB_OFFLINE");
  expect(hubSettings({ HF_HUB_OFFLINE: "0", TRANSFORMERS_OFFLINE: "1" }).offline).toBe("TRANSFORMERS_OFFLINE");
  expect(hubSettings({ HF_HUB_DISABLE_PROGRESS_BARS: "1" }).showProgress).toBe(false);
});
