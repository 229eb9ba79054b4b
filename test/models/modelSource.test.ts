/** What the name of a model stands for: a base, or an adapter that names one. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { loadModel, resolveModel, saveAdapter } from "../../src/models";
import { lora, loraLayers } from "../../src/nn";
import { loadTokenizer } from "../../src/text";
import { noGrad, tensor, tidy } from "../../src/torch";
import { freshHub } from "../hub/fixtures";
import type { Content } from "../hub/server";
import { fixture, folderOf } from "../parity/fixture";
import { tokenizerConfig, tokenizerJson } from "../text/tiny";
import { temporaryFolders } from "./folders";

const folder = temporaryFolders();
const single = folderOf("folders", "single");
const { ids } = fixture<{ ids: number[][] }>("weights");
const { adapters } = fixture<{ adapters: Record<string, { logits: number[] }> }>("adapters");

/** A copy of an adapter that names another base. */
function adapterOf(base: unknown, changes: object = {}): string {
  const copy = folder(folderOf("adapters", "list"));
  const path = join(copy, "adapter_config.json");
  const json = JSON.parse(readFileSync(path, "utf8")) as object;
  writeFileSync(path, JSON.stringify({ ...json, base_model_name_or_path: base, ...changes }));
  return copy;
}

async function logitsOf(name: string): Promise<number[]> {
  using model = await loadModel(name);
  return tidy(() =>
    noGrad(
      () =>
        [
          ...model
            .forward(tensor(ids, { dtype: "int64" }))
            .flatten()
            .toArray(),
        ] as number[],
    ),
  );
}

const contents = (from: string): Record<string, Content> =>
  Object.fromEntries(readdirSync(from).map((name) => [name, readFileSync(join(from, name))]));

describe("an adapter's folder as a model", () => {
  test("is the base that it names, with the adapter on it to train, as PEFT answers", async () => {
    const path = adapterOf(single);
    const answers = await logitsOf(path);
    adapters["list"]!.logits.forEach((wanted, i) => expect(answers[i]).toBeCloseTo(wanted, 4));
    using model = await loadModel(path);
    expect([model.folder, model.adapterFolder]).toEqual([single, path]);
    expect([...model.namedParameters()].filter(([, { requiresGrad }]) => requiresGrad)).toHaveLength(8);
  });

  test("finds a base by a path from the current folder, as PEFT does", async () => {
    const before = process.cwd();
    onTestFinished(() => process.chdir(before));
    process.chdir(folderOf("folders"));
    expect(await resolveModel(adapterOf("single"))).toMatchObject({ base: "single", hub: undefined });
  });

  test("is the adapter of its own weights where it has some", async () => {
    const both = folder(single);
    for (const name of readdirSync(folderOf("adapters", "list")))
      writeFileSync(join(both, name), readFileSync(folderOf("adapters", "list", name)));
    expect(await resolveModel(both)).toEqual({ base: both, hub: undefined, adapter: both });
    const answers = await logitsOf(both);
    adapters["list"]!.logits.forEach((wanted, i) => expect(answers[i]).toBeCloseTo(wanted, 4));
  });

  test("is found on the hub, with its base at the revision that it names", async () => {
    const { hub } = await freshHub();
    hub.add("models/owner/tiny", { ...contents(single), "tokenizer.json": JSON.stringify(tokenizerJson) }).refs["v1"] =
      hub.repos["models/owner/tiny"]!.refs["main"]!;
    hub.add("models/owner/lora", contents(adapterOf("owner/tiny", { revision: "v1" })));
    using model = await loadModel("owner/lora");
    expect([model.hub, loraLayers(model).length]).toEqual([{ id: "owner/tiny", revision: "v1" }, 4]);
    expect((await loadTokenizer("owner/lora")).vocabSize).toBe(264);
    const out = folder();
    await saveAdapter(model, out);
    expect(JSON.parse(readFileSync(join(out, "adapter_config.json"), "utf8"))).toMatchObject({
      base_model_name_or_path: "owner/tiny",
      revision: "v1",
    });
  });
});

