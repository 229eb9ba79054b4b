import {
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import type { ServerResponse } from "node:http";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { type ResolveOptions, resolveFolder } from "../../src/hub";
import { freshHub, listenToStderr, noise, text } from "./fixtures";
import { commit, digestOf, gitSha1, HubServer, sendFile, sha256 } from "./server";

const weights = noise(300_000);
const files = {
  ".gitattributes": "*.safetensors filter=lfs",
  "README.md": "# A model",
  "config.json": '{"model_type": "llama"}',
  "tokenizer.json": "{}",
  "generation_config.json": "{}",
  "additional_chat_templates/tools.jinja": "{{ tools }}",
  "model.safetensors": weights,
  "pytorch_model.bin": "pickle",
  "onnx/model.onnx": "onnx",
  "original/tokenizer.model": "sentencepiece",
};
const needed = [
  "additional_chat_templates/tools.jinja",
  "config.json",
  "generation_config.json",
  "model.safetensors",
  "tokenizer.json",
];

const filesOf = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();

/** What is fetched where a connection breaks: the weights alone. */
const onlyWeights = ["model.safetensors"];

/** Cuts the connection at this byte whenever the file is sent; the callback waits until that much has arrived. */
function cut(hub: HubServer, at: number, { times = Infinity, ranges = true } = {}): (done: number) => void {
  let left = times;
  let open: ServerResponse | undefined;
  let arrived = 0;
  hub.intercept = (request, response, { cdn }) => {
    if (!cdn) return false;
    if (!ranges) delete request.headers.range;
    if (left-- <= 0) return false;
    if (ranges && arrived >= at) request.socket.destroy();
    else sendFile(request, (open = response), weights, {}, at);
    return true;
  };
  return (done) => {
    arrived = done;
    if (done === at) open?.destroy();
  };
}

describe("a model of the hub", () => {
  test("comes into the cache layout of huggingface_hub, with only the files that are needed", async () => {
    const { hub, cache } = await freshHub();
    hub.add("models/owner/tiny", files);
    const folder = await resolveFolder("owner/tiny");
    const repo = join(cache, "models--owner--tiny");
    expect(folder).toBe(join(repo, "snapshots", commit("c0")));
    expect(filesOf(folder)).toEqual(needed);
    expect(text(repo, "refs/main")).toBe(commit("c0"));
    expect(readlinkSync(join(folder, "config.json"))).toBe(`../../blobs/${gitSha1(files["config.json"])}`);
    expect(readlinkSync(join(folder, "model.safetensors"))).toBe(`../../blobs/${sha256(weights)}`);
    expect(readlinkSync(join(folder, needed[0]!))).toMatch(/^\.\.\/\.\.\/\.\.\/blobs\//);
    expect(filesOf(join(repo, "blobs")).sort()).toEqual(
      [...new Set(needed.map((path) => digestOf(path, files[path as keyof typeof files])))].sort(),
    );
    expect(text(folder, "model.safetensors")).toBe(weights.toString());
  });

  test("is not fetched again", async () => {
    const { hub } = await freshHub();
    hub.add("models/owner/tiny", files);
    const folder = await resolveFolder("owner/tiny");
    const before = hub.downloads().length;
    expect(await resolveFolder("owner/tiny")).toBe(folder);
    expect(hub.downloads()).toHaveLength(before);
  });

  test("shares blobs between commits, and a moved branch is followed", async () => {
    const { hub, cache } = await freshHub();
    const repo = hub.add("models/owner/tiny", files);
    await resolveFolder("owner/tiny");
    repo.commits[commit("c1")] = { ...files, "config.json": "{}\n" };
    repo.refs["main"] = commit("c1");
    const before = hub.downloads().length;
    const folder = await resolveFolder("owner/tiny");
    expect(
      hub
        .downloads()
        .slice(before)
        .map(({ path }) => path),
    ).toEqual([`/owner/tiny/resolve/${commit("c1")}/config.json`]);
    expect(text(folder, "config.json")).toBe("{}\n");
    expect(text(cache, "models--owner--tiny/refs/main")).toBe(commit("c1"));
  });

  test("comes at a branch, a tag or a commit, named with @ or by option", async () => {
    const { hub, cache } = await freshHub();
    const repo = hub.add("models/owner/tiny", files);
    repo.commits[commit("c1")] = { ...files, "config.json": "{}\n" };
    repo.refs["v1.0"] = repo.refs["refs/pr/1"] = commit("c1");
    const folder = join(cache, "models--owner--tiny/snapshots", commit("c1"));
    expect(await resolveFolder("owner/tiny@v1.0")).toBe(folder);
    expect(await resolveFolder("owner/tiny", { revision: "refs/pr/1" })).toBe(folder);
    expect(await resolveFolder(`owner/tiny@${commit("c1")}`)).toBe(folder);
    expect(filesOf(join(cache, "models--owner--tiny/refs"))).toEqual(["refs/pr/1", "v1.0"]);
  });

  test("may have a name without an owner", async () => {
    const { hub, cache } = await freshHub();
    hub.add("models/gpt2", files);
    expect(await resolveFolder("gpt2")).toBe(join(cache, "models--gpt2/snapshots", commit("c0")));
  });

  test("sends the token to the hub and not to the CDN", async () => {
    const { hub } = await freshHub();
    hub.add("models/owner/tiny", files).gated = "secret";
    writeFileSync(join(process.env["HF_HOME"]!, "token"), "secret\n");
    await resolveFolder("owner/tiny");
    for (const { cdn, authorization } of hub.log) expect(authorization).toBe(cdn ? undefined : "Bearer secret");
    expect(hub.log.filter(({ cdn }) => cdn)).toHaveLength(1);
  });

  test("sends no token to where another page is said to be", async () => {
    const { hub } = await freshHub();
    const other = await HubServer.start();
    hub.add("models/owner/tiny", files);
    other.add("models/owner/tiny", files);
    hub.pages = other.pages = other.url;
    vi.stubEnv("HF_TOKEN", "secret");
    await resolveFolder("owner/tiny");
    expect(new Set(other.log.map(({ authorization }) => authorization))).toEqual(new Set([undefined]));
  });

  test("reports how many bytes are there", async () => {
    const { hub } = await freshHub();
    hub.add("models/owner/tiny", { "config.json": "{}", "model.safetensors": weights });
    const seen: number[][] = [];
    await resolveFolder("owner/tiny", { onProgress: (...numbers) => seen.push(numbers) });
    expect(seen.at(-1)).toEqual([300_002, 300_002]);
    expect(seen.map(([done]) => done)).toEqual(seen.map(([done]) => done!).sort((a, b) => a - b));
  });

  test("shows a bar, unless it is not wanted", async () => {
    const { hub } = await freshHub();
    hub.add("models/owner/tiny", { "config.json": "{}", "model.safetensors": weights });
    const stderr = listenToStderr();
    await resolveFolder("owner/tiny", { files: ["config.json"] });
    expect(stderr()).toBe("");
    vi.stubEnv("HF_HUB_DISABLE_PROGRESS_BARS", undefined);
    await resolveFolder("owner/tiny");
    expect(stderr()).toMatch(/owner\/tiny {2}fetched 300 kB in [\d.]+ s\n$/);
  });
});

describe("a break in the download", () => {
  test("is followed by another try from where it stopped", async () => {
    const { hub } = await freshHub();
    hub.add("models/owner/tiny", { "config.json": "{}", "model.safetensors": weights });
    const onProgress = cut(hub, 100_000, { times: 1 });
    const folder = await resolveFolder("owner/tiny", { files: onlyWeights, onProgress });
    expect(text(folder, "model.safetensors")).toBe(weights.toString());
    expect(hub.log.filter(({ cdn }) => cdn).map(({ range }) => range)).toEqual([undefined, "bytes=100000-"]);
  });

  test("that lasts ends the run, and the next one goes on from there", async () => {
    const { hub, cache } = await freshHub();
    hub.add("models/owner/tiny", { "config.json": "{}", "model.safetensors": weights });
    const onProgress = cut(hub, 100_000);
    await expect(resolveFolder("owner/tiny", { files: onlyWeights, onProgress })).rejects.toThrow(
      /model\.safetensors of .*\/owner\/tiny stopped after 100000 of 300000 bytes: .* the next run goes on from there/,
    );
    const repo = join(cache, "models--owner--tiny");
    expect(filesOf(join(repo, "blobs"))).toContain(`${sha256(weights)}.incomplete`);
    expect(existsSync(join(repo, "snapshots"))).toBe(false);

    hub.intercept = () => false;
    hub.log.length = 0;
    const folder = await resolveFolder("owner/tiny");
    expect(text(folder, "model.safetensors")).toBe(weights.toString());
    expect(hub.log.filter(({ cdn }) => cdn).map(({ range }) => range)).toEqual(["bytes=100000-"]);
    expect(filesOf(join(repo, "blobs")).filter((name) => name.includes("incomplete"))).toEqual([]);
  });

  test("begins anew where the server knows no ranges", async () => {
    const { hub } = await freshHub();
    hub.add("models/owner/tiny", { "config.json": "{}", "model.safetensors": weights });
    const onProgress = cut(hub, 100_000, { times: 1, ranges: false });
    const folder = await resolveFolder("owner/tiny", { files: onlyWeights, onProgress });
    expect(text(folder, "model.safetensors")).toBe(weights.toString());
    expect(hub.log.filter(({ cdn }) => cdn).map(({ range }) => range)).toEqual([undefined, "bytes=100000-"]);
  });

  test("by the user leaves what has come", async () => {
    const { hub, cache } = await freshHub();
    hub.add("models/owner/tiny", { "config.json": "{}", "model.safetensors": weights });
    const abort = new AbortController();
    hub.intercept = (_, response, { cdn }) => {
      if (!cdn) return false;
      response.writeHead(200, { "content-length": weights.length });
      response.write(weights.subarray(0, 50_000));
      return true;
    };
    const onProgress = (done: number) => done >= 50_000 && abort.abort(new Error("enough"));
    await expect(resolveFolder("owner/tiny", { signal: abort.signal, onProgress })).rejects.toThrow("enough");
    expect(text(cache, "models--owner--tiny/blobs", `${sha256(weights)}.incomplete`)).toBe(
      weights.subarray(0, 50_000).toString(),
    );
  });

  test("of a process that was killed is taken up, and another one's work is waited for", async () => {
    const { hub, cache } = await freshHub();
    hub.add("models/owner/tiny", { "config.json": "{}", "model.safetensors": weights });
    const blobs = join(cache, "models--owner--tiny/blobs");
    const host = hostname().replace(/[^\w-]/g, "_");
    const partial = (pid: number) => join(blobs, `${sha256(weights)}.${host}.${pid}-0.incomplete`);
    mkdirSync(blobs, { recursive: true });
    const gone = partial(2 ** 22 + 1); // beyond the largest process id of Linux
    writeFileSync(gone, weights.subarray(0, 200_000));
    utimesSync(gone, new Date(0), new Date(0));
    await resolveFolder("owner/tiny");
    expect(hub.log.filter(({ cdn }) => cdn).map(({ range }) => range)).toEqual(["bytes=200000-"]);

    rmSync(join(blobs, sha256(weights)));
    hub.log.length = 0;
    writeFileSync(partial(process.ppid), weights);
    const waiting = resolveFolder("owner/tiny");
    await vi.waitUntil(() => hub.log.some(({ path }) => path.includes("/tree/")));
    setTimeout(() => renameSync(partial(process.ppid), join(blobs, sha256(weights))), 200);
    expect(text(await waiting, "model.safetensors")).toBe(weights.toString());
    expect(hub.downloads()).toEqual([]);

    rmSync(join(blobs, sha256(weights)));
    writeFileSync(partial(process.ppid), "stuck");
    utimesSync(partial(process.ppid), new Date(0), new Date(0));
    expect(text(await resolveFolder("owner/tiny"), "model.safetensors")).toBe(weights.toString());
    expect(hub.downloads()).toHaveLength(1);
  });

  test("in what an earlier run left is found by the digest, and the file fetched anew", async () => {
    const { hub, cache } = await freshHub();
    hub.add("models/owner/tiny", { "config.json": "{}", "model.safetensors": weights });
    const blobs = join(cache, "models--owner--tiny/blobs");
    mkdirSync(blobs, { recursive: true });
    writeFileSync(join(blobs, `${sha256(weights)}.incomplete`), Buffer.alloc(1000));
    expect(text(await resolveFolder("owner/tiny"), "model.safetensors")).toBe(weights.toString());
    expect(hub.log.filter(({ cdn }) => cdn).map(({ range }) => range)).toEqual(["bytes=1000-", undefined]);
  });
});

test("one process fetches a file once, whoever asks", async () => {
  const { hub } = await freshHub();
  hub.add("models/owner/tiny", { "config.json": "{}", "model.safetensors": weights });
  const folders = await Promise.all([1, 2, 3].map(() => resolveFolder("owner/tiny")));
  expect(new Set(folders).size).toBe(1);
  expect(hub.downloads()).toHaveLength(2);
});

describe("a server that is busy", () => {
  test("is asked again when it says so", async () => {
    const { hub } = await freshHub();
    hub.add("models/owner/tiny", { "config.json": "{}", "model.safetensors": weights });
    const seen = new Set<string>();
    hub.intercept = (request, response) => {
      if (seen.has(request.url!)) return false;
      seen.add(request.url!);
      response.writeHead([429, 500, 503][seen.size % 3]!, { "retry-after": "0" }).end();
      return true;
    };
    expect(filesOf(await resolveFolder("owner/tiny"))).toEqual(["config.json", "model.safetensors"]);
  });

  test("or drops connections, too", async () => {
    const { hub } = await freshHub();
    hub.add("models/owner/tiny", { "config.json": "{}", "model.safetensors": weights });
    let times = 0;
    hub.intercept = (request) => {
      if (![0, 2].includes(times++)) return false;
      request.socket.destroy();
      return true;
    };
    expect(filesOf(await resolveFolder("owner/tiny"))).toEqual(["config.json", "model.safetensors"]);
  });
});

describe("without the hub", () => {
  test("the cache serves: offline without a word, unreachable with a note", async () => {
    const { hub } = await freshHub();
    hub.add("models/owner/tiny", files);
    const folder = await resolveFolder("owner/tiny");
    const stderr = listenToStderr();
    const asked = hub.log.length;
    for (const name of ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]) {
      vi.stubEnv(name, "1");
      expect(await resolveFolder("owner/tiny")).toBe(folder);
      expect(await resolveFolder(`owner/tiny@${commit("c0")}`)).toBe(folder);
      vi.stubEnv(name, undefined);
    }
    expect(hub.log).toHaveLength(asked);
    expect(stderr()).toBe("");

    hub.stop();
    expect(await resolveFolder("owner/tiny")).toBe(folder);
    expect(await resolveFolder("owner/tiny")).toBe(folder);
    expect(stderr()).toMatch(/^smaug: http:.* cannot be reached: .*; owner\/tiny is taken from the cache as it was last seen\n$/);
  });

  test("the last whole snapshot serves when a newer one was broken off", async () => {
    const { hub } = await freshHub();
    const repo = hub.add("models/owner/tiny", { "config.json": "{}", "model.safetensors": "old" });
    const folder = await resolveFolder("owner/tiny");
    repo.commits[commit("c1")] = { "config.json": "{}", "model.safetensors": weights };
    repo.refs["main"] = commit("c1");
    hub.intercept = (_, response, { cdn }) => cdn && Boolean(response.writeHead(403).end());
    await expect(resolveFolder("owner/tiny")).rejects.toThrow("HTTP 403");
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await resolveFolder("owner/tiny")).toBe(folder);
  });

  test("copies of a cache without links serve too", async () => {
    const { cache } = await freshHub();
    const folder = join(cache, "models--owner--tiny/snapshots", commit("c0"));
    mkdirSync(folder, { recursive: true });
    mkdirSync(join(cache, "models--owner--tiny/refs"));
    writeFileSync(join(cache, "models--owner--tiny/refs/main"), commit("c0"));
    for (const name of ["config.json", "model.safetensors"]) writeFileSync(join(folder, name), "{}");
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await resolveFolder("owner/tiny")).toBe(folder);
  });
});

