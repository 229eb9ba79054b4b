import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { generateCommand } from "../../src/cli/generate";
import { generateSync } from "../../src/generate";
import { loadModel, saveAdapter } from "../../src/models";
import { lora } from "../../src/nn";
import { loadTokenizer, type Tokenizer } from "../../src/text";
import { eos, tinyFolder } from "../text/tiny";
import { runCommand, writeTinyLlama } from "./command";

/** A small random Llama with the tiny tokenizer; whatever it is asked, it babbles. */
const folder = tinyFolder({ "generation_config.json": { eos_token_id: eos, temperature: 0.6 } });
const scratch = mkdtempSync(join(tmpdir(), "smaug-generate-"));
afterAll(() => [folder, scratch].forEach((each) => rmSync(each, { recursive: true })));

let tokenizer: Tokenizer;
beforeAll(async () => {
  await writeTinyLlama(folder, { range: 0.5, positions: 100 });
  tokenizer = await loadTokenizer(folder);
});

const smaug = (...args: string[]) => runCommand(generateCommand(), ...args);

async function answers(text: string, options = {}) {
  const ids = tokenizer.encode(text, { addSpecialTokens: !text.startsWith("<bos>") });
  const model = await loadModel(folder);
  const [answer] = generateSync(model, [ids], { maxNewTokens: 12, tokenizer, ...options });
  model.dispose();
  return answer!;
}

const file = (name: string, content: string) => {
  const path = join(scratch, name);
  writeFileSync(path, content);
  return path;
};

describe("--prompt", () => {
  test("streams the text", async () => {
    const { text } = await answers("hello");
    expect(await smaug("--model", folder, "--prompt", "hello", "--max-new-tokens", "12")).toEqual({
      status: 0,
      stdout: `${text}\n`,
      stderr: "",
    });
  });

  test("--json prints one object", async () => {
    const { text, tokens, finishReason } = await answers("hello");
    const { stdout } = await smaug("--model", folder, "--prompt", "hello", "--max-new-tokens", "12", "--json");
    expect(JSON.parse(stdout)).toEqual({
      prompt: "hello",
      text,
      tokens: tokens.length,
      finish_reason: finishReason,
      tokens_per_second: expect.any(Number) as number,
    });
  });

  test("every setting arrives", async () => {
    const stop = (await answers("hello", { temperature: 0.9, seed: 3 })).text.slice(4, 5);
    const sampling = { temperature: 0.9, topK: 90, topP: 0.95, minP: 0.001, repetitionPenalty: 1.1, seed: 3 };
    const options = { ...sampling, stopStrings: ["never", stop] };
    const { text } = await answers("hello", options);
    const { stdout } = await smaug(
      "--model",
      folder,
      "--prompt",
      "hello",
      "--max-new-tokens",
      "12",
      "--temperature",
      "0.9",
      "--top-k",
      "90",
      "--top-p",
      "0.95",
      "--min-p",
      "0.001",
      "--repetition-penalty",
      "1.1",
      "--seed",
      "3",
      "--stop",
      "never",
      "--stop",
      stop,
    );
    expect(stdout).toBe(`${text}\n`);
    expect(stdout).not.toBe(`${(await answers("hello", { temperature: 0.9, seed: 3 })).text}\n`);
  });

  test("is continued as it stands, although the folder has a chat template", async () => {
    const { stdout } = await smaug("--model", folder, "--prompt", "hello", "--json", "--max-new-tokens", "1");
    expect(JSON.parse(stdout)).toMatchObject({ prompt: "hello" });
  });
});

describe("an adapter's folder", () => {
  test("as the model loads its base with the adapter, and uses the adapter's chat template", async () => {
    const path = join(scratch, "adapter");
    const model = await loadModel(folder, { adapter: lora({ r: 2, targetModules: ["q_proj"] }) });
    await saveAdapter(model, path);
    model.dispose();
    writeFileSync(join(path, "chat_template.jinja"), "{{ messages[0].content }}!");
    const messages = file("hi.json", '[{"role": "user", "content": "hi"}]');
    for (const args of [
      ["--model", path],
      ["--model", folder, "--adapter", path],
    ]) {
      const { stdout } = await smaug(...args, "--messages", messages, "--max-new-tokens", "3", "--json");
      expect(JSON.parse(stdout)).toMatchObject({ prompt: "hi!" });
    }
  });
});

