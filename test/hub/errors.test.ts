import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { InputError } from "../../src/base/errors";
import { HubError, type HubReason, type ResolveOptions, resolveFolder } from "../../src/hub";
import { freshHub, noise } from "./fixtures";
import { commit, gitSha1, sha256 } from "./server";

vi.mock("node:fs/promises", async (original) => ({ ...(await original<typeof fs>()) }));

const model = { "config.json": "{}", "model.safetensors": noise(100_000) };

/** The error that a name comes to, of that reason. */
async function fault(name: string, reason: HubReason, options: ResolveOptions = {}): Promise<string> {
  const error: unknown = await resolveFolder(name, options).then(
    (folder) => expect.fail(`received ${folder}`),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(HubError);
  expect(error).toBeInstanceOf(InputError);
  expect((error as HubError).reason, (error as HubError).message).toBe(reason);
  return (error as HubError).message;
}

describe("the hub says no", () => {
  test("to a repository that is not there", async () => {
    const { hub } = await freshHub();
    const missing =
      "Expected an existing folder, or a model on the hub, but received 'owner/no': " + `${hub.url}/owner/no is not there`;
    expect(await fault("owner/no", "not-found")).toBe(
      `${missing} (HTTP 401), or not for everyone. If it is private or gated, set HF_TOKEN to a token that may read it`,
    );
    vi.stubEnv("HF_TOKEN", "secret");
    expect(await fault("owner/no", "not-found")).toBe(
      `${missing} (HTTP 404), or not for everyone. If it is private or gated, the token in use may not read it`,
    );
    expect(await fault("owner/no", "not-found", { kind: "dataset" })).toContain(`a dataset on the hub`);
  });

  test("to a revision that is not there", async () => {
    const { hub } = await freshHub();
    hub.add("models/owner/tiny", model);
    for (const revision of ["v9", commit("ff")])
      expect(await fault(`owner/tiny@${revision}`, "revision")).toBe(
        `Expected a branch, a tag or a commit of ${hub.url}/owner/tiny but received '${revision}': there is none`,
      );
    // What is in the cache is of another revision.
    await resolveFolder("owner/tiny");
    await fault("owner/tiny@v9", "revision");
  });

  test("to those without access to a gated one, and says where to ask", async () => {
    const { hub } = await freshHub();
    hub.add("models/owner/tiny", model).gated = "good";
    expect(await fault("owner/tiny", "refused")).toBe(
      "The hub does not give out owner/tiny (HTTP 401): it is gated or private. Ask for access, or accept its " +
        `conditions, at ${hub.url}/owner/tiny, then set HF_TOKEN to a token of that account`,
    );
    vi.stubEnv("HF_TOKEN", "other");
    expect(await fault("owner/tiny", "refused")).toMatch(/\(HTTP 403\).*; the token in use may not read it$/);
    vi.stubEnv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
    expect(await fault("owner/tiny", "refused")).toContain("HTTP 401");
  });

  test("to a token that is none", async () => {
    const { hub } = await freshHub();
    hub.intercept = (_, response) => Boolean(response.writeHead(401, { "x-error-message": "Invalid credentials" }).end());
    vi.stubEnv("HF_TOKEN", "old");
    expect(await fault("owner/tiny", "refused")).toBe(
      `The hub does not accept the token in use (HTTP 401). Set HF_TOKEN to a valid one to read ${hub.url}/owner/tiny`,
    );
  });
});

describe("nobody to ask", () => {
  test("offline, and not in the cache", async () => {
    const { hub, cache } = await freshHub();
    hub.add("models/owner/tiny", model);
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await fault("owner/tiny", "offline")).toBe(
      "Expected an existing folder, or a model on the hub, but received 'owner/tiny': there is no such folder, and " +
        `the hub is not contacted, since HF_HUB_OFFLINE is set; it is not in the cache ${cache} either`,
    );
    expect(hub.log).toEqual([]);
  });

  test("offline, and only in part in the cache", async () => {
    const { hub } = await freshHub();
    hub.add("models/owner/tiny", { ...model, "tokenizer.json": "{}" });
    await resolveFolder("owner/tiny", { files: "tokenizer" });
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    await resolveFolder("owner/tiny", { files: "tokenizer" });
    expect(await fault("owner/tiny", "offline")).toMatch(
      /only a part of it is there\. Expected \*\.safetensors in owner\/tiny but received tokenizer\.json$/,
    );
  });

  test("offline, and a link leads to a blob that is gone", async () => {
    const { hub, cache } = await freshHub();
    hub.add("models/owner/tiny", model);
    const folder = await resolveFolder("owner/tiny");
    const blob = join(cache, "models--owner--tiny/blobs", gitSha1("{}"));
    rmSync(blob);
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await fault("owner/tiny", "offline")).toContain(
      `${folder}/config.json leads to nothing: ${blob} is gone. Fetch it again with the hub in reach`,
    );
  });

  test("the hub out of reach, and nothing in the cache", async () => {
    const { hub } = await freshHub();
    hub.stop();
    expect(await fault("owner/tiny", "unreachable")).toMatch(
      /but received 'owner\/tiny': there is no such folder, and the hub cannot be reached \(http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/,
    );
  });

  test("a server that is no hub", async () => {
    const { hub } = await freshHub();
    hub.intercept = (_, response) => Boolean(response.end("<html>Please log in to this network</html>"));
    expect(await fault("owner/tiny", "unreachable")).toMatch(
      /no such folder, and the hub cannot be reached \(http:\/\/127\.0\.0\.1:\d+ does not answer as a Hugging Face hub does: .*not valid JSON/,
    );
  });
});

describe("what cannot be trusted", () => {
  test("bytes that differ from what was announced are removed", async () => {
    const { hub, cache } = await freshHub();
    hub.add("models/owner/tiny", model);
    const wrong = Buffer.from(model["model.safetensors"]);
    wrong[5000]! ^= 1;
    hub.intercept = (_, response, { cdn }) => cdn && Boolean(response.end(wrong));
    expect(await fault("owner/tiny", "corrupt")).toBe(
      `Expected the digest ${sha256(model["model.safetensors"])} for model.safetensors of ${hub.url}/owner/tiny but ` +
        `received bytes with ${sha256(wrong)}; they are removed. ` +
        "Try again; if it stays so, the server or a proxy changes the file",
    );
    expect(readdirSync(join(cache, "models--owner--tiny/blobs"))).toEqual([gitSha1("{}")]);

    hub.intercept = (_, response, { path }) => path.endsWith("config.json") && Boolean(response.end("[]"));
    rmSync(join(cache, "models--owner--tiny"), { recursive: true });
    expect(await fault("owner/tiny", "corrupt")).toContain(`Expected the digest ${gitSha1("{}")} for config.json`);
  });

  test.each([
    ["a path out of the folder", { path: "../../x.json" }],
    ["an absolute path", { path: "/etc/passwd" }],
    ["a digest that is a path", { oid: "../../../x" }],
    ["a size that is none", { size: -1 }],
  ])("%s in the hub's answer", async (_, change) => {
    const { hub, cache } = await freshHub();
    hub.add("models/owner/tiny", model);
    hub.intercept = (_, response, { path }) => {
      if (!path.includes("/tree/")) return false;
      const entry = { type: "file", path: "config.json", size: 2, oid: gitSha1("{}"), ...change };
      return Boolean(response.end(JSON.stringify([entry])));
    };
    expect(await fault("owner/tiny", "unreachable")).toContain("does not answer as a Hugging Face hub does");
    expect(() => readdirSync(cache)).toThrow("ENOENT");
  });

  test("a commit that is a path", async () => {
    const { hub } = await freshHub();
    hub.intercept = (_, response) => Boolean(response.end(JSON.stringify({ id: "owner/tiny", sha: "../x" })));
    expect(await fault("owner/tiny", "unreachable")).toContain("'../x' for a commit");
  });
});

describe("the disk", () => {
  test("without room is found before anything is fetched", async () => {
    const { hub } = await freshHub();
    hub.add("models/owner/tiny", model);
    const statfs = vi.spyOn(fs, "statfs").mockResolvedValue({ bavail: 10, bsize: 4096, blocks: 100 } as never);
    onTestFinished(() => statfs.mockRestore());
    expect(await fault("owner/tiny", "disk")).toMatch(
      /^Expected 100 kB of free disk space for owner\/tiny in .*blobs but there are 41\.0 kB\. Set HF_HUB_CACHE/,
    );
    expect(hub.downloads()).toEqual([]);
  });

  test("that fills up while fetching ends the run, and what has come stays", async () => {
    const { hub, cache } = await freshHub();
    hub.add("models/owner/tiny", model);
    const handle = await fs.open(process.execPath);
    const prototype = Object.getPrototypeOf(handle) as fs.FileHandle;
    await handle.close();
    const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { syscall: "write" });
    const real = prototype.write as (this: fs.FileHandle, ...args: unknown[]) => Promise<{ bytesWritten: number }>;
    const config = join(cache, "models--owner--tiny/blobs", gitSha1("{}"));
    const write = vi.spyOn(prototype, "write").mockImplementation(function (this: fs.FileHandle, ...args: unknown[]) {
      if (Number(args[3]) === 0) return real.apply(this, args);
      // The other file has come by then: they are fetched at the same time.
      return vi.waitUntil(() => existsSync(config), { timeout: 10_000 }).then(() => Promise.reject(full));
    } as never);
    onTestFinished(() => write.mockRestore());
    expect(await fault("owner/tiny", "disk")).toBe(
      `owner/tiny cannot be kept in the cache ${cache} (HF_HUB_CACHE or HF_HOME move it): ${full.message}`,
    );
    write.mockRestore();
    const blobs = readdirSync(join(cache, "models--owner--tiny/blobs"));
    expect(blobs.sort()).toEqual([gitSha1("{}"), `${sha256(model["model.safetensors"])}.incomplete`].sort());
    await resolveFolder("owner/tiny");
  });

  test("where the cache cannot be made", async () => {
    const { hub, cache } = await freshHub();
    hub.add("models/owner/tiny", model);
    writeFileSync(cache, "a file");
    expect(await fault("owner/tiny", "disk")).toMatch(/^owner\/tiny cannot be kept in the cache .*: ENOTDIR/);
  });
});