test("a link whose blob is gone is mended", async () => {
  const { hub, cache } = await freshHub();
  hub.add("models/owner/tiny", { "config.json": "{}", "model.safetensors": weights });
  const folder = await resolveFolder("owner/tiny");
  rmSync(join(cache, "models--owner--tiny/blobs", sha256(weights)));
  rmSync(join(folder, "config.json"));
  symlinkSync("../../blobs/elsewhere", join(folder, "config.json"));
  await resolveFolder("owner/tiny");
  expect(text(folder, "config.json")).toBe("{}");
  expect(text(folder, "model.safetensors")).toBe(weights.toString());
});

describe("one set of weights", () => {
  const chosen = async (names: string[], options: ResolveOptions = {}) => {
    const { hub } = await freshHub();
    hub.add("models/owner/tiny", Object.fromEntries(names.map((name) => [name, "x"])));
    return filesOf(await resolveFolder("owner/tiny", options));
  };

  test("is the single file, or the shards with their index", async () => {
    const shards = [1, 2].map((shard) => `model-0000${shard}-of-00002.safetensors`);
    shards.push("model.safetensors.index.json");
    const others = ["consolidated.safetensors", "model.fp16.safetensors", "vae/model.safetensors", "model.Q8_0.gguf"];
    expect(await chosen([...shards, ...others])).toEqual(shards);
    expect(await chosen([...shards, ...others, "model.safetensors"])).toEqual(["model.safetensors"]);
  });

  test("is the GGUF file where there is nothing else; the tokenizer is in it", async () => {
    expect(await chosen(["config.json", "a.gguf", "pytorch_model.bin"])).toEqual(["a.gguf", "config.json"]);
    expect(await chosen(["config.json", "a.gguf"], { files: "tokenizer" })).toEqual(["a.gguf"]);
    expect(await chosen(["tokenizer.json", "a.gguf"], { files: "tokenizer" })).toEqual(["tokenizer.json"]);
  });
});