describe("refused", () => {
  const fails = (name: string, message: string | RegExp, options?: Parameters<typeof loadModel>[1]) =>
    expect(loadModel(name, options)).rejects.toThrow(message);

  test.each([null, "", 3])("a base called %j", async (base) => {
    const path = adapterOf(base);
    await fails(
      path,
      `for 'base_model_name_or_path' in ${path}/adapter_config.json but received ${JSON.stringify(base)}; name the base`,
    );
  });

  test("no base is needed where the model is named, too", async () => {
    using model = await loadModel(single, { adapter: adapterOf(null) });
    expect(loraLayers(model)).toHaveLength(4);
  });

  test("a base that is not there: the message says where it was looked for, and the way out", async () => {
    const path = adapterOf("./models/gone");
    await fails(
      path,
      `Expected the base of the adapter in ${path} at ./models/gone but there is no such folder (paths are relative to the ` +
        `current folder, ${process.cwd()}); name the base as the model, and ${path} as its adapter`,
    );
  });

  test("a base on a hub that is not asked", async () => {
    await freshHub();
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    await fails(
      adapterOf("models/gone"),
      /names models\/gone as its base\. .* there is no such folder, and the hub is not contacted, since .* \(paths are relative to/,
    );
  });

  test("an adapter of an adapter, and two adapters at once", async () => {
    const inner = adapterOf(single);
    await fails(adapterOf(inner), "which is an adapter itself; merge that one into its model first");
    await fails(inner, `Expected a base model for the adapter ${inner} but received ${inner}`, { adapter: inner });
    await fails(inner, "leave 'adapter' out to continue training it", { adapter: lora({ r: 2 }) });
  });

  test("no folder, and options that there are not, with the nearest name", async () => {
    await fails("./nope", "Expected a model folder at ./nope but there is none");
    await fails(single, "but received 'dtyp'; did you mean 'dtype'?", { dtyp: "float32" } as object);
    await expect(loadTokenizer(single, { adaptor: "x" } as object)).rejects.toThrow("did you mean 'adapter'?");
  });
});

describe("the tokenizer of an adapter's folder", () => {
  const template = "{% for m in messages %}<{{ m.content }}>{% endfor %}";
  const base = () => {
    const path = folder(single);
    writeFileSync(join(path, "tokenizer.json"), JSON.stringify(tokenizerJson));
    writeFileSync(join(path, "tokenizer_config.json"), JSON.stringify(tokenizerConfig));
    writeFileSync(join(path, "generation_config.json"), JSON.stringify({ eos_token_id: [7, 8] }));
    return path;
  };
  const chat = [{ role: "user", content: "hi" }];

  test("wins over the base's as a whole, but for how to generate", async () => {
    const path = adapterOf(base());
    writeFileSync(join(path, "tokenizer.json"), JSON.stringify({ ...tokenizerJson, post_processor: null }));
    writeFileSync(
      join(path, "tokenizer_config.json"),
      JSON.stringify({ ...tokenizerConfig, eos_token: "<pad>", chat_template: template }),
    );
    const tokenizer = await loadTokenizer(path);
    expect(tokenizer.encode("h")).toEqual([104]); // no BOS
    expect([tokenizer.eosToken, tokenizer.applyChatTemplate(chat)]).toEqual(["<pad>", "<hi>"]);
    expect(tokenizer.eosTokenIds).toEqual([7, 8]);
  });

  test("is the base's where the folder holds none; a template alone is used with it", async () => {
    const path = adapterOf(base());
    expect((await loadTokenizer(path)).applyChatTemplate(chat)).toBe("<bos>u:hi<eos>");
    writeFileSync(join(path, "chat_template.jinja"), template);
    const tokenizer = await loadTokenizer(path);
    expect([tokenizer.applyChatTemplate(chat), tokenizer.eosToken]).toEqual(["<hi>", "<eos>"]);
  });

  test("must be complete", async () => {
    const path = adapterOf(base());
    writeFileSync(join(path, "tokenizer_config.json"), JSON.stringify(tokenizerConfig));
    await expect(loadTokenizer(path)).rejects.toThrow(`Expected a tokenizer.json in '${path}' but received none`);
  });

  test("is saved with the adapter, and with a model that it is merged into", async () => {
    const path = adapterOf(base());
    writeFileSync(join(path, "chat_template.jinja"), template);
    using model = await loadModel(path);
    const out = folder();
    await saveAdapter(model, out, { tokenizer: true });
    expect((await loadTokenizer(out)).applyChatTemplate(chat)).toBe("<hi>");
  });
});