describe("--messages", () => {
  const messages = [{ role: "user", content: "hi" }];
  const rendered = "<bos>u:hi<eos>a:";

  test("applies the chat template to a list", async () => {
    const { text } = await answers(rendered);
    const path = file("list.json", JSON.stringify(messages, null, 2));
    const { stdout } = await smaug("--model", folder, "--messages", path, "--json", "--max-new-tokens", "12");
    expect(JSON.parse(stdout)).toMatchObject({ prompt: rendered, text });
  });

  test("answers every line of JSON Lines", async () => {
    const lines = [messages, { messages, id: 7 }].map((each) => JSON.stringify(each));
    const path = file("lines.jsonl", `\ufeff${lines.join("\n\n")}\n`);
    const { stdout } = await smaug("--model", folder, "--messages", path, "--json", "--max-new-tokens", "2");
    const objects = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { prompt: string });
    expect(objects.map(({ prompt }) => prompt)).toEqual([rendered, rendered]);
  });

  test("gives the template tools and its own variables, and names what is not read", async () => {
    const path = join(scratch, "tools");
    cpSync(folder, path, { recursive: true });
    writeFileSync(join(path, "chat_template.jinja"), "{{ tools | tojson }}{{ mood }}{{ messages[0].content }}");
    const conversation =
      '{"messages": [{"role": "user", "content": "hi"}], "tools": [{"least": 20.0}], "chat_template_kwargs": {"mood": 1e-07}, "id": 7}';
    const { stdout, stderr } = await smaug(
      "--model",
      path,
      "--messages",
      file("tools.json", conversation),
      "--json",
      "--max-new-tokens",
      "1",
    );
    expect(JSON.parse(stdout)).toMatchObject({ prompt: '[{"least": 20.0}]1e-07hi' });
    expect(stderr).toContain("not read: id\n");
  });

  test.each([
    [
      "tools.jsonl",
      '{"messages": [{"role": "user", "content": "a"}], "tools": "f"}',
      /Expected a list of tools, or its JSON, for 'tools' in '.*tools\.jsonl'/,
    ],
    ["none.jsonl", " \n", /Expected a conversation in '.*none\.jsonl' but received none/],
    ["broken.jsonl", '[{"role": "user", "content": "a"}]\n[{]\n', /JSON in '.*broken\.jsonl', line 2 but received \[\{\]/],
    ["empty.json", "[]", /Expected a list of messages in '.*' but received \[\]/],
    ["text.json", '["hi"]', /Expected an object with a 'role' for message 0 in '.*' but received "hi"/],
  ])("refuses %s", async (name, content, message) => {
    const { status, stdout, stderr } = await smaug("--model", folder, "--messages", file(name, content));
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(message);
  });

  test("a folder without a chat template says so", async () => {
    const bare = join(scratch, "bare");
    cpSync(folder, bare, { recursive: true });
    writeFileSync(join(bare, "tokenizer_config.json"), "{}");
    const { status, stderr } = await smaug("--model", bare, "--messages", file("one.json", JSON.stringify(messages)));
    expect(status).toBe(2);
    expect(stderr).toMatch(/Expected a chat template but the tokenizer has none/);
  });
});

describe("bad usage ends with 2", () => {
  test.each([
    [["--prompt", "a"], /required option '--model <folder>' not specified/],
    [["--model", folder], /Expected '--prompt' or '--messages' but received neither/],
    [["--model", folder, "--prompt", "a", "--messages", "b"], /cannot be used with option '--messages <file>'/],
    [
      ["--model", folder, "--messages", join(scratch, "absent")],
      /Expected a file of conversations at .*absent but there is none/,
    ],
    [["--model", join(scratch, "absent"), "--prompt", "a"], /Expected a model folder at .*absent.* but there is none/],
    [["--model", folder, "--prompt", "a", "--adapter", scratch], /Expected an adapter/],
    [["--model", folder, "--prompt", "a", "--max-new-tokens", "0"], /Expected an integer from 1\./],
    [["--model", folder, "--prompt", "a", "--temperature", "hot"], /Expected a number from 0\./],
    [["--model", folder, "--prompt", "a", "--top-p", "2"], /Expected a number from 0 to 1/],
    [["--model", folder, "--prompt", "a", "--repetition-penalty", "0"], /Expected a number above 0/],
    [["--model", folder, "--prompt", "a", "--top-k", "5"], /Expected '--temperature' above 0 with '--top-k'/],
    [["--model", folder, "--prompt", "a", "--stop", ""], /Expected text for '--stop' but received none/],
    [["--model", folder, "--prompt", "a".repeat(120)], /Expected fewer than 100 tokens for 'prompts\[0\]'/],
    [["--model", folder, "--prompt", "a", "--dtype", "int8"], /Allowed choices are auto, float32/],
  ])("%j", async (args, message) => {
    const { status, stdout, stderr } = await smaug(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(message);
  });
});