describe("a data set", () => {
  const data = { "README.md": "---", "data/train-00000.parquet": "PAR1", "test.jsonl": "{}", "images/1.png": "png" };

  test("comes with the files that hold rows", async () => {
    const { hub, cache } = await freshHub();
    hub.add("datasets/owner/pairs", data);
    const folder = await resolveFolder("owner/pairs", { kind: "dataset" });
    expect(folder).toBe(join(cache, "datasets--owner--pairs/snapshots", commit("c0")));
    expect(filesOf(folder)).toEqual(["README.md", "data/train-00000.parquet", "test.jsonl"]);
  });

  test("also those that are packed, are called .ndjson, or have an ending in capitals", async () => {
    const { hub } = await freshHub();
    const rows = ["a.JSONL", "b.jsonl.gz", "c.Json.GZ", "d.ndjson", "e.PARQUET"];
    const others = ["a.jsonl.txt", "b.tar.gz", "c.png"];
    hub.add("datasets/owner/pairs", Object.fromEntries([...rows, ...others].map((name) => [name, "{}"])));
    expect(filesOf(await resolveFolder("owner/pairs", { kind: "dataset" }))).toEqual(rows);
  });

  test.each([
    ["[a-c].jsonl", ["a.jsonl", "b.jsonl"]],
    ["[!a].json[l]", ["[.jsonl", "b.jsonl"]],
    ["[[].jsonl", ["[.jsonl"]],
    ["[c-a].jsonl", []],
    ["[.jsonl", ["[.jsonl"]],
    ["*[d].jsonl", ["x/d.jsonl"]],
  ])("a pattern's choices are fnmatch's: %s", async (pattern, found) => {
    const { hub } = await freshHub();
    const names = ["[.jsonl", "a.jsonl", "b.jsonl", "x/d.jsonl", "zz.txt"];
    hub.add("datasets/owner/pairs", Object.fromEntries(names.map((name) => [name, "{}"])));
    expect(filesOf(await resolveFolder("owner/pairs", { kind: "dataset", files: [pattern, "zz.txt"] }))).toEqual([
      ...found,
      "zz.txt",
    ]);
  });

  test("or with those that are asked for", async () => {
    const { hub } = await freshHub();
    hub.add("datasets/owner/pairs", data);
    const folder = await resolveFolder("owner/pairs", { kind: "dataset", files: ["data/train-*.parquet"] });
    expect(filesOf(folder)).toEqual(["data/train-00000.parquet"]);
  });
});