describe("a repository that cannot be used", () => {
  test("has its weights in files that can run code", async () => {
    const { hub } = await freshHub();
    hub.add("models/owner/old", { "config.json": "{}", "pytorch_model.bin": "pickle", "training_args.bin": "pickle" });
    expect(await fault("owner/old@main", "unusable")).toBe(
      "Expected *.safetensors in owner/old@main but received only pytorch_model.bin: " +
        "such a file can run code when it is opened. Convert it, if you trust it, with\n" +
        '  python -c "from transformers import AutoModelForCausalLM as M; ' +
        "M.from_pretrained('owner/old', revision='main', dtype='auto').save_pretrained('old')\"",
    );
    expect(hub.downloads()).toEqual([]);
    hub.add("models/owner/lora", { "adapter_config.json": "{}", "adapter_model.bin": "pickle" });
    expect(await fault("owner/lora", "unusable", { files: "adapter" })).toMatch(
      /^Expected adapter_model\.safetensors in owner\/lora but received only adapter_model\.bin: .*\n.*save_file\(/,
    );
  });

  test("has no weights at all, or nothing that was asked for", async () => {
    const { hub } = await freshHub();
    hub.add("models/owner/empty", { "README.md": "soon" });
    expect(await fault("owner/empty", "unusable")).toBe("Expected *.safetensors in owner/empty but received README.md");
    expect(await fault("owner/empty", "unusable", { files: ["*.gguf"] })).toBe(
      "Expected files like *.gguf in owner/empty but received README.md",
    );
    hub.add("datasets/owner/empty", {});
    expect(await fault("owner/empty", "unusable", { kind: "dataset" })).toBe(
      "Expected files like *.jsonl, *.jsonl.gz, *.ndjson, *.json, *.json.gz, *.parquet, README.md in owner/empty but received nothing",
    );
  });

  test("has several GGUF models, until one is chosen", async () => {
    const { hub } = await freshHub();
    const split = { "a.Q4_0-00001-of-00002.gguf": "4", "a.Q4_0-00002-of-00002.gguf": "5" };
    hub.add("models/owner/gguf", { "a.Q8_0.gguf": "8", ...split });
    expect(await fault("owner/gguf", "unusable")).toMatch(
      /^Expected one set of weights in owner\/gguf but received 2: a\.Q8_0\.gguf, a\.Q4_0\.gguf\. Fetch one of them/,
    );
    const folder = await resolveFolder("owner/gguf", { files: ["*Q4_0*.gguf"] });
    expect(readdirSync(folder)).toHaveLength(2);
  });
});

test("options are checked", async () => {
  await expect(resolveFolder("owner/tiny", { branch: "x" } as never)).rejects.toThrow(
    /Expected options of 'resolveFolder' \(revision, .*\) but received 'branch'/,
  );
  await expect(resolveFolder("owner/tiny", { kind: "space" as never })).rejects.toThrow(/"model" or "dataset"/);
  await expect(resolveFolder(5 as never)).rejects.toThrow(TypeError);
});
